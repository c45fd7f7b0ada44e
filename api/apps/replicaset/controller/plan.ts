import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { inOrderOfDeletion } from '../../../core/pod/controller/deletion-order.ts';
import type { Claim } from '../../../core/pod/controller/ownership.ts';
import {
  isActive,
  isAvailable,
  isReady,
  isTerminating,
  untilAvailableMs,
} from '../../../core/pod/controller/pod-state.ts';
import type { ReplicaSetStatus } from '../../../types/apps/v1.generated.ts';
import type { Pod, PodTemplateSpec } from '../../../types/core/v1.generated.ts';

/** Pods made or deleted in one turn. */
const BURST = 500;

/** What keeps a number of equal pods: a ReplicaSet or a ReplicationController. */
export interface Observed {
  readonly generation: number | bigint | undefined;
  readonly deleting: boolean;
  readonly replicas: number;
  readonly minReadySeconds: number;
  readonly template: DeepReadonly<PodTemplateSpec>;
  readonly status: DeepReadonly<ReplicaSetStatus>;
  readonly pods: Claim<Pod>;
  /** Pods of the same Deployment, for spreading what is deleted over nodes: looked for only where some are. */
  related(): readonly Live<Pod>[];
  /** ReplicationControllers do not say how many pods are on their way out. */
  readonly countsTerminating: boolean;
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'claim' }
  | { readonly type: 'create'; readonly count: number }
  | { readonly type: 'delete'; readonly pods: readonly Live<Pod>[] }
  | { readonly type: 'status'; readonly status: ReplicaSetStatus }
);

/** Makes as many pods as are missing, deletes as many as are too many, and says what there is. */
export function plan(observed: Observed, nowMs: number): Plan<Action> {
  const { pods, replicas, minReadySeconds, deleting } = observed;
  const actions: Action[] = [];
  if (pods.adopt.length + pods.release.length > 0) actions.push({ type: 'claim', reason: 'adopt and release pods' });
  const active = pods.owned.filter(isActive);
  const missing = deleting ? 0 : replicas - active.length;
  const made = Math.min(Math.max(0, missing), BURST);
  if (made > 0) actions.push({ type: 'create', count: made, reason: 'scale up' });
  const surplus = Math.min(Math.max(0, -missing), BURST);
  const choose = surplus > 0 && surplus < active.length;
  const deleted = (choose ? inOrderOfDeletion(active, observed.related(), nowMs) : active).slice(0, surplus);
  if (deleted.length > 0) actions.push({ type: 'delete', pods: deleted, reason: 'scale down' });
  const status = statusOf(observed, active, { made, deleted }, nowMs);
  if (!sameValue(status, observed.status)) actions.push({ type: 'status', status, reason: 'status' });
  const againAfterMs = minReadySeconds > 0 ? untilAvailableMs(active, minReadySeconds, nowMs) : undefined;
  return againAfterMs === undefined ? { actions } : { actions, againAfterMs };
}

/**
 * The status as it is once pods have been `made` and `deleted`, so that it need not be written again when they are seen.
 * It is written only where all that went well.
 */
function statusOf(
  observed: Observed,
  active: readonly Live<Pod>[],
  { made, deleted }: { readonly made: number; readonly deleted: readonly Live<Pod>[] },
  nowMs: number,
): ReplicaSetStatus {
  const kept = deleted.length === 0 ? active : active.filter((pod) => !deleted.includes(pod));
  // One without a node is gone at once.
  const leaving = countOf(deleted, ({ spec }) => Boolean(spec?.nodeName));
  const wanted = Object.entries(observed.template.metadata?.labels ?? {});
  const conditions = (observed.status.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure');
  const labelled = (pod: Live<Pod>) => wanted.every(([key, value]) => pod.metadata.labels?.[key] === value);
  const fullyLabeledReplicas = countOf(kept, labelled) + made;
  const readyReplicas = countOf(kept, isReady);
  const availableReplicas = countOf(kept, (pod) => isAvailable(pod, observed.minReadySeconds, nowMs));
  return {
    replicas: kept.length + made,
    // Counts of none are left out, as they are on the wire.
    ...(fullyLabeledReplicas > 0 && { fullyLabeledReplicas }),
    ...(readyReplicas > 0 && { readyReplicas }),
    ...(availableReplicas > 0 && { availableReplicas }),
    ...(observed.countsTerminating && {
      terminatingReplicas: countOf(observed.pods.owned, isTerminating) + leaving,
    }),
    ...(observed.generation !== undefined && { observedGeneration: observed.generation }),
    ...(conditions.length > 0 && { conditions }),
  } as ReplicaSetStatus;
}

function countOf(pods: readonly Live<Pod>[], test: (pod: Live<Pod>) => boolean): number {
  let count = 0;
  for (const pod of pods) if (test(pod)) count++;
  return count;
}

/** The status with the condition that tells why pods could not be made or deleted. */
export function withFailure(
  status: DeepReadonly<ReplicaSetStatus>,
  reason: 'FailedCreate' | 'FailedDelete',
  message: string,
  time: string,
): ReplicaSetStatus {
  const known = status.conditions?.find(({ type }) => type === 'ReplicaFailure');
  const rest = (status.conditions ?? []).filter(({ type }) => type !== 'ReplicaFailure');
  // The condition stays as it came while the trouble lasts.
  const condition = known ?? { type: 'ReplicaFailure', status: 'True', reason, message, lastTransitionTime: time };
  return { ...status, conditions: [...rest, condition] } as ReplicaSetStatus;
}
