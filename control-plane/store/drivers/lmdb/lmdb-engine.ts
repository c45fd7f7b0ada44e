import { assert } from '../../../../libs/base/assert.ts';
import type { Clock } from '../../../../libs/base/clock.ts';
import type { Change, Engine, StoredEntry } from '../../embedded/engine.ts';
import type { HistoryBounds } from '../../kept-history.ts';
import { compareKeys, keyBytes, prefixEnd } from '../../keys.ts';
import {
  CompactedError,
  type ListOptions,
  type ListResult,
  type Revision,
  StoreError,
  type StoreEvent,
} from '../../store.ts';
import { CommitTimes } from './commit-times.ts';
import type { Database, Snapshot } from './database.ts';
import {
  type CopyBytes,
  copierIntoSlabs,
  type HistoryMeta,
  KEY_BYTES_MAX,
  type LogRecord,
  NUMBER_BYTES,
  readNumber,
  readRecord,
  recordBytes,
  writeNumber,
  writeRecord,
} from './format.ts';

export interface LmdbHistoryLimits {
  /** Default 50,000. */
  readonly historyEventsMax?: number;
  /** Of values that only history still holds. Default 256 MiB. */
  readonly historyBytesMax?: number;
  /** Remember when commits were made, so that history can be asked by time. Default: no. */
  readonly keepTimes?: boolean;
}

/** Rows or bytes after which a long read lets others run. */
const SLICE_ROWS = 400;
const SLICE_BYTES = 1024 * 1024;
/** How many events one commit forgets when compaction was asked for. */
const COMPACT_STEP = 1000;
const FULL_RETRY_MS = 250;

/**
 * The state on disk. What is shown is one LMDB snapshot, which moves on in `show` alone; LMDB itself may be a commit
 * ahead. History is trimmed by the commits that make it grow, so an idle store does nothing.
 */
export class LmdbEngine implements Engine {
  readonly driver = 'lmdb';
  readonly clusterId: string;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #eventsMax: number;
  readonly #bytesMax: number;
  readonly #keepTimes: boolean;
  readonly #times: CommitTimes;
  #snapshot: Snapshot;
  #revision: Revision;
  #cumulativeBytes: number;
  #history: HistoryMeta;
  /** What `persist` made durable and `show` will show. */
  #next: { readonly cumulativeBytes: number; readonly history: HistoryMeta } | undefined;
  /** Commits take turns: those of writes, and those of a compaction. */
  #turn: Promise<unknown> = Promise.resolve();
  #closing = false;
  /** When a commit last found the disk full, by the monotonic clock. */
  #fullAtMs: number | undefined;

  constructor(database: Database, clusterId: string, clock: Clock, limits: LmdbHistoryLimits) {
    this.clusterId = clusterId;
    this.#database = database;
    this.#clock = clock;
    this.#eventsMax = limits.historyEventsMax ?? 50_000;
    this.#bytesMax = limits.historyBytesMax ?? 256 * 1024 * 1024;
    this.#keepTimes = limits.keepTimes ?? false;
    this.#snapshot = database.snapshot();
    this.#times = new CommitTimes(database.times, this.#snapshot);
    const history = database.meta.get(this.#snapshot, 'history');
    this.#history = history ? JSON.parse(history.toString()) : { compactedRevision: 1, compactedBytes: 0 };
    const [last] = database.log.rows(this.#snapshot, { reverse: true, limit: 1 });
    const record = last && readRecord(last.key, last.value, last.value.length);
    this.#revision = Math.max(this.#history.compactedRevision, record?.revision ?? 1);
    this.#cumulativeBytes = Math.max(this.#history.compactedBytes, record?.cumulativeBytes ?? 0);
  }

  get revision(): Revision {
    return this.#revision;
  }

  get compactedRevision(): Revision {
    return this.#history.compactedRevision;
  }

  get(key: string): StoredEntry | undefined {
    if (Buffer.byteLength(key) > KEY_BYTES_MAX) return undefined;
    const at = this.#database.entries.read(this.#snapshot, key, numberOf);
    return at === undefined ? undefined : this.#entryAt(this.#snapshot, at);
  }

  async list(prefix: string, options: ListOptions): Promise<ListResult> {
    const revision = options.revision ?? this.#revision;
    this.#mustHaveHistory(revision);
    mustFit(prefix);
    mustFit(options.after ?? '');
    return this.#reading(async (snapshot, current) =>
      revision === current
        ? this.#listNow(snapshot, prefix, options, revision)
        : this.#listThen(snapshot, prefix, options, revision, current),
    );
  }

  history(prefix: string, after: Revision): { events: readonly StoreEvent[]; upTo: Revision } {
    this.#mustHaveHistory(after);
    const events: StoreEvent[] = [];
    let bytes = 0;
    let at = after;
    const end = Math.min(this.#revision, after + SLICE_ROWS);
    while (at < end && bytes < SLICE_BYTES) {
      const record = this.#recordAt(this.#snapshot, ++at);
      // A revision without a record was never told to anybody.
      if (!record?.key.startsWith(prefix)) continue;
      const entry = record.value && toEntry(record, record.value);
      const previous = this.#entryAt(this.#snapshot, record.previousRevision);
      bytes += (entry?.value.length ?? 0) + (previous?.value.length ?? 0);
      events.push({ type: entry ? 'put' : 'delete', key: record.key, revision: at, entry, previous });
    }
    return { events, upTo: at };
  }

  persist(changes: readonly Change[]): Promise<void> {
    return this.#inTurn(async () => {
      using _hold = this.#clock.hold('lmdb commit');
      const trim = this.#planTrim(changes.length * 2 + 16);
      const records = this.#recordsOf(changes);
      const history = trim?.history ?? this.#history;
      await this.#commit(() => {
        const appends = this.#writeChanges(changes, records);
        const last = records.at(-1);
        if (this.#keepTimes && last) this.#times.note(this.#revision, last.revision, this.#clock.now());
        if (trim) this.#writeTrim(trim);
        return appends;
      }, records.at(-1)?.revision);
      this.#next = { cumulativeBytes: records.at(-1)?.cumulativeBytes ?? this.#cumulativeBytes, history };
    });
  }

  show(changes: readonly Change[]): void {
    const next = this.#next;
    assert(next !== undefined, 'show without persist');
    this.#next = undefined;
    this.#renew();
    this.#revision = changes.at(-1)?.revision ?? this.#revision;
    this.#cumulativeBytes = next.cumulativeBytes;
    this.#history = next.history;
  }

  async compact(revision: Revision): Promise<void> {
    while (this.#history.compactedRevision < revision) {
      await this.#inTurn(async () => {
        if (this.#closing) throw new StoreError('closed', 'the store is closed');
        const trim = this.#planTrim(COMPACT_STEP, revision);
        if (!trim) return;
        using _hold = this.#clock.hold('lmdb compaction');
        await this.#commit(() => void this.#writeTrim(trim));
        this.#renew();
        this.#history = trim.history;
      });
      await this.#clock.yield();
    }
  }

  nextExpiryMs(): number | undefined {
    const [first] = this.#database.expiries.rows(this.#snapshot, { limit: 1 });
    return first?.key.expiresAtMs;
  }

  expired(nowMs: number, limit: number): { key: string; revision: Revision }[] {
    const end = { expiresAtMs: Math.floor(nowMs) + 1, revision: 0 };
    const rows = [...this.#database.expiries.rows(this.#snapshot, { end, limit })];
    return rows.map(({ key, value }) => ({ key: value.toString(), revision: key.revision }));
  }

  async size(): Promise<{ totalBytes: number; usedBytes: number; keys: number }> {
    const { entries, log, expiries, meta } = this.#database;
    const stats = [entries.stats(), log.stats(), expiries.stats(), meta.stats()];
    const usedBytes = stats.reduce((sum, table) => sum + table.bytes, 0);
    return { totalBytes: await this.#database.fileBytes(), usedBytes, keys: stats[0]?.entries ?? 0 };
  }

  bounds(): HistoryBounds {
    const firstRevision = this.#history.compactedRevision;
    return {
      firstRevision,
      lastRevision: this.#revision,
      firstMs: this.#times.first(this.#snapshot, firstRevision)?.timeMs,
      lastMs: this.#times.last(this.#snapshot)?.timeMs,
      usedBytes: this.#cumulativeBytes - this.#history.compactedBytes,
      limitBytes: this.#bytesMax,
    };
  }

  timeOf(revision: Revision): number | undefined {
    return this.#times.of(this.#snapshot, revision)?.timeMs;
  }

  revisionAt(timeMs: number): Revision | undefined {
    return this.#times.revisionAt(this.#snapshot, timeMs, this.#history.compactedRevision, this.#revision);
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#turn;
    await this.#database.close();
  }

  #recordsOf(changes: readonly Change[]): LogRecord[] {
    let cumulativeBytes = this.#cumulativeBytes;
    return changes.map(({ key, revision, entry, previous }) => {
      if (previous) cumulativeBytes += keyBytes(key) + previous.value.length + 64;
      return {
        key,
        value: entry?.value,
        revision,
        createRevision: entry?.createRevision ?? 0,
        previousRevision: previous?.revision ?? 0,
        expiresAtMs: entry?.expiresAtMs ?? 0,
        cumulativeBytes,
      };
    });
  }

  #writeChanges(changes: readonly Change[], records: readonly LogRecord[]): Promise<unknown>[] {
    const { entries, log, expiries } = this.#database;
    // One buffer for all of it, which LMDB reads from another thread.
    let bytes = 0;
    for (const record of records) bytes += recordBytes(record) + NUMBER_BYTES;
    const buffer = Buffer.allocUnsafeSlow(bytes);
    let at = 0;
    const appends: Promise<unknown>[] = [];
    records.forEach((record, i) => {
      const { entry, previous } = changes[i] as Change;
      const end = writeRecord(record, buffer, at);
      appends.push(log.append(record.revision, buffer.subarray(at, end)));
      writeNumber(buffer, end, record.revision);
      if (entry) entries.put(record.key, buffer.subarray(end, end + NUMBER_BYTES));
      else entries.remove(record.key);
      at = end + NUMBER_BYTES;
      if (previous && previous.expiresAtMs > 0) expiries.remove(previous);
      if (entry && entry.expiresAtMs > 0) expiries.put(entry, Buffer.from(record.key));
    });
    return appends;
  }

  /**
   * Which records go when history gives up its oldest events: at most `eventsMost` of them, up to `to`, or as many as
   * its bounds ask for. An event takes with it what it replaced, and a deletion takes itself.
   */
  #planTrim(eventsMost: number, to?: Revision): Trim | undefined {
    let { compactedRevision, compactedBytes } = this.#history;
    const removed: Revision[] = [];
    const isOver = () =>
      to !== undefined
        ? compactedRevision < to
        : this.#revision - compactedRevision > this.#eventsMax ||
          this.#cumulativeBytes - compactedBytes > this.#bytesMax;
    for (let events = 0; events < eventsMost && compactedRevision < this.#revision && isOver(); events++) {
      const record = this.#recordAt(this.#snapshot, ++compactedRevision);
      if (!record) continue;
      compactedBytes = record.cumulativeBytes;
      if (record.previousRevision > 0) removed.push(record.previousRevision);
      if (record.value === undefined) removed.push(record.revision);
    }
    if (compactedRevision === this.#history.compactedRevision) return undefined;
    const times = this.#times.before(this.#snapshot, compactedRevision, eventsMost);
    return { removed, times, history: { compactedRevision, compactedBytes } };
  }

  #writeTrim({ removed, times, history }: Trim): void {
    this.#times.forget(times);
    for (const revision of removed) this.#database.log.remove(revision);
    this.#database.meta.put('history', Buffer.from(JSON.stringify(history)));
  }

  async #listNow(snapshot: Snapshot, prefix: string, options: ListOptions, revision: Revision): Promise<ListResult> {
    const { entries: table } = this.#database;
    const limit = options.limit || Number.POSITIVE_INFINITY;
    const end = prefixEnd(prefix);
    const entries: StoredEntry[] = [];
    const copy = copierIntoSlabs();
    let start = startOf(prefix, options.after);
    for (let more = true; more && entries.length < limit; ) {
      let bytes = 0;
      const rowsMost = Math.min(SLICE_ROWS, limit - entries.length);
      let rows = 0;
      for (const { key, value } of table.rows(snapshot, { start, end, limit: rowsMost })) {
        const record = this.#recordAt(snapshot, readNumber(value, 0), copy, key);
        if (!record?.value) throw new StoreError('corrupt', `the log has lost the value of ${key}`);
        const entry = toEntry(record, record.value);
        entries.push(entry);
        start = keyAfter(key);
        rows++;
        bytes += entry.value.length;
        if (bytes > SLICE_BYTES) break;
      }
      more = rows === rowsMost || bytes > SLICE_BYTES;
      if (more && entries.length < limit) await this.#clock.yield();
    }
    const remaining = entries.length < limit ? 0 : table.count(snapshot, { start, end });
    return { entries, revision, more: remaining > 0, remaining };
  }

  /** As it was at an earlier revision: of each key, what stood there before the first event after it. */
  async #listThen(
    snapshot: Snapshot,
    prefix: string,
    options: ListOptions,
    revision: Revision,
    current: Revision,
  ): Promise<ListResult> {
    const start = startOf(prefix, options.after);
    const then = new Map<string, Revision>();
    for (let at = revision + 1; at <= current; at++) {
      if (at % SLICE_ROWS === 0) await this.#clock.yield();
      const record = this.#recordAt(snapshot, at);
      if (record?.key.startsWith(prefix) && !then.has(record.key)) then.set(record.key, record.previousRevision);
    }
    const end = prefixEnd(prefix);
    for (let from: string | undefined = start; from !== undefined; ) {
      const rows: Row[] = [...this.#database.entries.rows(snapshot, { start: from, end, limit: SLICE_ROWS * 4 })];
      for (const { key, value } of rows) if (!then.has(key)) then.set(key, readNumber(value, 0));
      const last = rows.at(-1)?.key;
      from = rows.length === SLICE_ROWS * 4 && last !== undefined ? keyAfter(last) : undefined;
      if (from !== undefined) await this.#clock.yield();
    }
    const keys = [...then.keys()]
      .filter((key) => then.get(key) !== 0 && compareKeys(key, start) >= 0)
      .sort(compareKeys);
    const limit = options.limit || keys.length;
    const entries: StoredEntry[] = [];
    for (const key of keys.slice(0, limit)) {
      if (entries.length % SLICE_ROWS === SLICE_ROWS - 1) await this.#clock.yield();
      const entry = this.#entryAt(snapshot, then.get(key) as Revision);
      if (!entry) throw new StoreError('corrupt', `the log has lost an earlier value of ${key}`);
      entries.push(entry);
    }
    const remaining = keys.length - entries.length;
    return { entries, revision, more: remaining > 0, remaining };
  }

  #entryAt(snapshot: Snapshot, revision: Revision): StoredEntry | undefined {
    if (revision === 0) return undefined;
    const record = this.#recordAt(snapshot, revision);
    return record?.value && toEntry(record, record.value);
  }

  #recordAt(snapshot: Snapshot, revision: Revision, copy?: CopyBytes, key?: string): LogRecord | undefined {
    return this.#database.log.read(snapshot, revision, (bytes, size) => {
      try {
        return readRecord(revision, bytes, size, copy, key);
      } catch (cause) {
        throw new StoreError('corrupt', `the record of revision ${revision} cannot be read`, { cause });
      }
    });
  }

  #mustHaveHistory(revision: Revision): void {
    const { compactedRevision } = this.#history;
    if (revision < compactedRevision) throw new CompactedError(revision, compactedRevision);
  }

  #renew(): void {
    this.#snapshot.close();
    this.#snapshot = this.#database.snapshot();
  }

  /** Commits what `fill` writes. `last` is a revision that is in the log just if the commit was done. */
  async #commit(fill: () => readonly Promise<unknown>[] | undefined, last?: Revision): Promise<void> {
    const now = this.#clock.monotonic();
    // LMDB writes to standard error each time that it fails: a full disk is not asked for every write.
    if (this.#fullAtMs !== undefined && now - this.#fullAtMs < FULL_RETRY_MS) {
      throw new StoreError('no space', 'no space was left for the database a moment ago');
    }
    try {
      await this.#database.commit(fill);
      this.#fullAtMs = undefined;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.reason === 'no space') this.#fullAtMs = now;
      if (error.outcome === 'no') throw error;
      if (!(await this.#wasDone(last))) throw error;
    }
  }

  /** After a commit of unknown outcome, which left another environment: whether it is in it, and there to stay. */
  async #wasDone(last: Revision | undefined): Promise<boolean> {
    this.#snapshot = this.#database.snapshot();
    if (last === undefined || !this.#recordAt(this.#snapshot, last)) return false;
    await this.#database.commit(() => void this.#writeTrim({ removed: [], times: [], history: this.#history }));
    return true;
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(run);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Reads over several turns keep their snapshot until they end. */
  async #reading<T>(read: (snapshot: Snapshot, revision: Revision) => Promise<T>): Promise<T> {
    using snapshot = this.#snapshot.share();
    return await read(snapshot, this.#revision);
  }
}

interface Row {
  readonly key: string;
  readonly value: Buffer;
}

interface Trim {
  readonly removed: readonly Revision[];
  /** Of commits that nobody can ask for any more. */
  readonly times: readonly Revision[];
  readonly history: HistoryMeta;
}

/** The first key that a list may begin with. */
function startOf(prefix: string, after: string | undefined): string {
  if (after === undefined || compareKeys(after, prefix) < 0) return prefix;
  return keyAfter(after);
}

/** LMDB cannot look for a longer key; there is none either. */
function mustFit(key: string): void {
  const bytes = Buffer.byteLength(key);
  if (bytes > KEY_BYTES_MAX)
    throw new StoreError('too large', `a key of ${bytes} bytes is longer than ${KEY_BYTES_MAX}`);
}

const numberOf = (bytes: Buffer): number => readNumber(bytes, 0);

const keyAfter = (key: string) => `${key}\0`;

function toEntry(record: LogRecord, value: Uint8Array): StoredEntry {
  const { key, createRevision, revision, expiresAtMs } = record;
  return { key, value, createRevision, revision, expiresAtMs };
}
