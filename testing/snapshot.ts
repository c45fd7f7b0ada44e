import type { StoreSnapshot } from '../control-plane/store/drivers/memory/memory-store.ts';
import type { KeyPair } from '../libs/base/keys.ts';
import type { AnyComponent } from './components.ts';
import { ClusterUsageError } from './errors.ts';
import type { NodeSnapshot } from './nodes/simulated-node.ts';

/**
 * A whole cluster at one instant: store, clock, keys and simulated nodes. `createCluster({ from })` makes a cluster that
 * goes on from it, as often as wanted; what is not in it is what a program does at this instant: components start anew
 * from the store, as after a restart, when time first passes (one with components of the user's: at once), and functions of
 * images are called anew, by the images' names.
 *
 * It shares the store's entries with the cluster it was taken from and is never changed.
 */
export interface ClusterSnapshot {
  readonly format: 1;
  /** The seed of the first cluster: keys follow from it. */
  readonly keysSeed: string;
  readonly keysState: number;
  /** Keys of that seed that have been derived, by purpose. */
  readonly keyPairs: ReadonlyMap<string, KeyPair>;
  /** When the first cluster began: its authority's certificate says so. */
  readonly authorityMs: number;
  /** That certificate. */
  readonly authorityPem: string;
  /** The cluster's time, in milliseconds since 1970. */
  readonly nowMs: number;
  readonly store: StoreSnapshot;
  readonly nodes: readonly NodeSnapshot[];
  readonly components: readonly AnyComponent[];
  readonly controllers?: readonly string[];
  readonly clusterCidrs?: readonly string[];
}

/** Throws `ClusterUsageError` for what this version cannot go on from. */
export function mustBeSnapshot(snapshot: ClusterSnapshot): ClusterSnapshot {
  const { format } = snapshot as { format?: unknown };
  if (format === 1) return snapshot;
  throw new ClusterUsageError(
    format === undefined
      ? 'from wants a snapshot of a cluster'
      : `a snapshot of format ${format}; this version reads 1`,
  );
}
