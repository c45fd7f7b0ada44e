import type { ClusterState } from '../cache/cluster-state.ts';
import { type CycleContext, type Filtering, isStatus, type Scoring } from '../framework/plugin.ts';
import type { Profile } from '../framework/profile.ts';
import type { Status } from '../framework/status.ts';
import { Ranks } from './ranks.ts';

/** What is the same for all pods of a template knows nothing of where one of them fits. */
const NO_NODES = (): Int32Array => new Int32Array(0);

interface Scorer {
  readonly name: string;
  readonly weight: number;
  readonly scoring: Scoring;
  readonly raw: Float64Array;
  /** Nodes with a raw score other than 0. */
  nonZero: number;
}

/** The part of the filters and scores that pods of one template share, kept until a node changes. */
export class TemplateResults {
  /** The template as a whole is refused. */
  refusal: Status | undefined;
  /** Only these nodes; and by which plugins. */
  nodeNames: ReadonlySet<string> | undefined;
  restrictedBy: readonly string[] = [];
  /** By slot: whether all filters let the pod pass. */
  passes = new Uint8Array(0);
  /** By slot: the weighted sum of the scores that need no normalization. */
  sums = new Float64Array(0);
  /** The nodes that pass, by these sums. */
  ranks = new Ranks(this.passes, this.sums);
  /** Scorers that normalize. */
  normalized: Scorer[] = [];
  readonly #state: ClusterState;
  readonly #profile: Profile;
  #filters: ((node: number) => Status | undefined)[] = [];
  #plain: Scorer[] = [];
  #refusals: (Status | undefined)[] = [];
  #epoch = -1;
  #position = -1;

  constructor(state: ClusterState, profile: Profile) {
    this.#state = state;
    this.#profile = profile;
  }

  /** The first refusal of a node that does not pass. */
  refusalOf(node: number): Status | undefined {
    return this.#refusals[node];
  }

  /** Runs the template's filters on a node as it is at this moment, keeping nothing. */
  filter(node: number): Status | undefined {
    for (const filter of this.#filters) {
      const refusal = filter(node);
      if (refusal) return refusal;
    }
    return undefined;
  }

  /** One plugin's weighted score of a node, as kept; for explanations. */
  plainScores(node: number): [string, number][] {
    return this.#plain.map(({ name, weight, raw }) => [name, weight * (raw[node] as number)]);
  }

  /** Brings the results up to the state's present. */
  refresh(context: CycleContext): void {
    const state = this.#state;
    const slots = this.#epoch === state.epoch ? state.changed(this.#position) : undefined;
    if (!slots || slots.length > state.length) this.#renew(context);
    else for (const node of slots) this.#evaluate(node);
    this.#epoch = state.epoch;
    this.#position = state.position;
  }

  #renew(context: CycleContext): void {
    const { length } = this.#state;
    this.refusal = undefined;
    this.nodeNames = undefined;
    this.restrictedBy = [];
    this.passes = new Uint8Array(length);
    this.sums = new Float64Array(length);
    this.ranks = new Ranks(this.passes, this.sums);
    this.#refusals = new Array(length);
    this.#filters = [];
    this.#plain = [];
    this.normalized = [];
    for (const plugin of this.#profile.at('preFilter')) {
      if (plugin.scope !== 'node') continue;
      const filtering = plugin.preFilter(context);
      if (!filtering) continue;
      if (isStatus(filtering)) {
        this.refusal = filtering;
        return;
      }
      this.#restrict(plugin.name, filtering);
      if (filtering.filter) this.#filters.push(filtering.filter);
    }
    for (const plugin of this.#profile.at('preScore')) {
      const weight = this.#profile.weightOf(plugin.name);
      if (plugin.scope !== 'node' || weight === 0) continue;
      const scoring = plugin.preScore(context, NO_NODES);
      if (!scoring) continue;
      const scorer = { name: plugin.name, weight, scoring, raw: new Float64Array(length), nonZero: 0 };
      (scoring.normalizeScore ? this.normalized : this.#plain).push(scorer);
    }
    for (let node = 0; node < length; node++) this.#evaluate(node);
  }

  #restrict(plugin: string, { nodeNames }: Filtering): void {
    if (!nodeNames) return;
    const { nodeNames: before } = this;
    this.nodeNames = before ? new Set([...before].filter((name) => nodeNames.has(name))) : nodeNames;
    this.restrictedBy = [...this.restrictedBy, plugin];
  }

  #evaluate(node: number): void {
    if (this.refusal) return;
    const refusal = this.#state.present[node] ? this.filter(node) : undefined;
    const passes = this.#state.present[node] === 1 && !refusal;
    this.#refusals[node] = refusal;
    this.passes[node] = passes ? 1 : 0;
    this.ranks.touch(node);
    if (!passes) return;
    let sum = 0;
    for (const { scoring, weight, raw } of this.#plain) {
      const score = scoring.score(node);
      raw[node] = score;
      sum += weight * score;
    }
    this.sums[node] = sum;
    for (const scorer of this.normalized) {
      const score = scorer.scoring.score(node);
      scorer.nonZero += (score === 0 ? 0 : 1) - (scorer.raw[node] === 0 ? 0 : 1);
      scorer.raw[node] = score;
    }
  }
}
