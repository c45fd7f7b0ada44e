export type { CustomResource, ResourceDefinition, TypedApi, TypedClient } from '../api/typed-client.ts';
export { EndlessInstantError } from '../libs/base/virtual-clock.ts';
export type {
  ContainerFunction,
  ExecCall,
  ImageFailure,
  SimulatedContainer,
  SimulatedImage,
} from '../node/cri/fake/image.ts';
export type { SimulatedHandler, SimulatedRequest, SimulatedResponse } from '../node/cri/fake/network.ts';
export { SimulatedNetworkError } from '../node/cri/fake/network.ts';
export type { ApplyOptions } from './apply.ts';
export type { Cluster, ClusterOptions, ClusterUser } from './cluster.ts';
export type {
  AnyComponent,
  ClusterComponent,
  ComponentContext,
  ComponentEnd,
  ComponentFunction,
  SchedulerPlugin,
  UserComponent,
} from './components.ts';
export { createCluster } from './create-cluster.ts';
export type { Duration } from './duration.ts';
export { ClusterUsageError, HistoryFileError, ManifestError, NeverSettledError } from './errors.ts';
export {
  type AnswerEvent,
  type ClusterView,
  type Exploration,
  ExplorationFailure,
  type ExploredFault,
  type ExploreOptions,
  explore,
  type Failure,
  type FaultChoice,
  type Invariant,
  type InvariantSource,
  type Perturbation,
  ReplayFileError,
  replay,
  type Scenario,
  ScenarioError,
  type Schedule,
  type StoredObject,
  standardInvariants,
  type Verdict,
  type WatchFacts,
  type WatchTold,
  type WriteEvent,
} from './explore/index.ts';
export type { ActiveFault, ApiFault, ClusterFaults, FaultCounts, FaultKind } from './faults/cluster-faults.ts';
export type { History, HistoryEntry } from './history.ts';
export type { ManifestSource } from './manifests.ts';
export type { ExecOptions, ExecResult } from './nodes/exec.ts';
export type { MachineResource } from './nodes/machine-resources.ts';
export type { NodeSpec, NodeState, NodeTaint, SimulatedNode } from './simulated-nodes.ts';
export type { ClusterSnapshot } from './snapshot.ts';
export type { StoreChoice } from './store-choice.ts';
export type { ClusterDiff, FieldChange, ObjectDiff } from './time-travel/diff.ts';
export type { When } from './time-travel/past.ts';
export type { GetOptions, PastCluster } from './time-travel/past-cluster.ts';
export { type ReplayedHistory, replayHistory } from './time-travel/replay.ts';
