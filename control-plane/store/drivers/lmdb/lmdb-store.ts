import type { Clock } from '../../../../libs/base/clock.ts';
import type { Host } from '../../../../libs/base/host.ts';
import type { Random } from '../../../../libs/base/random.ts';
import { type EmbeddedOptions, EmbeddedStore } from '../../embedded/embedded-store.ts';
import type { KeptHistory, StoreWithHistory } from '../../kept-history.ts';
import { StoreError } from '../../store.ts';
import { prepareDataFile } from './data-file.ts';
import { DataLock } from './data-lock.ts';
import { Database } from './database.ts';
import { FORMAT, type FormatMeta, KEY_BYTES_MAX } from './format.ts';
import { LmdbEngine, type LmdbHistoryLimits } from './lmdb-engine.ts';

export interface LmdbStoreOptions extends Omit<EmbeddedOptions, 'keyBytesMax'>, LmdbHistoryLimits {
  readonly host: Host;
  readonly clock: Clock;
  /** Makes the cluster's id, once. */
  readonly random: Random;
  /** A folder of its own; made with mode 0700 where there is none. */
  readonly directory: string;
}

/**
 * The embedded store: durable, in one folder, for one process. One LMDB commit, off the event loop, makes each group of
 * writes durable; reads come from the file's mapped pages.
 *
 *     const store = await LmdbStore.open({ host, clock, random, directory: '/var/lib/tutti/store' });
 *     ...
 *     await store.close();
 */
export class LmdbStore extends EmbeddedStore implements StoreWithHistory {
  readonly #lock: DataLock;
  readonly history: KeptHistory;

  private constructor(engine: LmdbEngine, lock: DataLock, options: LmdbStoreOptions) {
    super(engine, options.clock, { ...options, keyBytesMax: KEY_BYTES_MAX });
    this.#lock = lock;
    this.history = engine;
  }

  /**
   * Throws `StoreError`: `unavailable` when another process has the folder open, `wrong format` when a newer version
   * wrote it, `corrupt` when it is no database, `no space`.
   */
  static async open(options: LmdbStoreOptions): Promise<LmdbStore> {
    const { host, clock, directory } = options;
    await host.files.makeDirectory(directory);
    const lock = await DataLock.acquire(host, directory);
    try {
      const path = `${directory}/data.mdb`;
      await prepareDataFile(host, directory, path);
      const database = await Database.open({ host, clock, path });
      try {
        const { clusterId } = (await readFormat(database, directory)) ?? (await makeFormat(database, options));
        const store = new LmdbStore(new LmdbEngine(database, clusterId, clock, options), lock, options);
        store.start();
        return store;
      } catch (error) {
        await database.close();
        throw error;
      }
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  override async close(): Promise<void> {
    await super.close();
    await this.#lock.release();
  }
}

async function readFormat(database: Database, directory: string): Promise<FormatMeta | undefined> {
  using snapshot = database.snapshot();
  const found = database.meta.get(snapshot, 'format');
  if (found === undefined) {
    for (const _ of database.log.rows(snapshot, { limit: 1 })) {
      throw new StoreError('corrupt', `the data in ${directory} do not say in which format they are`);
    }
    return undefined;
  }
  const meta = JSON.parse(found.toString()) as FormatMeta;
  if (meta.format > FORMAT) {
    throw new StoreError(
      'wrong format',
      `the data in ${directory} were written by a newer version: they have format ${meta.format}, this version knows ${FORMAT}`,
    );
  }
  return meta;
}

async function makeFormat(database: Database, { host, directory, random }: LmdbStoreOptions): Promise<FormatMeta> {
  const meta: FormatMeta = { format: FORMAT, clusterId: random.uuid() };
  await database.commit(() => void database.meta.put('format', Buffer.from(JSON.stringify(meta))));
  // LMDB lets the umask decide who may read it.
  await host.files.changeMode(`${directory}/data.mdb`, 0o600);
  // Writing a file makes the folder's list of names durable as well, and with it the database's own.
  const about = 'An LMDB database with the objects of a Tutti cluster. Stop the server before you copy or move it.\n';
  await host.files.write(`${directory}/about.txt`, about);
  return meta;
}
