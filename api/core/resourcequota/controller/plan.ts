import type { Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import { compareQuantity, mustParseQuantity } from '../../../../libs/machinery/quantity.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import type { Pod, ResourceQuota, ResourceQuotaStatus } from '../../../types/core/v1.generated.ts';
import { isFinished } from '../../pod/controller/pod-state.ts';
import type { ResourceList } from '../../pod/resources.ts';
import { addResources, maskResources, type QuotaEvaluator, quotaCovers } from '../evaluate.ts';

/** The objects of one resource in the quota's namespace, and what speaks for them. */
export interface Counted {
  readonly evaluator: QuotaEvaluator;
  readonly objects: readonly Live<object>[];
}

export interface Observed {
  readonly quota: Live<ResourceQuota>;
  /** Of every resource that the quota limits and the server has. */
  readonly counted: readonly Counted[];
}

export interface Action {
  readonly type: 'status';
  readonly reason: string;
  readonly status: ResourceQuotaStatus;
}

/** Counts anew what a quota limits; writes it down where that is not what its status says. */
export function plan({ quota, counted }: Observed, nowMs: number): Plan<Action> {
  const hard = quota.spec?.hard ?? {};
  const names = Object.keys(hard);
  let used: Record<string, string> = {};
  let againAfterMs: number | undefined;
  for (const { evaluator, objects } of counted) {
    const limited = names.filter((name) => evaluator.counts(name));
    // What nothing uses is used 0 times; what nobody knows is not used at all.
    used = { ...Object.fromEntries(limited.map((name) => [name, '0'])), ...used };
    for (const object of objects) {
      if (!quotaCovers(evaluator, quota.spec, hard, object)) continue;
      used = addResources(used, maskResources(evaluator.usage(object, nowMs), limited));
      const leftMs = untilFreeMs(object as Live<Pod>, nowMs);
      if (leftMs !== undefined) againAfterMs = Math.min(againAfterMs ?? leftMs, leftMs);
    }
  }
  const before = quota.status;
  const same = before?.hard && before.used && sameList(before.hard, hard) && sameList(before.used, used);
  const actions: Action[] = same ? [] : [{ type: 'status', status: { hard: { ...hard }, used }, reason: 'count' }];
  return againAfterMs === undefined ? { actions } : { actions, againAfterMs };
}

/** How long until a pod that is being deleted stops to count, whether its node answers or not. */
export function untilFreeMs(pod: Live<Pod>, nowMs: number): number | undefined {
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  if (!deletionTimestamp || deletionGracePeriodSeconds === undefined || isFinished(pod)) return undefined;
  const leftMs = (epochMs(deletionTimestamp) ?? 0) + Number(deletionGracePeriodSeconds) * 1000 - nowMs;
  return leftMs >= 0 ? leftMs + 1 : undefined;
}

function sameList(a: ResourceList, b: ResourceList): boolean {
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => {
    const [x, y] = [a[name], Object.hasOwn(b, name) ? b[name] : undefined];
    return x !== undefined && y !== undefined && compareQuantity(mustParseQuantity(x), mustParseQuantity(y)) === 0;
  });
}
