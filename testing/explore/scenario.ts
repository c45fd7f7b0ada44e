import type { Transport } from '../../libs/client/transport.ts';
import type { Cluster, ClusterOptions } from '../cluster.ts';
import type { Duration } from '../duration.ts';

/**
 * What is explored: a cluster that is prepared once, and what then happens to each copy of it.
 *
 *     const rollout: Scenario = {
 *       name: 'a rolling update',
 *       cluster: { nodes: 3 },
 *       async prepare(cluster) {
 *         await cluster.apply(web);
 *         await cluster.until('deployment/web', (d) => d.status.availableReplicas === 3);
 *       },
 *       async run(cluster) {
 *         await cluster.apply(webOfTomorrow);
 *         await cluster.until('deployment/web', (d) => d.status.updatedReplicas === 3 && d.status.replicas === 3);
 *       },
 *     };
 *
 * `cluster.client` (the user `admin`) is spared: faults befall everybody else, and where the API server is away or its disk
 * is full it waits. Components of yours should use a client of their own: `cluster.clientAs({ name: 'my-operator' })`.
 */
export interface Scenario {
  /** Names it in messages and files. */
  readonly name: string;
  /** The cluster of `prepare`; with `from` it is of no account. */
  readonly cluster?: Omit<ClusterOptions, 'seed' | 'from' | 'time'>;
  /** Runs once, undisturbed; what the cluster is afterwards is where each run begins. */
  prepare?(cluster: Cluster): Promise<void>;
  /** Starts what runs beside the cluster's own components, before each run; what it gives is disposed of at the end. */
  start?(cluster: Cluster): Promise<AsyncDisposable | Disposable | void>;
  /** What happens while things go wrong, up to what must come true all the same. What it throws is a failure. */
  run(cluster: Cluster): Promise<void>;
  /** When all faults are over and nothing happens any more. What it throws is a failure. */
  settled?(cluster: Cluster): Promise<void>;
  /** How much of the cluster's time `run` may take. Default 1 h. */
  readonly within?: Duration;
  /** Puts something of the test between a user and the server, below what faults do and invariants see. */
  transport?(inner: Transport, user: string): Transport;
}
