import type { HistoryEntry, RecordedHistory } from '../history.ts';
import { type ClusterDiff, diffOf } from './diff.ts';
import { loadHistory } from './history-file.ts';
import { momentOf, storeAt, type When } from './past.ts';
import { openPast, type PastCluster } from './past-cluster.ts';

/** A history that was saved: what happened, and the cluster at each of its moments. */
export interface ReplayedHistory {
  readonly seed: string;
  /** What made the run unrepeatable; the history can be looked at all the same. */
  readonly unrepeatable: readonly string[];
  readonly entries: readonly HistoryEntry[];
  /** Its revisions; the first is what was there before anything happened. */
  readonly firstRevision: number;
  readonly lastRevision: number;
  /** The cluster as it was; default: at the end. Throws `ClusterUsageError` for a moment that is not in it. */
  at(when?: When): Promise<PastCluster>;
  /** What changed between two moments; `to` by default the end. */
  diff(from: When, to?: When): ClusterDiff;
}

/**
 * Reads what `history.save(file)` wrote.
 *
 *     const history = await replayHistory('failed.history');
 *     await using cluster = await history.at('2026-01-01T00:05:00Z');
 *     console.log(await cluster.table('pods'));
 *
 * Throws `HistoryFileError` with file and line for what is no history, or one of another version.
 */
export async function replayHistory(path: string): Promise<ReplayedHistory> {
  return replayOf(await loadHistory(path));
}

export function replayOf({ seed, unrepeatable, entries, past }: RecordedHistory): ReplayedHistory {
  const lastRevision = past.writes.at(-1)?.event.revision ?? past.baseRevision;
  return {
    seed,
    unrepeatable,
    entries,
    firstRevision: past.baseRevision,
    lastRevision,
    async at(when = lastRevision) {
      const moment = momentOf(past, when);
      return openPast(storeAt(past, moment.revision), moment);
    },
    diff: (from, to = lastRevision) => diffOf(past, from, to),
  };
}
