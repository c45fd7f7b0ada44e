export type { Cluster, ClusterOptions, ClusterUser } from './create-cluster.ts';
export { createCluster } from './create-cluster.ts';
export type { Duration } from './duration.ts';
export { ClusterUsageError, NeverSettledError } from './errors.ts';
export type { History, HistoryEntry } from './history.ts';
