import type { TypedClient } from '../../api/typed-client.ts';
import type { ApiObject } from '../../libs/kind/object.ts';
import type { FaultCounts } from '../faults/cluster-faults.ts';
import type { SimulatedNode } from '../simulated-nodes.ts';

/** An object as it is in the store, whatever its kind; never changed. */
export type StoredObject = ApiObject & {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid: string };
  readonly spec?: unknown;
  readonly status?: unknown;
};

/** A write that is durable. `resource` as `pods`, `deployments.apps`; `namespace` is '' for what has none. */
export interface WriteEvent {
  readonly type: 'added' | 'modified' | 'deleted';
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  /** As it is now; for a deletion, as it was last. */
  readonly object: StoredObject;
  /** As it was before. */
  readonly previous: StoredObject | undefined;
  readonly revision: number;
}

/** An answer that a client got for a request that writes. */
export interface AnswerEvent {
  readonly user: string;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly code: number;
  readonly value: unknown;
}

/** A watch as its client sees it. */
export interface WatchFacts {
  readonly id: number;
  readonly user: string;
  readonly path: string;
  readonly query: string;
}

/** What a watch is told; `open` and `end` are its begin and its end, whoever ended it. */
export type WatchTold =
  | { readonly type: 'open'; readonly watch: WatchFacts }
  | { readonly type: 'end'; readonly watch: WatchFacts }
  | { readonly type: 'event'; readonly watch: WatchFacts; readonly event: string; readonly object: StoredObject };

/** The cluster as invariants see it: the store's state, without time passing. */
export interface ClusterView {
  /** Milliseconds since 1970, of the cluster. */
  readonly nowMs: number;
  /** Milliseconds of the cluster since the run began. */
  readonly elapsedMs: number;
  readonly revision: number;
  /** The revision that the run went on from. */
  readonly firstRevision: number;
  /** Objects of a resource (`pods`, `deployments.apps`), of one namespace or all. */
  list<T = StoredObject>(resource: string, namespace?: string): readonly T[];
  get<T = StoredObject>(resource: string, namespace: string, name: string): T | undefined;
  /** Resources of which there is an object. */
  readonly resources: readonly string[];
  /** Whether the cluster runs a controller, by upstream's name. */
  runs(controller: string): boolean;
  /** The machines, for what the API does not know. */
  readonly nodes: readonly SimulatedNode[];
  /** What happened so far. */
  readonly faults: FaultCounts;
  /** As an administrator. For `settled` alone: until then nothing may wait. */
  readonly client: TypedClient;
}

/** What is wrong, in a sentence; nothing where all is well. */
export type Verdict = string | undefined | void;

/**
 * Something that must hold, whatever goes wrong. What it says (or throws) ends the run as a failure.
 *
 *     const oneLeader: Invariant = {
 *       name: 'one leader',
 *       check(view, { resource }) {
 *         if (resource !== 'pods') return;
 *         const leaders = view.list<Pod>('pods').filter(({ metadata }) => metadata?.labels?.['role'] === 'leader');
 *         if (leaders.length > 1) return `${leaders.length} pods lead`;
 *       },
 *     };
 *
 * One that remembers something is given as a function: it is called for each run.
 */
export interface Invariant {
  readonly name: string;
  /** After each write. */
  check?(view: ClusterView, event: WriteEvent): Verdict;
  /** After each answer to a request that writes, as its client sees it. */
  answered?(view: ClusterView, answer: AnswerEvent): Verdict;
  /** With all that watches are told. */
  told?(view: ClusterView, told: WatchTold): Verdict;
  /**
   * When the scenario has ended, all faults are over and nothing happens any more. What is wrong then may still become
   * right within the time that `explore` allows for it.
   */
  settled?(view: ClusterView): Verdict | Promise<Verdict>;
}

export type InvariantSource = Invariant | (() => Invariant);

/** An invariant was violated. */
export class InvariantError extends Error {
  readonly invariant: string;
  constructor(invariant: string, message: string) {
    super(message);
    this.name = 'InvariantError';
    this.invariant = invariant;
  }
}
