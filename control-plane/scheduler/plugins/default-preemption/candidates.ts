import type { PodInfo } from '../../cache/pod-info.ts';

export interface Candidate {
  readonly node: number;
  /** The most important first. */
  readonly victims: readonly PodInfo[];
  /** How many of them would break a disruption budget. */
  readonly violations: number;
}

/** When the pod started; a pod that has not started yet counts as starting now. */
export function startMs({ pod }: PodInfo, nowMs: number): number {
  return pod.status?.startTime ? Date.parse(String(pod.status.startTime)) : nowMs;
}

/** Moves priorities above 0, so that more victims never make a smaller sum. */
const PRIORITY_OFFSET = 2 ** 31;

/**
 * The node where preemption does least harm: fewest broken budgets, then the lowest of the highest priorities, the
 * smallest sum of priorities, the fewest victims, the latest start of the most important victims; then the first.
 */
export function pickCandidate(candidates: readonly Candidate[], nowMs: number): Candidate | undefined {
  const rules: readonly ((candidate: Candidate) => number)[] = [
    ({ violations }) => violations,
    ({ victims }) => victims[0]?.priority ?? Number.NEGATIVE_INFINITY,
    ({ victims }) => victims.reduce((sum, { priority }) => sum + priority + PRIORITY_OFFSET, 0),
    ({ victims }) => victims.length,
    ({ victims }) => {
      const top = victims.filter(({ priority }) => priority === victims[0]?.priority);
      return -Math.min(...top.map((victim) => startMs(victim, nowMs)));
    },
  ];
  let best = candidates;
  for (const rule of rules) {
    if (best.length <= 1) break;
    const values = best.map(rule);
    const least = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    best = best.filter((_, index) => values[index] === least);
  }
  return best[0];
}
