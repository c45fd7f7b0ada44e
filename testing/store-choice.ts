import type { StoreWithHistory } from '../control-plane/store/kept-history.ts';
import type { Store } from '../control-plane/store/store.ts';
import type { Clock } from '../libs/base/clock.ts';
import type { Random } from '../libs/base/random.ts';
import { VirtualClock } from '../libs/base/virtual-clock.ts';
import { ClusterUsageError } from './errors.ts';
import type { HistoryStart } from './history.ts';
import { storeOf } from './time-travel/past.ts';

/**
 * Where a cluster's objects are: in memory, or in an LMDB database in a folder, as those of `tutti up` are. The second is
 * real disk: it costs real time, and its runs are not repeatable to the byte.
 */
export type StoreChoice = 'memory' | { readonly lmdb: string };

/** The database's folder; undefined for memory. Throws `ClusterUsageError` for what is no choice. */
export function lmdbFolderOf(choice: StoreChoice | undefined): string | undefined {
  if (choice === undefined || choice === 'memory') return undefined;
  const { lmdb, ...more } = (typeof choice === 'object' && choice) || { lmdb: undefined };
  if (typeof lmdb === 'string' && lmdb !== '' && Object.keys(more).length === 0) return lmdb;
  throw new ClusterUsageError(`store is "memory", or { lmdb: "folder" }, not ${JSON.stringify(choice)}`);
}

/** All that is in a store, as a history begins from it. */
export async function stored(store: Store): Promise<HistoryStart> {
  const { entries, revision } = await store.list('/registry/');
  return storeOf(store.clusterId, revision, entries);
}

/**
 * Opens it. What is in it was written at some time of some cluster's: a virtual clock that is behind moves on to that. Throws
 * `ClusterUsageError` for a folder that cannot be used.
 */
export async function openLmdb(directory: string, clock: Clock, random: Random): Promise<StoreWithHistory> {
  const [{ LmdbStore: Lmdb }, { createNodeHost }] = await Promise.all([
    import('../control-plane/store/drivers/lmdb/lmdb-store.ts'),
    import('../libs/base/node/node-host.ts'),
  ]);
  const store = await Lmdb.open({ host: createNodeHost(), clock, random, directory, keepTimes: true }).catch(
    (error: Error) => {
      throw new ClusterUsageError(`store: ${error.message}`, { cause: error });
    },
  );
  const { lastMs } = store.history.bounds();
  if (clock instanceof VirtualClock && lastMs !== undefined && lastMs > clock.now())
    await clock.advance(lastMs - clock.now());
  return store;
}
