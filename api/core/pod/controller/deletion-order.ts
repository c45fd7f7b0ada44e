import type { Live } from '../../../../libs/kind/object.ts';
import { valueIn } from '../../../../libs/machinery/meta.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { isReady, readySinceMs, restarts } from './pod-state.ts';

const PHASES: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * Active pods, those first that are missed least when there are too many: without a node before placed ones, pending
 * before running, not ready before ready, cheap ones (`controller.kubernetes.io/pod-deletion-cost`) before dear ones,
 * those on nodes with many of their like (`related`), and then the younger, by orders of magnitude of age.
 */
export function inOrderOfDeletion(
  pods: readonly Live<Pod>[],
  related: readonly Live<Pod>[],
  nowMs: number,
): readonly Live<Pod>[] {
  const onNode = new Map<string, number>();
  for (const { spec } of related) {
    if (spec?.nodeName) onNode.set(spec.nodeName, (onNode.get(spec.nodeName) ?? 0) + 1);
  }
  const rank = (pod: Live<Pod>): readonly number[] => [
    pod.spec?.nodeName ? 1 : 0,
    PHASES[pod.status?.phase ?? ''] ?? 0,
    isReady(pod) ? 1 : 0,
    Number(valueIn(pod.metadata.annotations, 'controller.kubernetes.io/pod-deletion-cost') ?? 0) || 0,
    -(onNode.get(pod.spec?.nodeName ?? '') ?? 0),
    magnitude(readySinceMs(pod), nowMs),
    -restarts(pod),
    magnitude(epochMs(pod.metadata.creationTimestamp), nowMs),
  ];
  return pods
    .map((pod) => ({ pod, rank: rank(pod) }))
    .sort((a, b) => compare(a.rank, b.rank) || (a.pod.metadata.uid < b.pod.metadata.uid ? -1 : 1))
    .map(({ pod }) => pod);
}

/** Small for what is young. Ages of one power of two count the same, so that one's age alone does not seal one's fate. */
function magnitude(sinceMs: number | undefined, nowMs: number): number {
  if (sinceMs === undefined) return 0;
  const ageMs = nowMs - sinceMs;
  return ageMs <= 0 ? -1 : Math.floor(Math.log2(ageMs * 1e6));
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [i, value] of a.entries()) if (value !== b[i]) return value - (b[i] as number);
  return 0;
}
