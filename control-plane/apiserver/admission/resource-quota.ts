/**
 * ResourceQuota: what is written must fit into the quotas of its namespace. What it takes is added to the quotas' status
 * before it is written, each time upon the newest state, so that writers side by side cannot take the same twice. It is
 * not given back where the write fails after all: the controller counts anew.
 */
import {
  addResources,
  evaluatorOf,
  exceeded,
  growth,
  maskResources,
  type QuotaEvaluator,
  quotaCovers,
  subtractResources,
} from '../../../api/core/resourcequota/evaluate.ts';
import { resourceQuotas } from '../../../api/resources.ts';
import type { ResourceQuota } from '../../../api/types/core/v1.generated.ts';
import type { AdmissionPlugin, DeepReadonlyAdmission } from '../../../libs/kind/admission.ts';
import type { ApiObject, DeepReadonly, Live } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { isConflict, isNotFound } from '../../../libs/machinery/errors.ts';
import { refused } from './refusal.ts';

type Amounts = Readonly<Record<string, string>>;

/** A resource that may be used only where a quota allows it. */
export interface LimitedResource {
  readonly group: string;
  readonly resource: string;
  /** Parts of the names of what is limited (`.storageclass.storage.k8s.io/requests.storage`). */
  readonly matchContains: readonly string[];
}

/** How often a quota is read anew because others were faster. */
const TRIES = 100;

/** `some`: whether there are quotas at all. `limited`: default nothing. */
export function resourceQuota(some: () => boolean, limited: readonly LimitedResource[] = []): AdmissionPlugin {
  // One writer at a time in a namespace: they would only be in each other's way.
  const queues = new Map<string, Promise<void>>();
  async function inTurn(namespace: string, work: () => Promise<void>): Promise<void> {
    const before = queues.get(namespace) ?? Promise.resolve();
    const mine = before.then(work);
    const settled = mine.catch(() => {});
    queues.set(namespace, settled);
    try {
      await mine;
    } finally {
      if (queues.get(namespace) === settled) queues.delete(namespace);
    }
  }

  return {
    name: 'ResourceQuota',
    handles({ operation, kind, namespace, subresource }) {
      if (namespace === '' || kind.virtual || (limited.length === 0 && !some())) return false;
      const evaluator = evaluatorOf(kind);
      if (!evaluator) return false;
      if (operation === 'CREATE') return subresource === '';
      if (operation !== 'UPDATE') return false;
      return subresource === (evaluator.grows === 'update' ? '' : evaluator.grows);
    },
    async validate(ctx, request, registry) {
      const evaluator = evaluatorOf(request.kind);
      if (!evaluator) return;
      const there = await registry.list(resourceQuotas, request.namespace);
      if (there.length === 0 && limited.length === 0) return;
      const { object } = request as { readonly object: DeepReadonly<ApiObject> };
      const covering = there.filter((quota) => covers(evaluator, quota, object));
      for (const quota of covering) checkSaid(evaluator, quota, request, object);
      const wanted = wantedBy(evaluator, request, ctx);
      checkLimited(limited, request, wanted, covering);
      if (covering.length === 0 || Object.keys(wanted).length === 0) return;
      await inTurn(request.namespace, () => charge(ctx, request, registry, evaluator, wanted));
    },
  };
}

const covers = (evaluator: QuotaEvaluator, quota: DeepReadonly<ResourceQuota>, object: DeepReadonly<ApiObject>) =>
  quotaCovers(evaluator, quota.spec, quota.status?.hard, object);

function checkSaid(
  evaluator: QuotaEvaluator,
  quota: Live<ResourceQuota>,
  request: DeepReadonlyAdmission,
  object: DeepReadonly<ApiObject>,
): void {
  const unsaid = evaluator.unsaid(object, Object.keys(quota.status?.hard ?? {}));
  if (unsaid.size === 0) return;
  const what = [...unsaid].map(([resource, containers]) =>
    containers.length === 0 ? resource : `${resource} for: ${containers.join(',')}`,
  );
  throw refused(request, `failed quota: ${quota.metadata.name}: must specify ${what.join('; ')}`);
}

/** What the write takes more than what it replaces. */
function wantedBy(evaluator: QuotaEvaluator, request: DeepReadonlyAdmission, ctx: RequestContext): Amounts {
  const { object, oldObject } = request as {
    readonly object: DeepReadonly<ApiObject>;
    oldObject?: DeepReadonly<ApiObject>;
  };
  const usage = evaluator.usage(object, ctx.nowMs);
  return growth(oldObject ? subtractResources(usage, evaluator.usage(oldObject, ctx.nowMs)) : usage);
}

function checkLimited(
  limited: readonly LimitedResource[],
  request: DeepReadonlyAdmission,
  wanted: Amounts,
  covering: readonly Live<ResourceQuota>[],
): void {
  const named = limited
    .filter(({ group, resource }) => group === request.kind.group && resource === request.kind.resource)
    .flatMap(({ matchContains }) => matchContains);
  const allowed = new Set(covering.flatMap((quota) => Object.keys(quota.status?.hard ?? {})));
  const missing = Object.keys(wanted).filter((name) => named.some((part) => name.includes(part)) && !allowed.has(name));
  if (missing.length > 0) {
    throw refused(request, `insufficient quota to consume: ${missing.sort().join(',')}`);
  }
}

async function charge(
  ctx: RequestContext,
  request: DeepReadonlyAdmission,
  registry: Registry,
  evaluator: QuotaEvaluator,
  wanted: Amounts,
): Promise<void> {
  const { object } = request as { readonly object: DeepReadonly<ApiObject> };
  const quotas = (await registry.list(resourceQuotas, request.namespace)).filter((quota) =>
    covers(evaluator, quota, object),
  );
  // Nothing is taken from one quota when another one has too little.
  const charged = quotas.filter((quota) => usedAfter(request, quota, wanted) !== undefined);
  if (ctx.dryRun) return;
  for (const quota of charged) await take(ctx, request, registry, quota.metadata.name, wanted);
}

/** What the quota would count; undefined where it does not count this. Throws 403 where it is too much. */
function usedAfter(
  request: DeepReadonlyAdmission,
  { metadata, status }: DeepReadonly<ResourceQuota>,
  wanted: Amounts,
): Amounts | undefined {
  const hard = status?.hard ?? {};
  const requested = maskResources(wanted, Object.keys(hard));
  const names = Object.keys(requested);
  if (names.length === 0) return undefined;
  const used = status?.used ?? {};
  const unknown = names.filter((name) => !Object.hasOwn(used, name));
  if (unknown.length > 0) {
    throw refused(request, `status unknown for quota: ${metadata?.name}, resources: ${unknown.sort().join(',')}`);
  }
  const after = addResources(used, requested);
  const over = exceeded(maskResources(after, names), hard);
  if (over.length === 0) return after;
  const text = (list: Amounts) => over.map((name) => `${name}=${list[name]}`).join(',');
  throw refused(
    request,
    `exceeded quota: ${metadata?.name}, requested: ${text(requested)}, used: ${text(used)}, limited: ${text(hard)}`,
  );
}

async function take(
  ctx: RequestContext,
  request: DeepReadonlyAdmission,
  registry: Registry,
  name: string,
  wanted: Amounts,
): Promise<void> {
  const own = { ...ctx, fieldManager: 'kube-apiserver' };
  for (let tries = 1; ; tries++) {
    try {
      await registry.update(
        own,
        resourceQuotas,
        request.namespace,
        name,
        (draft) => {
          const after = usedAfter(request, draft as DeepReadonly<ResourceQuota>, wanted);
          if (!after || !draft.status) return false;
          draft.status = { ...draft.status, used: { ...after } };
          return true;
        },
        { subresource: 'status' },
      );
      return;
    } catch (error) {
      if (isNotFound(error)) return;
      if (!isConflict(error) || tries >= TRIES) throw error;
    }
  }
}
