import type { AffinityTerm, PodInfo } from './pod-info.ts';

/** How many pods of each node meet a condition; kept while pods come and go. */
export interface PodCounter {
  readonly counts: Int32Array;
  /** Over all nodes. */
  readonly total: number;
}

interface Counter {
  counts: Int32Array;
  total: number;
  readonly matches: (pod: PodInfo) => boolean;
}

/** The terms of placed pods, by what they mean for pods to come. */
export type TermKind = 'requiredAffinity' | 'requiredAntiAffinity' | 'preferredAffinity' | 'preferredAntiAffinity';

export const TERM_KINDS: readonly TermKind[] = [
  'requiredAffinity',
  'requiredAntiAffinity',
  'preferredAffinity',
  'preferredAntiAffinity',
];

/** One term that placed pods have, and how many pods of each node have it. */
export interface TermGroup {
  readonly term: AffinityTerm;
  readonly counts: Int32Array;
  readonly total: number;
}

interface Group {
  readonly term: AffinityTerm;
  counts: Int32Array;
  total: number;
}

/** Counters kept at once; the one unused for longest goes first. */
const COUNTERS_MAX = 512;

/**
 * Counts of pods by node, so that spreading and affinity sum columns instead of visiting pods. A counter is made when it
 * is first asked for and follows every change from then on.
 */
export class PodCounters {
  readonly #counters = new Map<string, Counter>();
  readonly #groups: Readonly<Record<TermKind, Map<string, Group>>> = {
    requiredAffinity: new Map(),
    requiredAntiAffinity: new Map(),
    preferredAffinity: new Map(),
    preferredAntiAffinity: new Map(),
  };
  #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** `key` stands for `matches`: equal keys, equal conditions. `all`: the pods there are, with their slots. */
  counter(
    key: string,
    matches: (pod: PodInfo) => boolean,
    all: () => Iterable<readonly [number, Iterable<PodInfo>]>,
  ): PodCounter {
    let counter = this.#counters.get(key);
    if (counter) {
      // Last in order is last to go.
      this.#counters.delete(key);
      this.#counters.set(key, counter);
      return counter;
    }
    counter = { counts: new Int32Array(this.#capacity), total: 0, matches };
    for (const [slot, pods] of all()) {
      for (const pod of pods) {
        if (!matches(pod)) continue;
        counter.counts[slot]!++;
        counter.total++;
      }
    }
    if (this.#counters.size >= COUNTERS_MAX) {
      for (const oldest of this.#counters.keys()) {
        this.#counters.delete(oldest);
        break;
      }
    }
    this.#counters.set(key, counter);
    return counter;
  }

  groups(kind: TermKind): Iterable<TermGroup> {
    return this.#groups[kind].values();
  }

  hasGroups(kind: TermKind): boolean {
    return this.#groups[kind].size > 0;
  }

  change(slot: number, pod: PodInfo, by: 1 | -1): void {
    for (const counter of this.#counters.values()) {
      if (!counter.matches(pod)) continue;
      counter.counts[slot]! += by;
      counter.total += by;
    }
    for (const kind of TERM_KINDS) {
      for (const term of pod[kind]) this.#changeGroup(this.#groups[kind], term, slot, by);
    }
  }

  #changeGroup(groups: Map<string, Group>, term: AffinityTerm, slot: number, by: 1 | -1): void {
    let group = groups.get(term.key);
    if (!group) groups.set(term.key, (group = { term, counts: new Int32Array(this.#capacity), total: 0 }));
    group.counts[slot]! += by;
    group.total += by;
    if (group.total === 0) groups.delete(term.key);
  }

  grow(capacity: number): void {
    this.#capacity = capacity;
    const grown = (counts: Int32Array) => {
      const larger = new Int32Array(capacity);
      larger.set(counts);
      return larger;
    };
    for (const counter of this.#counters.values()) counter.counts = grown(counter.counts);
    for (const kind of TERM_KINDS) for (const group of this.#groups[kind].values()) group.counts = grown(group.counts);
  }
}
