import type { Database as LmdbTable, DatabaseOptions as LmdbTableOptions, RootDatabase, Transaction } from 'lmdb';
import type { Clock } from '../../../../libs/base/clock.ts';
import type { Host } from '../../../../libs/base/host.ts';
import { StoreError } from '../../store.ts';
import { type ExpiryKey, expiryKeys, type KeyForm, PAGE_BYTES, revisionKeys, textKeys } from './format.ts';

/**
 * The state at one commit; reads from it agree, whatever is written meanwhile. Close it soon: pages that it needs are not
 * used again. When the database is closed, or had to be opened anew, reading from it fails with `StoreError`.
 */
export class Snapshot {
  readonly #transaction: Transaction & { use(): void };
  readonly #open: Set<Snapshot>;

  constructor(transaction: Transaction, open: Set<Snapshot>) {
    this.#transaction = transaction as Transaction & { use(): void };
    this.#open = open;
    open.add(this);
  }

  get transaction(): Transaction {
    if (!this.#open.has(this)) throw new StoreError('unavailable', 'the database was closed during the read');
    return this.#transaction;
  }

  /** Another holder of the same state, closed on its own. */
  share(): Snapshot {
    (this.transaction as Transaction & { use(): void }).use();
    return new Snapshot(this.#transaction, this.#open);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  close(): void {
    if (this.#open.delete(this)) this.#transaction.done();
  }
}

export interface Range<K> {
  readonly start?: K;
  readonly end?: K;
  readonly limit?: number;
  readonly reverse?: boolean;
}

/** Gives bytes that the next read overwrites; how many of them are the value's is `lastSize`. */
type GetBinaryFast = (key: unknown, options: { transaction: Transaction }) => Buffer | undefined;
type PutAppend = (key: unknown, value: Uint8Array, options: { append: true }) => Promise<boolean>;

/** One of the environment's tables. What `get` and `rows` give is a copy and may be kept. */
export class Table<K> {
  readonly #table: LmdbTable<Buffer, never>;

  constructor(table: LmdbTable<Buffer, never>) {
    this.#table = table;
  }

  get(snapshot: Snapshot, key: K): Buffer | undefined {
    return this.read(snapshot, key, (bytes, size) => Buffer.from(bytes.subarray(0, size)));
  }

  /**
   * What `take` makes of the value of `key`: the first `size` of `bytes`, which belong to the database and change with the
   * next read. undefined where there is none.
   */
  read<R>(snapshot: Snapshot, key: K, take: (bytes: Buffer, size: number) => R): R | undefined {
    // It is there, but not in the published types.
    const table = this.#table as unknown as { getBinaryFast: GetBinaryFast; lastSize: number };
    const { transaction } = snapshot;
    let found: Buffer | undefined;
    try {
      found = table.getBinaryFast(key, { transaction });
    } catch (cause) {
      throw new StoreError('corrupt', `reading from the database failed: ${messageOf(cause)}`, { cause });
    }
    return found && take(found, table.lastSize);
  }

  /** Rows with `start <= key < end`, at most `limit`. */
  *rows(snapshot: Snapshot, range: Range<K>): Generator<{ readonly key: K; readonly value: Buffer }> {
    const options = { ...range, transaction: snapshot.transaction };
    for (const row of this.#table.getRange(options as never)) {
      const { key, value } = row as unknown as { key: K; value: Buffer };
      yield { key, value: asBuffer(value) };
    }
  }

  count(snapshot: Snapshot, range: Range<K>): number {
    return this.#table.getKeysCount({ ...range, transaction: snapshot.transaction } as never);
  }

  /** Within `Database.commit` only. */
  put(key: K, value: Uint8Array): void {
    this.#table.put(key as never, value as Buffer);
  }

  /** `put` for a key beyond all others, which fills pages to the brim. */
  append(key: K, value: Uint8Array): Promise<unknown> {
    const put = this.#table.put as unknown as PutAppend;
    return put.call(this.#table, key, value, { append: true });
  }

  /** Within `Database.commit` only. */
  remove(key: K): void {
    this.#table.remove(key as never);
  }

  stats(): { readonly entries: number; readonly bytes: number } {
    const stats = this.#table.getStats() as Record<string, number>;
    const pages = ['treeBranchPageCount', 'treeLeafPageCount', 'overflowPages'].reduce(
      (n, k) => n + (stats[k] ?? 0),
      0,
    );
    return { entries: stats['entryCount'] ?? 0, bytes: pages * (stats['pageSize'] ?? 0) };
  }
}

/** Address space, not memory nor disk: until the file is as large, LMDB need not map it anew. */
const MAP_BYTES = 16 * 1024 ** 3;

export interface DatabaseOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly path: string;
}

/**
 * The LMDB environment: opens it, commits batches off the event loop, turns its errors into ours. LMDB never overwrites
 * a page that the last commit refers to, writes and syncs all new pages before the page that refers to them, and so is
 * at the state of some commit after any crash.
 */
export class Database {
  readonly #options: DatabaseOptions;
  readonly #lmdb: typeof import('lmdb');
  readonly #snapshots = new Set<Snapshot>();
  #root!: RootDatabase<Buffer, never>;
  entries!: Table<string>;
  log!: Table<number>;
  expiries!: Table<ExpiryKey>;
  meta!: Table<string>;
  times!: Table<number>;

  private constructor(options: DatabaseOptions, lmdb: typeof import('lmdb')) {
    this.#options = options;
    this.#lmdb = lmdb;
  }

  /** Opens the file at `path`, and makes it where there is none. Throws `StoreError`. */
  static async open(options: DatabaseOptions): Promise<Database> {
    const database = new Database(options, await import('lmdb'));
    database.#open();
    if (database.#hasOtherReaders()) {
      await database.close();
      throw new StoreError('unavailable', `${options.path} is in use by another process`);
    }
    return database;
  }

  snapshot(): Snapshot {
    // LMDB keeps one read transaction for a turn; it may be older than the last commit.
    this.#root.resetReadTxn();
    return new Snapshot(this.#root.useReadTransaction(), this.#snapshots);
  }

  /**
   * Runs `fill`, which puts and removes, and resolves when all of it is durable. Rejects with `StoreError`: `no` when
   * none of it is, nor ever will be; `maybe` when a crash could still show either.
   */
  async commit(fill: () => readonly Promise<unknown>[] | undefined): Promise<void> {
    let appends: readonly Promise<unknown>[] = [];
    const committed = this.#root.batch(() => {
      appends = fill() ?? [];
    });
    // They fail together with the commit, which is where it is looked at.
    for (const append of appends) append.catch(() => undefined);
    try {
      await committed;
    } catch (error) {
      throw await this.#explain(error);
    }
    if ((await appends[0]) === false)
      throw new StoreError('corrupt', `the log in ${this.#options.path} has gone ahead by itself`);
  }

  async close(): Promise<void> {
    // A transaction that outlives its environment would read memory that is gone.
    for (const snapshot of this.#snapshots) snapshot.close();
    await this.#root.close();
  }

  async fileBytes(): Promise<number> {
    return (await this.#options.host.files.stat(this.#options.path)).sizeBytes;
  }

  #open(): void {
    const { path } = this.#options;
    try {
      this.#root = this.#lmdb.open<Buffer, never>({
        path,
        noSubdir: true,
        pageSize: PAGE_BYTES,
        mapSize: MAP_BYTES,
        maxDbs: 8,
        // With it, LMDB answers reads from commits that are not durable yet.
        overlappingSync: false,
        // With it, LMDB makes promises of its own, and when a commit fails nobody handles their rejection.
        eventTurnBatching: false,
        encoding: 'binary',
        keyEncoding: 'binary',
      });
    } catch (error) {
      throw explainOpen(error, path);
    }
    this.entries = this.#table('entries', textKeys);
    this.log = this.#table('log', revisionKeys);
    this.expiries = this.#table('expiries', expiryKeys);
    this.meta = this.#table('meta', textKeys);
    this.times = this.#table('times', revisionKeys);
  }

  /**
   * Whether another process has a snapshot, as every open store has. LMDB asks the kernel which of them live, so that it
   * knows them also where process ids say nothing, as between containers that share the folder.
   */
  #hasOtherReaders(): boolean {
    const readers = this.#root.readerList() as unknown as string;
    return /^ *\d+ /m.test(readers);
  }

  #table<K>(name: string, keyEncoder: KeyForm<K>): Table<K> {
    const options = { encoding: 'binary', keyEncoder } as LmdbTableOptions;
    return new Table<K>(this.#root.openDB<Buffer, never>(name, options));
  }

  async #explain(error: unknown): Promise<StoreError> {
    const { path, clock } = this.#options;
    const cause = await causeOf(error);
    // LMDB's writer thread has told of the failure before it has quite ended.
    await clock.yield();
    if (isBeforeSync(cause)) {
      if (await this.#isNoSpace(cause)) return new StoreError('no space', `no space is left for ${path}`, { cause });
      return new StoreError('unavailable', `writing to ${path} failed: ${messageOf(cause)}`, { cause });
    }
    // A sync failed, or the writing of the page that makes a commit valid: that may be on disk, or not. LMDB refuses to
    // go on then; the next commit would hang.
    await this.close();
    try {
      this.#open();
    } catch (again) {
      const message = `${path} could not be opened again: ${messageOf(again)}`;
      return new StoreError('unavailable', message, { outcome: 'maybe', cause });
    }
    const message = `writing to ${path} failed at its last step: ${messageOf(cause)}`;
    return new StoreError('unavailable', message, { outcome: 'maybe', cause });
  }

  async #isNoSpace(cause: unknown): Promise<boolean> {
    const { code } = cause as { code?: unknown };
    if (code === ENOSPC || code === EDQUOT || code === MDB_MAP_FULL) return true;
    if (code !== EIO) return false;
    // LMDB's word for a write that came out shorter than it was: a full disk, or a broken one.
    const { freeBytes } = await this.#options.host.files.space(this.#options.path);
    return freeBytes < NEARLY_FULL_BYTES;
  }
}

/** Small arrays of bytes have no buffer until they are asked for it: not done without need. */
const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** LMDB hides a commit's error behind a second promise, whose rejection nobody would handle. */
async function causeOf(error: unknown): Promise<unknown> {
  const hidden = (error as { commitError?: Promise<unknown> }).commitError;
  if (!hidden) return error;
  try {
    await hidden;
    return error;
  } catch (cause) {
    return cause;
  }
}

/** Whether the commit failed before its pages were complete. LMDB tells such errors apart by their text alone. */
function isBeforeSync(cause: unknown): boolean {
  const { code } = cause as { code?: unknown };
  return (
    (typeof code === 'number' && code < 0 && code !== MDB_PANIC) ||
    messageOf(cause).includes('Attempting to write page')
  );
}

const MDB_PANIC = -30795;
const ENOSPC = 28;
const EDQUOT = 122;
const MDB_MAP_FULL = -30792;
const EIO = 5;
const NEARLY_FULL_BYTES = 32 * 1024 * 1024;

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));

const MDB_INVALID = -30793;
const MDB_CORRUPTED = -30796;
const MDB_VERSION_MISMATCH = -30794;

function explainOpen(error: unknown, path: string): StoreError {
  const { code } = error as { code?: unknown };
  if (code === MDB_INVALID || code === MDB_CORRUPTED || code === MDB_VERSION_MISMATCH) {
    return new StoreError('corrupt', `${path} is not a database that this version can read`, { cause: error });
  }
  if (code === ENOSPC || code === EDQUOT)
    return new StoreError('no space', `no space is left for ${path}`, { cause: error });
  return new StoreError('unavailable', `${path} cannot be opened: ${messageOf(error)}`, { cause: error });
}
