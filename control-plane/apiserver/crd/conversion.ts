/**
 * Custom resources that a webhook converts (`conversion.strategy: Webhook`): one ConversionReview for each list of objects.
 * Answers live as long as the objects that they were given for: what the wire shows is made from them without waiting.
 */
import type { Random } from '../../../libs/base/random.ts';
import { type ApiObject, apiVersionOf, type DeepReadonly } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import { unclassified } from '../../../libs/machinery/errors.ts';
import { type WebhookClient, WebhookError } from '../webhook/client.ts';
import type { Definition } from './custom-kind.ts';

const TIMEOUT_SECONDS = 30;

/** Asks the webhook of a definition. */
export interface Converter {
  /** The objects in `apiVersion`, in their order; copies. Throws `ApiError` 500. */
  convert(objects: readonly DeepReadonly<ApiObject>[], apiVersion: string, signal: AbortSignal): Promise<ApiObject[]>;
}

export interface ConversionOptions {
  readonly client: WebhookClient;
  readonly random: Random;
  readonly registry: () => Registry;
}

/** Undefined where only the apiVersion changes (`strategy: None`). */
export function converterOf({ spec }: Definition, options: ConversionOptions): Converter | undefined {
  const { conversion, group, names } = spec;
  const { clientConfig, conversionReviewVersions = [] } = conversion?.webhook ?? {};
  if (conversion?.strategy !== 'Webhook' || !clientConfig) return undefined;
  const version = conversionReviewVersions.find((one) => one === 'v1' || one === 'v1beta1') ?? 'v1';
  return {
    async convert(objects, desiredAPIVersion, signal) {
      const others = objects.filter((object) => object.apiVersion !== desiredAPIVersion);
      if (others.length === 0) return objects.map((object) => copyValue(object) as ApiObject);
      const from = String(others[0]?.apiVersion).replace(`${group}/`, '');
      const failed = (why: string) =>
        unclassified(`conversion webhook for ${group}/${from}, Kind=${names.kind} failed: ${why}`);
      const uid = options.random.uuid();
      const apiVersion = apiVersionOf({ group: 'apiextensions.k8s.io', version });
      const review = { kind: 'ConversionReview', apiVersion, request: { uid, desiredAPIVersion, objects: others } };
      let answer: unknown;
      try {
        answer = await options.client.post(clientConfig, review, TIMEOUT_SECONDS, options.registry(), signal);
      } catch (error) {
        if (error instanceof WebhookError) throw failed(error.message);
        throw error;
      }
      const converted = convertedIn(answer, apiVersion, uid, others, desiredAPIVersion, failed);
      let next = 0;
      return objects.map((object) =>
        object.apiVersion === desiredAPIVersion ? (copyValue(object) as ApiObject) : (converted[next++] as ApiObject),
      );
    },
  };
}

interface Review {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly response?: {
    readonly uid?: string;
    readonly convertedObjects?: readonly ApiObject[];
    readonly result?: { readonly status?: string; readonly message?: string };
  };
}

function convertedIn(
  answer: unknown,
  apiVersion: string,
  uid: string,
  asked: readonly DeepReadonly<ApiObject>[],
  desired: string,
  failed: (why: string) => Error,
): ApiObject[] {
  const review = (typeof answer === 'object' && answer !== null ? answer : {}) as Review;
  const wrong = (why: string) => failed(`invalid response: ${why}`);
  if (review.apiVersion !== apiVersion || review.kind !== 'ConversionReview') {
    throw failed(
      `expected webhook response of ${apiVersion}, Kind=ConversionReview, got ${review.apiVersion ?? ''}, Kind=${review.kind ?? ''}`,
    );
  }
  const { response } = review;
  if (!response) throw failed('no response provided');
  if (apiVersion.endsWith('/v1') && response.uid !== uid) {
    throw failed(`expected response.uid="${uid}", got "${response.uid ?? ''}"`);
  }
  const { status = '', message } = response.result ?? {};
  if (status !== 'Success') {
    if (message) throw failed(message);
    throw failed(`response.result.status was '${status}', not 'Success'`);
  }
  const objects = response.convertedObjects ?? [];
  if (objects.length !== asked.length) {
    throw failed(`returned ${objects.length} objects, expected ${asked.length}`);
  }
  return objects.map((object, i) => {
    const original = asked[i] as DeepReadonly<ApiObject>;
    const at = `converted object at index ${i}`;
    if (object?.apiVersion !== desired) {
      throw wrong(`${at}: invalid groupVersion (expected ${desired}, received ${object?.apiVersion ?? ''})`);
    }
    if (object.kind !== original.kind) {
      throw wrong(`${at}: invalid kind (expected ${original.kind}, received ${object.kind ?? ''})`);
    }
    return withMetadata(object, original, (why) => wrong(`${at}: ${why}`));
  });
}

/** A conversion may change labels and annotations, and nothing else of the metadata. */
function withMetadata(object: ApiObject, original: DeepReadonly<ApiObject>, wrong: (why: string) => Error): ApiObject {
  if (!object.metadata) throw wrong('must have metadata');
  for (const name of ['name', 'namespace', 'uid'] as const) {
    if ((object.metadata[name] ?? '') !== (original.metadata?.[name] ?? '')) throw wrong(`must have the same ${name}`);
  }
  const { labels, annotations } = object.metadata;
  const {
    labels: _labels,
    annotations: _annotations,
    ...rest
  } = copyValue(original.metadata ?? {}) as NonNullable<ApiObject['metadata']>;
  return {
    ...object,
    metadata: { ...rest, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) },
  };
}

/**
 * The two ways between a version and the stored one, by way of a webhook: see `ServedVersion`. An object that is in the
 * version already (stored before the definition's storage version changed, or after) needs nobody.
 */
export function webhookConversion(
  converter: Converter,
  { apiVersion, storedAs }: { readonly apiVersion: string; readonly storedAs: string },
  canonical: (object: ApiObject) => ApiObject,
) {
  const known = new WeakMap<object, ApiObject>();
  const answerFor = (object: object): ApiObject => {
    const found = known.get(object);
    if (!found) throw unclassified(`an object was to be shown in ${apiVersion} before it was converted`);
    return copyValue(found);
  };
  const fromStorage = (object: DeepReadonly<ApiObject>): ApiObject =>
    object.apiVersion === apiVersion ? ({ ...object } as ApiObject) : answerFor(object);
  const prepareFromStorage = async (objects: readonly DeepReadonly<ApiObject>[], signal: AbortSignal) => {
    const missing = objects.filter((object) => object.apiVersion !== apiVersion && !known.has(object));
    if (missing.length === 0) return;
    const converted = await converter.convert(missing, apiVersion, signal);
    missing.forEach((object, i) => known.set(object, canonical(converted[i] as ApiObject)));
  };
  if (apiVersion === storedAs) return { fromStorage, prepare: { fromStorage: prepareFromStorage } };
  return {
    fromStorage,
    toStorage: (object: ApiObject) => answerFor(object),
    prepare: {
      fromStorage: prepareFromStorage,
      async toStorage(object: ApiObject, signal: AbortSignal) {
        const [converted] = await converter.convert([object], storedAs, signal);
        known.set(object, converted as ApiObject);
      },
    },
  };
}
