import type { StoreEvent } from '../control-plane/store/store.ts';
import type { Transport } from '../libs/client/transport.ts';
import type { ClusterTime } from './cluster-time.ts';

/** What whoever explores a cluster sees of it, and has a hand in, beyond what its user does. */
export interface ClusterHooks {
  /** Timers of one instant run in an order that is drawn from the seed. */
  readonly shuffleTimers?: boolean;
  /** Called with each write, in their order, before its writer is answered. `nowMs`: the cluster's wall time. */
  readonly wrote?: (event: StoreEvent, nowMs: number) => void;
  /** Puts something between a user and the faults that lie between users and the server. */
  readonly transport?: (inner: Transport, user: string, time: ClusterTime) => Transport;
  /** Called before time moves on; what it throws ends whatever waits for the cluster. */
  readonly mustGoOn?: () => void;
  /** Where the real endpoint listens, once one is wanted. Default: any free port. */
  readonly endpointPort?: number;
}
