import type { Change, Engine, StoredEntry } from '../../embedded/engine.ts';
import { compareKeys, keyBytes, prefixEnd } from '../../keys.ts';
import { CompactedError, type ListOptions, type ListResult, type Revision, type StoreEvent } from '../../store.ts';
import { History, type HistoryLimits, type HistoryState } from './history.ts';
import { SortedMap } from './sorted-map.ts';

/** The whole state of a memory store at one moment; immutable, and shares what it can with the store it is of. */
export interface StoreSnapshot {
  readonly clusterId: string;
  readonly revision: Revision;
  readonly entries: SortedMap<StoredEntry>;
  readonly expiries: SortedMap<StoredEntry>;
  readonly entryBytes: number;
  readonly history: HistoryState;
}

export class MemoryEngine implements Engine {
  readonly driver = 'memory';
  readonly clusterId: string;
  readonly #entries: SortedMap<StoredEntry>;
  /** By time of expiry, then revision. */
  readonly #expiries: SortedMap<StoredEntry>;
  readonly #history: History;
  #entryBytes: number;
  #revision: Revision;

  constructor(from: StoreSnapshot, limits: HistoryLimits) {
    this.clusterId = from.clusterId;
    this.#entries = from.entries.fork();
    this.#expiries = from.expiries.fork();
    this.#entryBytes = from.entryBytes;
    this.#revision = from.revision;
    this.#history = new History(limits, from.history);
  }

  get revision(): Revision {
    return this.#revision;
  }

  get compactedRevision(): Revision {
    return this.#history.compactedRevision;
  }

  get(key: string): StoredEntry | undefined {
    return this.#entries.get(key);
  }

  async list(prefix: string, options: ListOptions): Promise<ListResult> {
    const revision = options.revision ?? this.#revision;
    if (revision < this.compactedRevision) throw new CompactedError(revision, this.compactedRevision);
    return listFrom(revision === this.#revision ? this.#entries : this.#entriesAt(revision), prefix, options, revision);
  }

  history(prefix: string, after: Revision): { events: readonly StoreEvent[]; upTo: Revision } {
    if (after < this.compactedRevision) throw new CompactedError(after, this.compactedRevision);
    const events: StoreEvent[] = [];
    for (const event of this.#history.after(after)) if (event.key.startsWith(prefix)) events.push(event);
    return { events, upTo: this.#revision };
  }

  /** Memory is as durable as this store gets. */
  async persist(): Promise<void> {}

  show(changes: readonly Change[]): void {
    for (const { key, entry, previous, revision } of changes) {
      if (previous) this.#drop(previous);
      if (entry) {
        this.#entries.set(key, entry);
        if (entry.expiresAtMs > 0) this.#expiries.set(expiryKey(entry), entry);
        this.#entryBytes += entryBytes(entry);
      } else this.#entries.delete(key);
      this.#revision = revision;
    }
    this.#history.push(changes);
  }

  async compact(revision: Revision): Promise<void> {
    this.#history.compact(revision);
  }

  nextExpiryMs(): number | undefined {
    let nextMs: number | undefined;
    this.#expiries.walk('', ({ expiresAtMs }) => {
      nextMs = expiresAtMs;
      return false;
    });
    return nextMs;
  }

  expired(nowMs: number, limit: number): StoredEntry[] {
    const out: StoredEntry[] = [];
    this.#expiries.walk('', (entry) => {
      if (entry.expiresAtMs > nowMs || out.length >= limit) return false;
      out.push(entry);
      return true;
    });
    return out;
  }

  async size(): Promise<{ totalBytes: number; usedBytes: number; keys: number }> {
    const totalBytes = this.#entryBytes + this.#history.bytes;
    return { totalBytes, usedBytes: this.#entryBytes, keys: this.#entries.size };
  }

  async close(): Promise<void> {}

  snapshot(): StoreSnapshot {
    return {
      clusterId: this.clusterId,
      revision: this.#revision,
      entries: this.#entries.fork(),
      expiries: this.#expiries.fork(),
      entryBytes: this.#entryBytes,
      history: this.#history.state(),
    };
  }

  #drop(previous: StoredEntry): void {
    this.#entryBytes -= entryBytes(previous);
    if (previous.expiresAtMs > 0) this.#expiries.delete(expiryKey(previous));
  }

  /** The entries as they were at a revision within history: what was there before each key's first later event. */
  #entriesAt(revision: Revision): SortedMap<StoredEntry> {
    const entries = this.#entries.fork();
    const seen = new Set<string>();
    for (const { key, previous } of this.#history.after(revision)) {
      if (seen.has(key)) continue;
      seen.add(key);
      if (previous) entries.set(key, previous);
      else entries.delete(key);
    }
    return entries;
  }
}

export function emptySnapshot(clusterId: string): StoreSnapshot {
  return {
    clusterId,
    revision: 1,
    entries: SortedMap.empty(),
    expiries: SortedMap.empty(),
    entryBytes: 0,
    history: { events: [], bytes: 0, compactedRevision: 1 },
  };
}

function listFrom(map: SortedMap<StoredEntry>, prefix: string, options: ListOptions, revision: Revision): ListResult {
  const { after, limit = 0 } = options;
  const end = prefixEnd(prefix);
  const last = end === undefined ? map.size : map.rank(end);
  const from = after !== undefined && compareKeys(after, prefix) >= 0 ? after : prefix;
  const entries: StoredEntry[] = [];
  let skipped = 0;
  map.walk(from, (entry, key) => {
    if (key === after) {
      skipped = 1;
      return true;
    }
    if (!key.startsWith(prefix) || (limit > 0 && entries.length >= limit)) return false;
    entries.push(entry);
    return true;
  });
  const remaining = Math.max(0, last - map.rank(from) - skipped - entries.length);
  return { entries, revision, more: remaining > 0, remaining };
}

/** Sorts as time, then revision. */
const expiryKey = (entry: StoredEntry) => `${digits(entry.expiresAtMs)}/${digits(entry.revision)}`;
const digits = (n: number) => String(n).padStart(16, '0');
const entryBytes = (entry: StoredEntry) => keyBytes(entry.key) + entry.value.length;
