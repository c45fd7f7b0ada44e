import type { Random } from '../../../libs/base/random.ts';
import type { ClusterObjects } from '../cache/cluster-objects.ts';
import type { ClusterState } from '../cache/cluster-state.ts';
import type { PodInfo } from '../cache/pod-info.ts';
import type { Diagnosis } from '../framework/diagnosis.ts';
import { type CycleContext, type Filtering, isStatus, type Plugin, type Scoring } from '../framework/plugin.ts';
import type { Profile } from '../framework/profile.ts';
import { type Status, unresolvable } from '../framework/status.ts';
import type { Nominator } from '../queue/nominator.ts';
import { TemplateResults } from './template-results.ts';

/** Templates whose results are kept, each with a few numbers per node. */
const TEMPLATES_MAX = 64;

/** Good until the evaluator is asked for the next pod. */
export interface Feasible {
  readonly results: TemplateResults;
  /** How many nodes there are. */
  readonly count: number;
  /** Which; undefined: all that pass by the template's results. */
  readonly nodes: Int32Array | undefined;
}

/** How a plugin ranks the nodes for one pod. */
interface PodScoring {
  readonly name: string;
  readonly scoring: Scoring;
}

/** Plugin to weighted score, with `total`. */
export type NodeScores = Record<string, number>;

/** Filters and scores the nodes for a pod. Every node is looked at; what pods of a template share is worked out once. */
export class Evaluator {
  readonly #state: ClusterState;
  readonly #objects: ClusterObjects;
  readonly #profile: Profile;
  readonly #nominator: Nominator;
  readonly #templates = new Map<string, TemplateResults>();
  readonly #clusterFilters: (Plugin & Required<Pick<Plugin, 'preFilter'>>)[];
  readonly #clusterScores: (Plugin & Required<Pick<Plugin, 'preScore'>>)[];
  // One number for each node, again and again: made anew for each pod, they would be most of what a cycle allocates.
  #found = new Int32Array(64);
  #totals = new Float64Array(64);
  #scores = new Float64Array(64);
  #tied = new Int32Array(64);

  constructor(profile: Profile, state: ClusterState, objects: ClusterObjects, nominator: Nominator) {
    this.#profile = profile;
    this.#state = state;
    this.#objects = objects;
    this.#nominator = nominator;
    this.#clusterFilters = profile.at('preFilter').filter(({ scope }) => scope === 'cluster');
    this.#clusterScores = profile
      .at('preScore')
      .filter(({ scope, name }) => scope === 'cluster' && profile.weightOf(name) > 0);
  }

  contextOf(pod: PodInfo): CycleContext {
    return { pod, state: this.#state, objects: this.#objects };
  }

  /** The nodes that the pod fits on, or why there are none. */
  filter(pod: PodInfo): Feasible | Diagnosis | Status {
    const state = this.#state;
    const context = this.contextOf(pod);
    const results = this.#results(context);
    if (results.refusal) return this.#refused(results.refusal);
    let { nodeNames, restrictedBy } = results;
    const filters: ((node: number) => Status | undefined)[] = [];
    for (const plugin of this.#clusterFilters) {
      const filtering = plugin.preFilter(context);
      if (!filtering) continue;
      if (isStatus(filtering)) return filtering.code === 'Error' ? filtering : this.#refused(filtering);
      if (filtering.nodeNames) {
        nodeNames = intersect(nodeNames, filtering);
        restrictedBy = [...restrictedBy, plugin.name];
      }
      if (filtering.filter) filters.push(filtering.filter);
    }
    const nominated = this.#nominatedVerdicts(pod, results);
    if (!nodeNames && filters.length === 0 && !nominated) {
      const count = results.ranks.count();
      if (count > 0) return { results, count, nodes: undefined };
    }
    this.#makeRoom(state.length);
    const { passes } = results;
    const found = this.#found;
    let count = 0;
    const refusals = filters.length > 0 ? new Map<number, Status>() : undefined;
    next: for (let node = 0; node < state.length; node++) {
      if (passes[node] === 0) continue;
      if (nodeNames && !nodeNames.has(state.names[node] as string)) continue;
      for (const filter of filters) {
        const refusal = filter(node);
        if (!refusal) continue;
        if (refusal.code === 'Error') return refusal;
        refusals?.set(node, refusal);
        continue next;
      }
      if (nominated?.has(node)) continue;
      found[count++] = node;
    }
    if (count > 0) return { results, count, nodes: found.subarray(0, count) };
    return this.#diagnosis(results, nodeNames, restrictedBy, refusals, nominated);
  }

  #makeRoom(length: number): void {
    if (this.#found.length >= length) return;
    this.#found = new Int32Array(length * 2);
    this.#totals = new Float64Array(length * 2);
    this.#scores = new Float64Array(length * 2);
    this.#tied = new Int32Array(length * 2);
  }

  #diagnosis(
    results: TemplateResults,
    nodeNames: ReadonlySet<string> | undefined,
    restrictedBy: readonly string[],
    later: ReadonlyMap<number, Status> | undefined,
    nominated: ReadonlyMap<number, Status> | undefined,
  ): Diagnosis {
    const state = this.#state;
    const refusals = new Map<number, Status>();
    const plugins = new Set<string>(restrictedBy);
    const elsewhere = unresolvable(
      restrictedBy[0] ?? '',
      `node(s) didn't satisfy plugin(s) [${restrictedBy.join(' ')}]`,
    );
    for (let node = 0; node < state.length; node++) {
      if (!state.present[node]) continue;
      const outside = nodeNames && !nodeNames.has(state.names[node] as string);
      const refusal = outside ? elsewhere : (results.refusalOf(node) ?? later?.get(node) ?? nominated?.get(node));
      if (!refusal) continue;
      refusals.set(node, refusal);
      plugins.add(refusal.plugin);
    }
    return { nodesCount: state.nodesCount, refusals, plugins };
  }

  #refused(refusal: Status): Diagnosis {
    return {
      nodesCount: this.#state.nodesCount,
      refusals: new Map(),
      podRefusal: refusal,
      plugins: new Set([refusal.plugin]),
    };
  }

  /** The refusals of nodes that pods at least as important are about to come to. */
  #nominatedVerdicts(pod: PodInfo, results: TemplateResults): ReadonlyMap<number, Status> | undefined {
    if (this.#nominator.empty) return undefined;
    let verdicts: Map<number, Status> | undefined;
    for (const [name, pods] of this.#nominator.before(pod)) {
      const node = this.#state.slotOf(name);
      if (node === undefined || results.passes[node] === 0) continue;
      for (const other of pods) this.#state.addPod(other, name);
      const refusal = this.#filterNow(pod, node, results);
      for (const other of pods) this.#state.removePod(other.uid);
      if (refusal) (verdicts ??= new Map()).set(node, refusal);
    }
    return verdicts;
  }

  /** All filters on one node as the state is now, with nominated pods that go first; without them too. */
  fits(pod: PodInfo, node: number): Status | undefined {
    const results = this.#templates.get(this.#key(pod)) ?? this.#results(this.contextOf(pod));
    const name = this.#state.names[node] as string;
    const others = this.#nominator.empty ? [] : (this.#nominator.before(pod).get(name) ?? []);
    if (others.length > 0) {
      for (const other of others) this.#state.addPod(other, name);
      const refusal = this.#filterNow(pod, node, results);
      for (const other of others) this.#state.removePod(other.uid);
      if (refusal) return refusal;
    }
    return this.#filterNow(pod, node, results);
  }

  #filterNow(pod: PodInfo, node: number, results: TemplateResults): Status | undefined {
    const refusal = results.filter(node);
    if (refusal) return refusal;
    const context = this.contextOf(pod);
    for (const plugin of this.#clusterFilters) {
      const filtering = plugin.preFilter(context);
      if (!filtering) continue;
      if (isStatus(filtering)) return filtering;
      const later = filtering.filter?.(node);
      if (later) return later;
    }
    return undefined;
  }

  /** Whether a node is among those found. */
  includes({ nodes, results }: Feasible, node: number): boolean {
    return nodes ? nodes.includes(node) : results.passes[node] === 1;
  }

  /** The nodes found, in the order of their slots. */
  nodesOf({ nodes, results, count }: Feasible): Int32Array {
    if (nodes) return nodes;
    this.#makeRoom(results.passes.length);
    const found = this.#found.subarray(0, count);
    for (let node = 0, next = 0; next < count; node++) if (results.passes[node] === 1) found[next++] = node;
    return found;
  }

  /**
   * One of the best nodes, each as likely as the other: pods arriving together do not all go the same way. `explain`
   * gets the scores of each node found, in their order.
   */
  choose(pod: PodInfo, found: Feasible, random: Random, explain?: NodeScores[]): number {
    const scorings = this.#scorings(pod, found);
    const { results } = found;
    const ranked = !found.nodes && scorings.length === 0 && results.normalized.every(({ nonZero }) => nonZero === 0);
    if (ranked && !explain) return results.ranks.choose(random);
    const nodes = this.nodesOf(found);
    const totals = this.#totalsOf(nodes, results, scorings, explain);
    const tied = this.#tied;
    let best = Number.NEGATIVE_INFINITY;
    let ties = 0;
    for (let i = 0; i < totals.length; i++) {
      const total = totals[i] as number;
      if (total < best) continue;
      if (total > best) {
        best = total;
        ties = 0;
      }
      tied[ties++] = nodes[i] as number;
    }
    return tied[random.int(ties)] as number;
  }

  /** What ranks the nodes for this very pod. */
  #scorings(pod: PodInfo, found: Feasible): readonly PodScoring[] {
    const context = this.contextOf(pod);
    const scorings: PodScoring[] = [];
    for (const plugin of this.#clusterScores) {
      const scoring = plugin.preScore(context, () => this.nodesOf(found));
      if (scoring) scorings.push({ name: plugin.name, scoring });
    }
    return scorings;
  }

  /** The total score of each of the nodes; `explain` gets each plugin's part of it. */
  #totalsOf(
    nodes: Int32Array,
    results: TemplateResults,
    scorings: readonly PodScoring[],
    explain: NodeScores[] | undefined,
  ): Float64Array {
    const totals = this.#totals.subarray(0, nodes.length);
    const { sums } = results;
    for (let i = 0; i < nodes.length; i++) totals[i] = sums[nodes[i] as number] as number;
    for (let i = 0; explain && i < nodes.length; i++) {
      explain.push(Object.fromEntries(results.plainScores(nodes[i] as number)));
    }
    const add = (name: string, weight: number, scores: Float64Array): void => {
      for (let i = 0; i < scores.length; i++) totals[i]! += weight * (scores[i] as number);
      if (explain)
        for (let i = 0; i < scores.length; i++) (explain[i] as NodeScores)[name] = weight * (scores[i] as number);
    };
    const scores = this.#scores.subarray(0, nodes.length);
    for (const { name, weight, scoring, raw, nonZero } of results.normalized) {
      // All equal: the order stays as it is, so that only explanations need the numbers.
      if (nonZero === 0 && !explain) continue;
      for (let i = 0; i < nodes.length; i++) scores[i] = raw[nodes[i] as number] as number;
      scoring.normalizeScore?.(scores, nodes);
      add(name, weight, scores);
    }
    for (const { name, scoring } of scorings) {
      for (let i = 0; i < nodes.length; i++) scores[i] = scoring.score(nodes[i] as number);
      scoring.normalizeScore?.(scores, nodes);
      add(name, this.#profile.weightOf(name), scores);
    }
    for (let i = 0; explain && i < nodes.length; i++) (explain[i] as NodeScores).total = totals[i] as number;
    return totals;
  }

  #key(pod: PodInfo): string {
    return pod.pod.spec?.nodeName ? `${pod.template.key} on ${pod.pod.spec.nodeName}` : pod.template.key;
  }

  #results(context: CycleContext): TemplateResults {
    const key = this.#key(context.pod);
    let results = this.#templates.get(key);
    if (results) this.#templates.delete(key);
    else {
      results = new TemplateResults(this.#state, this.#profile);
      for (const oldest of this.#templates.keys()) {
        if (this.#templates.size < TEMPLATES_MAX) break;
        this.#templates.delete(oldest);
      }
    }
    this.#templates.set(key, results);
    results.refresh(context);
    return results;
  }
}

function intersect(before: ReadonlySet<string> | undefined, { nodeNames }: Filtering): ReadonlySet<string> {
  if (!nodeNames || !before) return nodeNames ?? before ?? new Set();
  return new Set([...before].filter((name) => nodeNames.has(name)));
}
