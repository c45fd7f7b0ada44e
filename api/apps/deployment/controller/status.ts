import { formatTime } from '../../../../libs/base/clock.ts';
import { inOnePiece } from '../../../../libs/base/text.ts';
import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import type { Deployment, DeploymentCondition, DeploymentStatus } from '../../../types/apps/v1.generated.ts';
import { type Bounds, type Set, total } from './rollout.ts';

type Status = DeepReadonly<DeploymentStatus>;
type Condition = DeepReadonly<DeploymentCondition>;

export const conditionOf = (conditions: readonly Condition[], type: string): Condition | undefined =>
  conditions.find((condition) => condition.type === type);

/** The conditions with one put in. One of the same status and reason stays as it is, message and all. */
export function withCondition(
  conditions: readonly Condition[],
  type: string,
  status: 'True' | 'False' | 'Unknown',
  reason: string,
  message: string,
  nowMs: number,
  refresh = false,
): readonly Condition[] {
  const known = conditionOf(conditions, type);
  if (!refresh && known?.status === status && known.reason === reason) return conditions;
  const now = formatTime(nowMs);
  const lastTransitionTime = known?.status === status ? known.lastTransitionTime : now;
  const condition = { type, status, lastUpdateTime: now, lastTransitionTime, reason, message } as Condition;
  return [...conditions.filter((other) => other.type !== type), condition];
}

/** What the ReplicaSets amount to. */
export function countsOf(
  deployment: Live<Deployment>,
  all: readonly Set[],
  newSet: Set | undefined,
  { maxUnavailable }: Bounds,
  conditions: readonly Condition[],
  nowMs: number,
): Status {
  const wanted = total(all, (set) => set.replicas);
  const available = total(all, (set) => set.status.available);
  const enough = available >= (deployment.spec?.replicas ?? 1) - maxUnavailable;
  const replicas = total(all, (set) => set.status.replicas);
  const updatedReplicas = newSet?.status.replicas ?? 0;
  const readyReplicas = total(all, (set) => set.status.ready);
  return {
    observedGeneration: deployment.metadata.generation as never,
    ...(replicas > 0 && { replicas }),
    ...(updatedReplicas > 0 && { updatedReplicas }),
    ...(readyReplicas > 0 && { readyReplicas }),
    ...(available > 0 && { availableReplicas: available }),
    ...(wanted > available && { unavailableReplicas: wanted - available }),
    terminatingReplicas: total(all, (set) => set.status.terminating),
    conditions: enough
      ? withCondition(
          conditions,
          'Available',
          'True',
          'MinimumReplicasAvailable',
          'Deployment has minimum availability.',
          nowMs,
        )
      : withCondition(
          conditions,
          'Available',
          'False',
          'MinimumReplicasUnavailable',
          'Deployment does not have minimum availability.',
          nowMs,
        ),
    ...(deployment.status?.collisionCount === undefined ? {} : { collisionCount: deployment.status.collisionCount }),
  };
}

/** All wanted pods are of the new template and available, and none of another is left. */
export function isComplete(deployment: Live<Deployment>, status: Status): boolean {
  const replicas = deployment.spec?.replicas ?? 1;
  return (
    (status.updatedReplicas ?? 0) === replicas &&
    (status.replicas ?? 0) === replicas &&
    (status.availableReplicas ?? 0) === replicas &&
    BigInt(status.observedGeneration ?? 0) >= BigInt(deployment.metadata.generation ?? 0)
  );
}

/** Whether there is more of the new, or less of the old, than before. */
function hasProgressed(before: Status, now: Status): boolean {
  const of = (status: Status) => ({
    updated: status.updatedReplicas ?? 0,
    old: (status.replicas ?? 0) - (status.updatedReplicas ?? 0),
    ready: status.readyReplicas ?? 0,
    available: status.availableReplicas ?? 0,
  });
  const [a, b] = [of(before), of(now)];
  return b.updated > a.updated || b.old < a.old || b.ready > a.ready || b.available > a.available;
}

/** Without a deadline (the largest number stands for none) nothing is said about progress. */
export const hasDeadline = (deployment: Live<Deployment>): boolean =>
  (deployment.spec?.progressDeadlineSeconds ?? 2147483647) !== 2147483647;

/** The status of a rollout, with what it says of its progress, and of pods that could not be made. */
export function rolloutStatus(
  deployment: Live<Deployment>,
  counts: Status,
  all: readonly Set[],
  newSet: Set | undefined,
  nowMs: number,
): Status {
  let conditions = counts.conditions ?? [];
  if (!hasDeadline(deployment)) conditions = conditions.filter(({ type }) => type !== 'Progressing');
  const current = conditionOf(conditions, 'Progressing');
  const done = (counts.replicas ?? 0) === (counts.updatedReplicas ?? 0) && current?.reason === 'NewReplicaSetAvailable';
  if (hasDeadline(deployment) && !done) {
    const [kind, name] = newSet ? ['ReplicaSet', newSet.name] : ['Deployment', deployment.metadata.name];
    const say = (status: 'True' | 'False', reason: string, what: string, refresh = false) => {
      const message = inOnePiece(kind, ' "', name, '" ', what, '.');
      conditions = withCondition(conditions, 'Progressing', status, reason, message, nowMs, refresh);
    };
    if (isComplete(deployment, counts)) say('True', 'NewReplicaSetAvailable', 'has successfully progressed');
    else if (hasProgressed(deployment.status ?? {}, counts)) say('True', 'ReplicaSetUpdated', 'is progressing', true);
    else if (isOverdue(deployment, current, nowMs))
      say('False', 'ProgressDeadlineExceeded', 'has timed out progressing');
  }
  const failed = (newSet ? [newSet, ...all] : all)
    .map((set) => set.conditions.find(({ type }) => type === 'ReplicaFailure'))
    .find(Boolean);
  conditions = failed
    ? withCondition(
        conditions,
        'ReplicaFailure',
        failed.status as 'True',
        failed.reason ?? '',
        failed.message ?? '',
        nowMs,
      )
    : conditions.filter(({ type }) => type !== 'ReplicaFailure');
  return { ...counts, conditions };
}

function isOverdue(deployment: Live<Deployment>, current: Condition | undefined, nowMs: number): boolean {
  if (!current || current.reason === 'NewReplicaSetAvailable') return false;
  return current.reason === 'ProgressDeadlineExceeded' || untilOverdueMs(deployment, current, nowMs) < 0;
}

function untilOverdueMs(deployment: Live<Deployment>, current: Condition, nowMs: number): number {
  return (epochMs(current.lastUpdateTime) ?? 0) + (deployment.spec?.progressDeadlineSeconds ?? 0) * 1000 - nowMs;
}

/** When to look whether the rollout is stuck; undefined where it cannot be. */
export function stuckAfterMs(deployment: Live<Deployment>, status: Status, nowMs: number): number | undefined {
  const current = conditionOf(status.conditions ?? [], 'Progressing');
  if (!current || !hasDeadline(deployment) || deployment.spec?.paused) return undefined;
  if (isComplete(deployment, status) || current.reason === 'ProgressDeadlineExceeded') return undefined;
  if (current.reason === 'NewReplicaSetAvailable') return undefined;
  // Times in objects are whole seconds: one more, so that the deadline has surely passed by then.
  return Math.max(0, untilOverdueMs(deployment, current, nowMs)) + 1000;
}
