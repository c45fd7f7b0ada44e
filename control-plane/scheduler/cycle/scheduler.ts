import type { Random } from '../../../libs/base/random.ts';
import { ClusterObjects, type Node, type ObjectKinds, type Pod } from '../cache/cluster-objects.ts';
import { ClusterState } from '../cache/cluster-state.ts';
import { type PodInfo, PodReader } from '../cache/pod-info.ts';
import { type Diagnosis, fitMessage } from '../framework/diagnosis.ts';
import type { BindApi, PostFilterContext } from '../framework/plugin.ts';
import type { Profile } from '../framework/profile.ts';
import type { Status } from '../framework/status.ts';
import { Nominator } from '../queue/nominator.ts';
import { Evaluator, type NodeScores } from './evaluator.ts';

/** What one cycle has decided about a pod. */
export type Decision =
  | { readonly type: 'node'; readonly node: string; readonly explanation?: Explanation }
  | {
      readonly type: 'unschedulable';
      readonly message: string;
      readonly plugins: ReadonlySet<string>;
      readonly nomination?: { readonly node: string; readonly victims: readonly PodInfo[] };
    }
  | { readonly type: 'error'; readonly message: string; readonly plugin: string };

type Refusal = Extract<Decision, { type: 'unschedulable' }>;

export interface Explanation {
  /** The nodes that tie for the best. */
  readonly tied: readonly string[];
  /** Node to plugin to weighted score; absent where only one node was feasible, which needs no scores. */
  readonly scores?: Readonly<Record<string, NodeScores>>;
}

/** The extension points that a cycle spends its time at. `Filter` and `Score` are told with what prepares them. */
export type TimedPoint = 'Filter' | 'PostFilter' | 'Score' | 'Reserve' | 'PreBind' | 'Bind';

/** Is told how long cycles take where. */
export interface CycleTimes {
  /** Rises; in milliseconds. */
  nowMs(): number;
  took(profile: string, point: TimedPoint, status: 'Success' | 'Unschedulable' | 'Error', ms: number): void;
}

export interface SchedulerOptions {
  readonly profiles: readonly Profile[];
  readonly random: Random;
  readonly times?: CycleTimes;
}

/**
 * Decides where pods go, knowing nothing of an API: it is told of nodes, pods and other objects, and asked about one pod
 * at a time. Synchronous and without timers; `startScheduler` is the part around it that reads, waits and writes.
 *
 *     const scheduler = new Scheduler({ profiles: [defaultProfile(gates)], random });
 *     scheduler.setNode(node);
 *     const decision = scheduler.schedule(scheduler.read(pod), nowMs);
 *     if (decision.type === 'node') …                    // the pod is assumed on it from now on
 */
export class Scheduler {
  readonly state = new ClusterState();
  readonly objects = new ClusterObjects();
  readonly nominator = new Nominator();
  readonly #reader = new PodReader();
  readonly #random: Random;
  readonly #times: CycleTimes | undefined;
  readonly #profiles = new Map<string, { readonly profile: Profile; readonly evaluator: Evaluator }>();
  /** Pods that a cycle has put on a node and that the cluster has not confirmed yet. */
  readonly #assumed = new Map<string, PodInfo>();

  constructor(options: SchedulerOptions) {
    this.#random = options.random;
    this.#times = options.times;
    for (const profile of options.profiles) {
      const evaluator = new Evaluator(profile, this.state, this.objects, this.nominator);
      this.#profiles.set(profile.schedulerName, { profile, evaluator });
    }
  }

  /** Undefined for pods of other schedulers. */
  profileOf(pod: PodInfo): Profile | undefined {
    return this.#profiles.get(pod.schedulerName)?.profile;
  }

  read(pod: Pod): PodInfo {
    return this.#reader.read(pod, this.state.placed(pod.metadata?.uid ?? ''));
  }

  // ── what is there ────────────────────────────────────────────────────────────────────────────────────────────────

  setNode(node: Node): void {
    this.state.setNode(node);
  }

  deleteNode(name: string): void {
    this.state.deleteNode(name);
  }

  /** A pod that has a node and has not finished; replaces what was assumed of it. */
  setPlacedPod(pod: PodInfo): void {
    this.#assumed.delete(pod.uid);
    this.nominator.delete(pod.uid);
    this.state.addPod(pod, pod.pod.spec?.nodeName ?? '');
  }

  /** A pod that has gone or finished. */
  deletePod(uid: string): void {
    this.#assumed.delete(uid);
    this.nominator.delete(uid);
    this.state.removePod(uid);
  }

  setObject(kind: keyof ObjectKinds, object: object): void {
    this.objects.set(kind, object);
  }

  deleteObject(kind: keyof ObjectKinds, key: string): void {
    this.objects.delete(kind, key);
  }

  isAssumed(uid: string): boolean {
    return this.#assumed.has(uid);
  }

  // ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The refusal that keeps a pod out of the queue. */
  preEnqueue(pod: PodInfo): Status | undefined {
    for (const plugin of this.profileOf(pod)?.at('preEnqueue') ?? []) {
      const refusal = plugin.preEnqueue(pod, this.objects);
      if (refusal) return refusal;
    }
    return undefined;
  }

  /**
   * One cycle: filter, score, choose, reserve. A pod that gets a node is assumed there until `setPlacedPod` confirms it
   * or `forget` takes it back. `explain`: with scores, for tests and for people who ask why.
   */
  schedule(pod: PodInfo, nowMs: number, options: { readonly explain?: boolean } = {}): Decision {
    const entry = this.#profiles.get(pod.schedulerName);
    if (!entry)
      return { type: 'error', message: `profile not found for scheduler name "${pod.schedulerName}"`, plugin: '' };
    const { profile, evaluator } = entry;
    if (this.state.nodesCount === 0) {
      return { type: 'unschedulable', message: fitMessage(NOBODY, ''), plugins: new Set() };
    }
    let atMs = this.#times?.nowMs() ?? 0;
    const found = evaluator.filter(pod);
    if ('code' in found) {
      this.#took(profile, 'Filter', 'Error', atMs);
      return failed(found);
    }
    if ('refusals' in found) {
      atMs = this.#took(profile, 'Filter', 'Unschedulable', atMs);
      const decision = this.#postFilter(pod, found, profile, evaluator, nowMs);
      this.#took(profile, 'PostFilter', decision.nomination ? 'Success' : 'Unschedulable', atMs);
      return decision;
    }
    atMs = this.#took(profile, 'Filter', 'Success', atMs);
    const nominated = this.#nominatedNode(pod);
    let chosen: number;
    let explanation: Explanation | undefined;
    if (nominated !== undefined && evaluator.includes(found, nominated)) chosen = nominated;
    else if (found.count === 1) chosen = evaluator.nodesOf(found)[0] as number;
    else {
      const scores: NodeScores[] | undefined = options.explain ? [] : undefined;
      chosen = evaluator.choose(pod, found, this.#random, scores);
      if (scores) explanation = this.#explain(evaluator.nodesOf(found), scores);
      atMs = this.#took(profile, 'Score', 'Success', atMs);
    }
    if (options.explain) explanation ??= { tied: [this.state.names[chosen] as string] };
    const refusal = this.#reserve(pod, chosen, profile, evaluator);
    this.#took(profile, 'Reserve', refusal?.code === 'Error' ? 'Error' : refusal ? 'Unschedulable' : 'Success', atMs);
    if (refusal) {
      if (refusal.code === 'Error') return failed(refusal);
      const diagnosis = {
        nodesCount: this.state.nodesCount,
        refusals: new Map([[chosen, refusal]]),
        plugins: new Set([refusal.plugin]),
      };
      return { type: 'unschedulable', message: fitMessage(diagnosis, ''), plugins: diagnosis.plugins };
    }
    const node = this.state.names[chosen] as string;
    this.#assume(pod, node);
    return { type: 'node', node, ...(explanation ? { explanation } : {}) };
  }

  /** Answers when the next thing begins. */
  #took(profile: Profile, point: TimedPoint, status: Parameters<CycleTimes['took']>[2], sinceMs: number): number {
    const times = this.#times;
    if (times === undefined) return 0;
    const nowMs = times.nowMs();
    times.took(profile.schedulerName, point, status, nowMs - sinceMs);
    return nowMs;
  }

  /** Where preemption has made room, the pod goes, if it fits now. */
  #nominatedNode(pod: PodInfo): number | undefined {
    const name = this.nominator.nodeOf(pod.uid) ?? pod.pod.status?.nominatedNodeName;
    return name ? this.state.slotOf(name) : undefined;
  }

  #explain(nodes: Int32Array, scores: readonly NodeScores[]): Explanation {
    const best = scores.reduce((most, { total }) => Math.max(most, total as number), Number.NEGATIVE_INFINITY);
    const named = Array.from(nodes, (node) => this.state.names[node] as string);
    return {
      tied: named.filter((_, index) => scores[index]?.total === best),
      scores: Object.fromEntries(named.map((name, index) => [name, scores[index] as NodeScores])),
    };
  }

  #postFilter(pod: PodInfo, diagnosis: Diagnosis, profile: Profile, evaluator: Evaluator, nowMs: number): Refusal {
    const context: PostFilterContext = {
      ...evaluator.contextOf(pod),
      diagnosis,
      fits: (node) => evaluator.fits(pod, node),
      nominated: (node) => this.nominator.on(node),
      random: this.#random,
      nowMs,
    };
    const messages: string[] = [];
    const { plugins } = diagnosis;
    // No node has been looked at: there is none to make room on, which is told in these words.
    if (diagnosis.podRefusal && profile.at('postFilter').length > 0) {
      return { type: 'unschedulable', message: fitMessage(diagnosis, 'not found'), plugins };
    }
    for (const plugin of profile.at('postFilter')) {
      const { nomination, message } = plugin.postFilter(context);
      if (nomination) return { type: 'unschedulable', message: fitMessage(diagnosis, ''), plugins, nomination };
      if (message) messages.push(message);
    }
    return { type: 'unschedulable', message: fitMessage(diagnosis, messages.join(', ')), plugins };
  }

  #reserve(pod: PodInfo, node: number, profile: Profile, evaluator: Evaluator): Status | undefined {
    const context = evaluator.contextOf(pod);
    for (const point of ['reserve', 'permit'] as const) {
      for (const plugin of profile.at(point)) {
        const refusal = plugin[point](context, node);
        if (!refusal) continue;
        this.#unreserve(pod, node);
        return refusal;
      }
    }
    return undefined;
  }

  #unreserve(pod: PodInfo, node: number): void {
    const entry = this.#profiles.get(pod.schedulerName);
    if (!entry) return;
    const context = entry.evaluator.contextOf(pod);
    for (const plugin of entry.profile.at('unreserve').toReversed()) plugin.unreserve(context, node);
  }

  #assume(pod: PodInfo, node: string): void {
    this.nominator.delete(pod.uid);
    this.state.addPod(pod, node);
    this.#assumed.set(pod.uid, pod);
  }

  /** Takes back what was assumed of a pod that could not be bound. */
  forget(uid: string): void {
    const pod = this.#assumed.get(uid);
    if (!pod) return;
    const node = this.state.placeOf(uid);
    this.#assumed.delete(uid);
    this.state.removePod(uid);
    if (node !== undefined) this.#unreserve(pod, node);
  }

  /** The binding cycle: what must be written before, then the binding. Throws what the API answers. */
  async bind(pod: PodInfo, node: string, api: BindApi): Promise<Status | undefined> {
    const entry = this.#profiles.get(pod.schedulerName);
    if (!entry) return undefined;
    const { profile, evaluator } = entry;
    const context = evaluator.contextOf(pod);
    const atMs = this.#times?.nowMs() ?? 0;
    let refusal: Status | undefined;
    for (const plugin of profile.at('preBind')) refusal ??= await plugin.preBind(context, node, api);
    const boundMs = this.#took(profile, 'PreBind', refusal ? 'Error' : 'Success', atMs);
    if (refusal) return refusal;
    refusal = await profile.at('bind')[0]?.bind(context, node, api);
    this.#took(profile, 'Bind', refusal ? 'Error' : 'Success', boundMs);
    return refusal;
  }
}

const NOBODY: Diagnosis = Object.freeze({ nodesCount: 0, refusals: new Map(), plugins: new Set<string>() });

const failed = ({ plugin, reasons }: Status): Decision => ({ type: 'error', message: reasons.join(', '), plugin });
