import type { Live } from '../../../../libs/kind/object.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import type { Pod, PodCondition } from '../../../types/core/v1.generated.ts';

type Condition = Readonly<PodCondition>;

export function podCondition(pod: Live<Pod>, type: string): Condition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type) as Condition | undefined;
}

export const isReady = (pod: Live<Pod>): boolean => podCondition(pod, 'Ready')?.status === 'True';

/** All of its containers have ended for good. */
export const isFinished = (pod: Live<Pod>): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** It runs or will run: neither finished nor being deleted. */
export const isActive = (pod: Live<Pod>): boolean => !isFinished(pod) && !pod.metadata.deletionTimestamp;

/** Being deleted, with containers that may still run. */
export const isTerminating = (pod: Live<Pod>): boolean => !isFinished(pod) && Boolean(pod.metadata.deletionTimestamp);

/** Whether it counts otherwise than before: it has finished, is being deleted, has become ready or no longer is. */
export function countsOtherwise(pod: Live<Pod>, previous: Live<Pod>): boolean {
  if (pod.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp) return true;
  if (isFinished(pod) !== isFinished(previous)) return true;
  return readySince(pod) !== readySince(previous);
}

/** When the pod became ready, as it says; undefined while it is not. */
function readySince(pod: Live<Pod>): string | undefined {
  const condition = podCondition(pod, 'Ready');
  return condition?.status === 'True' ? (condition.lastTransitionTime ?? '') : undefined;
}

/** When the pod became ready, in milliseconds since 1970; undefined while it is not. */
export function readySinceMs(pod: Live<Pod>): number | undefined {
  const condition = podCondition(pod, 'Ready');
  return condition?.status === 'True' ? (epochMs(condition.lastTransitionTime) ?? 0) : undefined;
}

/** Ready for at least `minReadySeconds`. */
export function isAvailable(pod: Live<Pod>, minReadySeconds: number, nowMs: number): boolean {
  const sinceMs = readySinceMs(pod);
  return sinceMs !== undefined && (minReadySeconds === 0 || sinceMs + minReadySeconds * 1000 <= nowMs);
}

/** How long until the first of the ready pods becomes available; undefined where none is on its way. */
export function untilAvailableMs(
  pods: readonly Live<Pod>[],
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  let firstMs: number | undefined;
  for (const pod of pods) {
    const sinceMs = readySinceMs(pod);
    if (sinceMs === undefined) continue;
    const leftMs = sinceMs + minReadySeconds * 1000 - nowMs;
    if (leftMs > 0 && (firstMs === undefined || leftMs < firstMs)) firstMs = leftMs;
  }
  return firstMs;
}

/** The sum of the containers' restarts; what the kubelet counts. */
export const restarts = (pod: Live<Pod>): number =>
  Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount));
