// Jobs that limit failures for each index: each failed pod stays until its successor has taken over its count.

import type { Live } from '../../../../libs/kind/object.ts';
import { valueIn } from '../../../../libs/machinery/meta.ts';
import type { Job } from '../../../types/batch/v1.generated.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { delayMs, endedMs } from './backoff.ts';
import { verdictOf } from './failure-policy.ts';
import { indexOf } from './indexes.ts';

const FAILURES = 'batch.kubernetes.io/job-index-failure-count';
const IGNORED = 'batch.kubernetes.io/job-index-ignored-failure-count';

/** What went wrong with an index before this pod. */
interface Failures {
  readonly counted: number;
  readonly ignored: number;
}

const countIn = (pod: Live<Pod>, name: string): number =>
  Number(valueIn(pod.metadata.annotations as Record<string, string> | undefined, name) ?? 0) || 0;

/** The annotations of a pod that replaces `failed`, or is the first of its index. */
export function failureAnnotations(job: Live<Job>, failed: Live<Pod> | undefined): Record<string, string> {
  const { counted, ignored } = failed ? including(job, failed) : { counted: 0, ignored: 0 };
  return { [FAILURES]: String(counted), ...(ignored > 0 ? { [IGNORED]: String(ignored) } : {}) };
}

function including(job: Live<Job>, failed: Live<Pod>): Failures {
  const isIgnored = verdictOf(job, failed).action === 'Ignore';
  return {
    counted: countIn(failed, FAILURES) + (isIgnored ? 0 : 1),
    ignored: countIn(failed, IGNORED) + (isIgnored ? 1 : 0),
  };
}

/** Whether with this failed pod its index has failed for good. */
export function endsIndex(job: Live<Job>, failed: Live<Pod>): boolean {
  const { action } = verdictOf(job, failed);
  if (action === 'FailIndex') return true;
  return action !== 'Ignore' && countIn(failed, FAILURES) >= (job.spec?.backoffLimitPerIndex ?? 0);
}

/** By index, the failed pods that wait for their successors. `open`: indexes that neither run nor have come to their end. */
export function awaitingSuccessor(
  failed: readonly Live<Pod>[],
  open: (index: number) => boolean,
): ReadonlyMap<number, Live<Pod>> {
  const waiting = new Map<number, Live<Pod>>();
  for (const pod of failed) {
    const index = indexOf(pod);
    if (index < 0 || !open(index)) continue;
    const other = waiting.get(index);
    if (!other || total(pod) > total(other) || (total(pod) === total(other) && endedMs(pod) > endedMs(other))) {
      waiting.set(index, pod);
    }
  }
  return waiting;
}

const total = (pod: Live<Pod>): number => countIn(pod, FAILURES) + countIn(pod, IGNORED);

/** How long the successor of a failed pod has to wait. */
export const successorWaitMs = (failed: Live<Pod>, nowMs: number): number =>
  Math.max(0, endedMs(failed) + delayMs(total(failed) + 1) - nowMs);
