/** Objects in the versions that others wrote them in, where only a webhook can tell how they look there. */
import type { Kind, ServedVersion } from '../../../libs/kind/kind.ts';
import { type ApiObject, apiVersionOf, type DeepReadonly } from '../../../libs/kind/object.ts';
import { stringify } from '../../../libs/machinery/codec/json.ts';
import type { ServedResource } from './kind-set.ts';

type Value = Readonly<Record<string, unknown>>;

export const writtenVersionsOf = ({ versions, writtenVersions }: Kind): readonly ServedVersion[] =>
  writtenVersions ?? versions;

export function writtenVersion(kind: Kind, apiVersion: string): ServedVersion | undefined {
  return writtenVersionsOf(kind).find(
    ({ group = kind.group, version }) => apiVersionOf({ group, version }) === apiVersion,
  );
}

/** The work cannot go on before somebody has been asked. */
class Unanswered extends Error {
  override readonly name = 'Unanswered';
  readonly object: Value;
  readonly apiVersion: string;

  constructor(object: Value, apiVersion: string) {
    super(`an object in ${apiVersion} is wanted`);
    this.object = object;
    this.apiVersion = apiVersion;
  }
}

/** What one request has learnt from a conversion webhook. */
export class WrittenVersions {
  readonly #resource: ServedResource;
  readonly #known = new Map<string, ApiObject>();

  constructor(resource: ServedResource) {
    this.#resource = resource;
  }

  /** Undefined where there is no such version (any more). Throws, for `whole` to ask, what is not known yet. */
  convert = (object: Value, apiVersion: string): Value | undefined => {
    if (!writtenVersion(this.#resource.kind, apiVersion)) return undefined;
    const known = this.#known.get(keyOf(object, apiVersion));
    if (!known) throw new Unanswered(object, apiVersion);
    return known as unknown as Value;
  };

  /** What `work` gives once all that it wants converted has been. Rejects with `ApiError` 500 where the webhook fails. */
  async whole<T>(work: () => T, signal: AbortSignal): Promise<T> {
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!(error instanceof Unanswered)) throw error;
        await this.#ask(error, signal);
      }
    }
  }

  async #ask({ object, apiVersion }: Unanswered, signal: AbortSignal): Promise<void> {
    const version = writtenVersion(this.#resource.kind, apiVersion) as ServedVersion;
    // What has been converted once says in which version it is.
    const own = { apiVersion: this.#resource.apiVersion, ...object } as unknown as DeepReadonly<ApiObject>;
    await version.prepare?.fromStorage([own], signal);
    const shown = (version.fromStorage?.(own) ?? own) as ApiObject;
    this.#known.set(keyOf(object, apiVersion), { ...shown, apiVersion });
  }
}

const keyOf = (object: Value, apiVersion: string): string => `${apiVersion} ${stringify(object)}`;
