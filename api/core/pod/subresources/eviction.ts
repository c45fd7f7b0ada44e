import { formatTime } from '../../../../libs/base/clock.ts';
import type { ActionSubresource } from '../../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import type { Registry, SharedDraft } from '../../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../../libs/kind/request.ts';
import { badRequest, disruptionBudget, forbidden, notFound, unclassified } from '../../../../libs/machinery/errors.ts';
import { labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import { podDisruptionBudgets, pods } from '../../../resources.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import type { Eviction, PodDisruptionBudget } from '../../../types/policy/v1.generated.ts';
import { DONE } from './binding.ts';

/** Deletes a pod if its disruption budget allows that (API concept "API-initiated eviction"). */
export const eviction: ActionSubresource<Eviction> = {
  form: 'action',
  gvk: { group: 'policy', version: 'v1', kind: 'Eviction' },
  type: 'policy.v1.Eviction',
  run: evict,
};

const VIOLATED = "Cannot evict pod as it would violate the pod's disruption budget.";
/** A budget that more evictions lean on than its controller has seen to is a budget whose controller is stuck. */
const DISRUPTED_PODS_MAX = 2000;

type Budget = DeepReadonly<PodDisruptionBudget>;

async function evict(ctx: RequestContext, registry: Registry, body: Eviction) {
  const { namespace, name } = ctx.attributes;
  if (body.metadata?.name !== name) throw badRequest('name in URL does not match name in Eviction object');
  const pod = (await registry.get(pods, namespace, name)) as DeepReadonly<Pod> | undefined;
  if (!pod) throw notFound(pods, name);
  const dryRun = ctx.dryRun || (body.deleteOptions?.dryRun ?? []).length > 0;
  const writing = { ...ctx, dryRun };
  if (!isOutsideBudgets(pod)) await consumeBudget(writing, registry, namespace, pod);
  await markDisrupted(writing, registry, namespace, name);
  const { gracePeriodSeconds, preconditions, propagationPolicy } = body.deleteOptions ?? {};
  await registry.delete(writing, pods, namespace, name, {
    ...preconditions,
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: Number(gracePeriodSeconds) }),
    ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
  });
  return DONE;
}

/** Pods that have finished, not begun or are going anyway cost nobody anything. */
function isOutsideBudgets({ metadata, status }: DeepReadonly<Pod>): boolean {
  const phase = status?.phase ?? '';
  return metadata?.deletionTimestamp !== undefined || ['Succeeded', 'Failed', 'Pending'].includes(phase);
}

async function consumeBudget(
  ctx: RequestContext,
  registry: Registry,
  namespace: string,
  pod: DeepReadonly<Pod>,
): Promise<void> {
  const all = (await registry.list(podDisruptionBudgets, namespace)) as readonly Budget[];
  const budgets = all.filter(({ spec }) => labelSelectorOf(spec.selector).matches(pod.metadata?.labels));
  const [budget] = budgets;
  if (budget === undefined) return;
  if (budgets.length > 1) {
    const message = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw unclassified(message);
  }
  const ready = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  if (!ready && letsUnhealthyGo(budget)) return;
  const budgetName = budget.metadata?.name ?? '';
  const take = (draft: SharedDraft<PodDisruptionBudget>) => takeOne(draft, pod.metadata?.name ?? '', ctx.nowMs);
  // It is the server that keeps the budget's account, whoever asks for the eviction.
  const asServer = { ...ctx, fieldManager: 'kube-apiserver' };
  await registry.update(asServer, podDisruptionBudgets, namespace, budgetName, take, { subresource: 'status' });
}

/** A pod that is not ready adds nothing to a budget that is met without it. */
function letsUnhealthyGo({ spec, status }: Budget): boolean {
  if (spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  return (status?.desiredHealthy ?? 0) > 0 && (status?.currentHealthy ?? 0) >= (status?.desiredHealthy ?? 0);
}

function takeOne(draft: SharedDraft<PodDisruptionBudget>, pod: string, nowMs: number): void {
  const { metadata, status } = draft;
  const name = metadata.name ?? '';
  if (!status || Number(status.observedGeneration ?? 0) < Number(metadata.generation ?? 0)) {
    throw disruptionBudget(VIOLATED, `The disruption budget ${name} is still being processed by the server.`);
  }
  const refuse = (why: string) => forbidden(podDisruptionBudgets, name, why);
  const allowed = status.disruptionsAllowed ?? 0;
  if (allowed < 0) throw refuse('pdb disruptions allowed is negative');
  if (Object.keys(status.disruptedPods ?? {}).length > DISRUPTED_PODS_MAX) {
    throw refuse('DisruptedPods map too big - too many evictions not confirmed by PDB controller');
  }
  if (allowed === 0) {
    const { desiredHealthy = 0, currentHealthy = 0 } = status;
    const detail = `needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
    throw disruptionBudget(VIOLATED, `The disruption budget ${name} ${detail}`);
  }
  draft.status = {
    ...status,
    ...(allowed === 1 && { conditions: exhausted(status, metadata.generation, nowMs) }),
    disruptionsAllowed: allowed - 1,
    disruptedPods: { ...status.disruptedPods, [pod]: formatTime(nowMs) },
  };
}

/** The conditions of a budget that lets no further pod go. */
function exhausted(
  status: NonNullable<Budget['status']>,
  generation: number | bigint | undefined,
  nowMs: number,
): NonNullable<Budget['status']>['conditions'] {
  const was = status.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  const changed = was?.status !== 'False';
  const condition = {
    type: 'DisruptionAllowed',
    status: 'False',
    observedGeneration: Number(status.observedGeneration ?? generation ?? 0),
    lastTransitionTime: changed ? formatTime(nowMs) : (was?.lastTransitionTime ?? formatTime(nowMs)),
    reason: 'InsufficientPods',
    message: was?.message ?? '',
  };
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'DisruptionAllowed');
  return [...others, condition];
}

/** So that controllers can tell an eviction from a failure. */
async function markDisrupted(ctx: RequestContext, registry: Registry, namespace: string, name: string): Promise<void> {
  const mark = (pod: SharedDraft<Pod>) => {
    const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget');
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      lastTransitionTime: formatTime(ctx.nowMs),
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
    };
    pod.status = { ...pod.status, conditions: [...others, condition] };
  };
  await registry.update(ctx, pods, namespace, name, mark, { subresource: 'status', unowned: true });
}
