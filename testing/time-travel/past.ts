import type { StoreSnapshot } from '../../control-plane/store/drivers/memory/memory-store.ts';
import { SortedMap } from '../../control-plane/store/drivers/memory/sorted-map.ts';
import type { StoredEntry } from '../../control-plane/store/embedded/engine.ts';
import type { Entry, Revision, StoreEvent } from '../../control-plane/store/store.ts';
import { durationMs } from '../duration.ts';
import { ClusterUsageError } from '../errors.ts';

/**
 * Which moment of a cluster is meant. A number, or a text of digits (a `resourceVersion`): the revision. A `Date`, or a
 * text like `2026-01-01T00:05:00Z`: that time. A duration like `5m`: so long before the last that is known.
 */
export type When = Revision | Date | string;

export interface PastWrite {
  /** Wall time of the cluster. */
  readonly timeMs: number;
  readonly event: StoreEvent;
}

/** What was stored at one moment, and everything that was written since. */
export interface Past {
  readonly clusterId: string;
  readonly base: SortedMap<Entry>;
  readonly baseRevision: Revision;
  readonly baseMs: number;
  /** In order. */
  readonly writes: readonly PastWrite[];
  /** Up to when this is known; at least the last write's. */
  readonly untilMs: number;
}

export interface Moment {
  readonly revision: Revision;
  readonly timeMs: number;
}

/** Throws `ClusterUsageError` for what is no moment, or none of this past. */
export function momentOf(past: Past, when: When): Moment {
  const { baseRevision, baseMs, writes, untilMs } = past;
  if (typeof when === 'string' && /^\d+$/.test(when)) return momentOf(past, Number(when));
  if (typeof when === 'number') {
    const last = writes.at(-1)?.event.revision ?? baseRevision;
    if (!Number.isInteger(when) || when < baseRevision || when > last)
      throw new ClusterUsageError(`history knows the revisions ${baseRevision} to ${last}, not ${when}`);
    // Until the next write the cluster was as this revision left it.
    const found = writes[countUntil(writes, ({ event }) => event.revision <= when) - 1];
    return { revision: when, timeMs: found?.timeMs ?? baseMs };
  }
  const timeMs =
    typeof when === 'string' && !/^\d{4}-/.test(when) ? untilMs - durationMs(when) : new Date(when).getTime();
  if (Number.isNaN(timeMs)) throw new ClusterUsageError(`"${when}" is no time; write it as 2026-01-31T12:00:00Z`);
  if (timeMs < baseMs || timeMs > untilMs) {
    const [from, to, asked] = [baseMs, untilMs, timeMs].map((ms) => new Date(ms).toISOString());
    throw new ClusterUsageError(`history knows the time from ${from} to ${to}, not ${asked}`);
  }
  const written = writes[countUntil(writes, (write) => write.timeMs <= timeMs) - 1];
  return { revision: written?.event.revision ?? baseRevision, timeMs };
}

/** What was stored at a revision. */
export function entriesAt(past: Past, revision: Revision): SortedMap<Entry> {
  const entries = past.base.fork();
  for (const { event } of past.writes) {
    if (event.revision > revision) break;
    if (event.entry) entries.set(event.key, event.entry);
    else entries.delete(event.key);
  }
  return entries;
}

/** The same, as a memory store begins from it. */
export function storeAt(past: Past, revision: Revision): StoreSnapshot {
  const entries: Entry[] = [];
  entriesAt(past, revision).walk('', (entry) => entries.push(entry) > 0);
  return storeOf(past.clusterId, revision, entries);
}

/** What a memory store begins from that is to hold these entries: without history, and nothing of it expires any more. */
export function storeOf(clusterId: string, revision: Revision, stored: readonly Entry[]): StoreSnapshot {
  const entries = SortedMap.empty<StoredEntry>();
  let entryBytes = 0;
  for (const entry of stored) {
    entries.set(entry.key, { ...entry, expiresAtMs: 0 });
    entryBytes += entry.key.length + entry.value.length;
  }
  return {
    clusterId,
    revision,
    entries,
    expiries: SortedMap.empty(),
    entryBytes,
    history: { events: [], bytes: 0, compactedRevision: revision },
  };
}

/** How many of the first hold; all that hold come first. */
function countUntil<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(items[middle] as T)) low = middle + 1;
    else high = middle;
  }
  return low;
}
