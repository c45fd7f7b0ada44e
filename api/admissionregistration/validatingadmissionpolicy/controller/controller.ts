import type { Client } from '../../../../libs/kind/client.ts';
import type { Live } from '../../../../libs/kind/object.ts';
import { ownKey, type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import { groupVersionPath, parseApiVersion } from '../../../../libs/machinery/gvk.ts';
import { validatingAdmissionPolicies } from '../../../resources.ts';
import type { ValidatingAdmissionPolicy } from '../../../types/admissionregistration/v1.generated.ts';
import { type PublishedDocument, publishedTypeOf } from './published-types.ts';
import { expressionWarnings, type GroupVersionResource, type KnownType, kindsToCheck } from './type-check.ts';

export interface Observed {
  readonly policy: Live<ValidatingAdmissionPolicy>;
}

export interface Action {
  readonly type: 'check';
  readonly reason: string;
}

const FIELD_MANAGER = 'validatingadmissionpolicy-status';

/** A policy is looked at once for each of its generations. */
export function plan({ policy }: Observed): Plan<Action> {
  const generation = Number(policy.metadata.generation ?? 0);
  if (generation <= Number(policy.status?.observedGeneration ?? 0)) return { actions: [] };
  return { actions: [{ type: 'check', reason: 'the policy is new or has changed' }] };
}

/** Writes into the status of validating policies what is wrong with their expressions, by the types of what they match. */
export const validatingAdmissionPolicyStatusController: Reconciler<Observed, Action> = {
  name: 'validatingadmissionpolicy-status-controller',
  watches: [watching(validatingAdmissionPolicies, ownKey)],
  observe({ informers }, name) {
    const policy = informers.informer(validatingAdmissionPolicies).get(name);
    return policy && { policy };
  },
  plan,
  async apply({ client }, _action, { policy }) {
    const { generation, name } = policy.metadata;
    const served = new Served(client);
    const types: KnownType[] = [];
    for (const kind of await kindsToCheck(policy, (resource) => served.kindOf(resource))) {
      const type = await served.typeOf(kind);
      if (type) types.push({ ...kind, type });
    }
    const warnings = expressionWarnings(policy, types, await paramsType(policy, served));
    const applied = {
      metadata: { name },
      status: {
        observedGeneration: generation,
        typeChecking: warnings.length > 0 ? { expressionWarnings: warnings } : {},
      },
    } as ValidatingAdmissionPolicy;
    const { metadata } = await client
      .resource(validatingAdmissionPolicies)
      .subresource('status')
      .apply(applied, { fieldManager: FIELD_MANAGER, force: true });
    return [{ ref: validatingAdmissionPolicies, resourceVersion: metadata.resourceVersion }];
  },
};

async function paramsType(
  { spec }: Live<ValidatingAdmissionPolicy>,
  served: Served,
): Promise<KnownType['type'] | undefined> {
  const { apiVersion, kind } = spec?.paramKind ?? {};
  return apiVersion && kind ? served.typeOf({ ...parseApiVersion(apiVersion), kind }) : undefined;
}

const nothing = (error: unknown): undefined => {
  if (!isNotFound(error)) throw error;
};

/** What the server serves and publishes, each group version asked for once. */
class Served {
  readonly #client: Client;
  readonly #answers = new Map<string, Promise<unknown>>();

  constructor(client: Client) {
    this.#client = client;
  }

  async kindOf(of: GroupVersionResource): Promise<string | undefined> {
    const list = (await this.#get(groupVersionPath(of))) as
      | { resources?: readonly { name: string; kind: string }[] }
      | undefined;
    return list?.resources?.find(({ name }) => name === of.resource)?.kind;
  }

  async typeOf(kind: Omit<KnownType, 'type'>): Promise<KnownType['type'] | undefined> {
    const document = (await this.#get(`/openapi/v3${groupVersionPath(kind)}`)) as PublishedDocument | undefined;
    return document && publishedTypeOf(document, kind);
  }

  #get(path: string): Promise<unknown> {
    let answer = this.#answers.get(path);
    if (!answer) this.#answers.set(path, (answer = this.#client.raw('GET', path).catch(nothing)));
    return answer;
  }
}
