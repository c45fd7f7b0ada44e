export { ReplayFileError, ScenarioError } from './errors.ts';
export { type Exploration, ExplorationFailure, type ExploreOptions, explore, replay } from './explore.ts';
export type { ExploredFault, FaultChoice } from './fault-kinds.ts';
export type {
  AnswerEvent,
  ClusterView,
  Invariant,
  InvariantSource,
  StoredObject,
  Verdict,
  WatchFacts,
  WatchTold,
  WriteEvent,
} from './invariant.ts';
export { standardInvariants } from './invariants/standard.ts';
export type { Failure } from './run.ts';
export type { Scenario } from './scenario.ts';
export type { Perturbation, Schedule } from './schedule.ts';
