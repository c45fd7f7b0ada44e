import type { Random } from '../../../libs/base/random.ts';
import type { ClusterObjects, Pod } from '../cache/cluster-objects.ts';
import type { ClusterState } from '../cache/cluster-state.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import type { Diagnosis } from './diagnosis.ts';
import type { EventInterest } from './events.ts';
import type { Status } from './status.ts';

/** What a plugin may look at while one pod is scheduled. */
export interface CycleContext {
  readonly pod: PodInfo;
  readonly state: ClusterState;
  readonly objects: ClusterObjects;
}

/**
 * A plugin takes part in the points that it has methods for, which are upstream's extension points under their names.
 * What `preFilter` and `preScore` find out about a pod is not put into a shared bag: they give back the functions that
 * `filter` and `score` nodes with it.
 *
 * Nodes are named by their slot in `ClusterState`. Plugins have no state of their own between pods, but for what
 * `reserve` assumes.
 */
export interface Plugin {
  readonly name: string;
  /**
   * `node`: what the plugin says of a node follows from the pod's spec (labels, namespace and owners aside) and that
   * node alone, so that pods of one template share it until the node changes. `cluster`: anything else.
   */
  readonly scope: 'node' | 'cluster';
  /** Events after which a pod that the plugin has refused is worth another try. */
  readonly interests?: readonly EventInterest[];

  /** A pod that is refused here does not enter the queue until its interests are met. */
  preEnqueue?(pod: PodInfo, objects: ClusterObjects): Status | undefined;
  /** Negative: `a` first. Exactly one plugin orders the queue. */
  queueSort?(a: QueuedOrder, b: QueuedOrder): number;
  /** `undefined`: the plugin has nothing against any node, and is not asked to filter. */
  preFilter?(context: CycleContext): Filtering | Status | undefined;
  /** Only for a pod that fits nowhere. */
  postFilter?(context: PostFilterContext): PostFilterResult;
  /**
   * `undefined`: the plugin does not score this pod. `nodes`: the slots of the nodes that passed all filters, gathered
   * for who asks.
   */
  preScore?(context: CycleContext, nodes: () => Int32Array): Scoring | undefined;
  /** Assumes what the pod will need on the node; `unreserve` takes that back and never fails. */
  reserve?(context: CycleContext, node: number): Status | undefined;
  unreserve?(context: CycleContext, node: number): void;
  /** The last word before binding. */
  permit?(context: CycleContext, node: number): Status | undefined;
  /** Writes what must be there before the pod is bound. Throws for an answer that is not 2xx. */
  preBind?(context: CycleContext, node: string, api: BindApi): Promise<Status | undefined>;
  bind?(context: CycleContext, node: string, api: BindApi): Promise<Status | undefined>;
}

export interface QueuedOrder {
  readonly pod: PodInfo;
  /** When the pod came into the queue first; for the order between equals. */
  readonly addedMs: number;
  readonly sequence: number;
}

export interface Filtering {
  /** Only these nodes are looked at (by name). */
  readonly nodeNames?: ReadonlySet<string>;
  filter?(node: number): Status | undefined;
}

export interface Scoring {
  score(node: number): number;
  /** Brings raw scores into 0…100, in place; `scores[i]` is of `nodes[i]`. Absent: they are there already. */
  normalizeScore?(scores: Float64Array, nodes: Int32Array): void;
}

export interface PostFilterContext extends CycleContext {
  readonly diagnosis: Diagnosis;
  /** All filters on one node, with nominated pods of at least the pod's priority; for the state as it is at the moment. */
  fits(node: number): Status | undefined;
  /** Pods nominated to the node. */
  nominated(node: string): readonly PodInfo[];
  readonly random: Random;
  readonly nowMs: number;
}

export interface PostFilterResult {
  /** Makes room: the victims go, and the pod waits for this node. */
  readonly nomination?: { readonly node: string; readonly victims: readonly PodInfo[] };
  /** In the message of the pod's condition; empty when room can be made. */
  readonly message: string;
}

/** What binding writes. Every method resolves once the API server has taken it. */
export interface BindApi {
  bindPod(pod: Pod, node: string): Promise<void>;
  /** Writes the object's changed form (a volume's claimRef, a claim's selected node); gives what is stored. */
  update(kind: string, object: object): Promise<object>;
  updateStatus(kind: string, object: object): Promise<object>;
  /** Resolves with true once `test` holds for the object, with false when it did not within `timeoutMs`. */
  waitFor(
    kind: string,
    key: string,
    test: (object: object | undefined) => boolean,
    timeoutMs: number,
  ): Promise<boolean>;
  nowMs(): number;
}

export const isStatus = (value: Filtering | Status): value is Status => 'code' in value;

/** The usual way to bring scores into 0…100: the highest becomes 100 (or 0, where few is good). */
export function normalizeByMaximum(scores: Float64Array, reversed: boolean): void {
  let max = 0;
  for (let i = 0; i < scores.length; i++) if ((scores[i] as number) > max) max = scores[i] as number;
  if (max === 0) {
    if (reversed) scores.fill(100);
    return;
  }
  for (let i = 0; i < scores.length; i++) {
    const score = Math.floor((100 * (scores[i] as number)) / max);
    scores[i] = reversed ? 100 - score : score;
  }
}
