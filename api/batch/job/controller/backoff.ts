// How long a Job waits before it tries again.

import type { Live } from '../../../../libs/kind/object.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';

const FIRST_BACKOFF_MS = 10_000;
const BACKOFF_MAX_MS = 600_000;

/** After so many failures in a row; 0 after none. */
export function delayMs(failures: number): number {
  return failures <= 0 ? 0 : Math.min(FIRST_BACKOFF_MS * 2 ** (failures - 1), BACKOFF_MAX_MS);
}

/** When the last container of a pod ended; for one that never said, when it was to go or came. Since 1970. */
export function endedMs({ status, metadata }: Live<Pod>): number {
  const times = (status?.containerStatuses ?? []).map(({ state }) => epochMs(state?.terminated?.finishedAt) ?? 0);
  return Math.max(0, ...times) || (epochMs(metadata.deletionTimestamp) ?? epochMs(metadata.creationTimestamp) ?? 0);
}

/** How long to wait for the next attempt: longer with each failure since the last success. */
export function backoffMs(pods: readonly Live<Pod>[], failed: readonly Live<Pod>[], nowMs: number): number {
  const succeeded = pods.filter(({ status }) => status?.phase === 'Succeeded');
  const lastSuccessMs = Math.max(0, ...succeeded.map(endedMs));
  const failuresMs = failed.map(endedMs).filter((timeMs) => timeMs > lastSuccessMs);
  if (failuresMs.length === 0) return 0;
  return Math.max(0, Math.max(...failuresMs) + delayMs(failuresMs.length) - nowMs);
}
