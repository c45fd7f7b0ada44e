import type { Labels } from '../../../../libs/machinery/labels.ts';
import type { ClusterObjects, Pod } from '../../cache/cluster-objects.ts';
import type { ClusterState } from '../../cache/cluster-state.ts';
import type { TopologyColumn } from '../../cache/columns.ts';
import type { PodCounter } from '../../cache/pod-counters.ts';
import { type AffinityTerm, type PodInfo, PodReader, termSelects } from '../../cache/pod-info.ts';
import type { CycleContext, Plugin, Scoring } from '../../framework/plugin.ts';
import { unresolvable, unschedulable } from '../../framework/status.ts';

export const NAME = 'InterPodAffinity';
const NO_FRIEND = unresolvable(NAME, "node(s) didn't match pod affinity rules");
const FOE = unschedulable(NAME, "node(s) didn't match pod anti-affinity rules");
const FOE_OF_OTHERS = unschedulable(NAME, "node(s) didn't satisfy existing pods anti-affinity rules");

export interface InterPodAffinityArgs {
  /** What a required affinity of a placed pod is worth to one that it would like to have near. Default 1. */
  readonly hardPodAffinityWeight?: number;
  /** Pods without preferences of their own are not scored; those of placed pods still count for the others. */
  readonly ignorePreferredTermsOfExistingPods?: boolean;
}

/** Pods that want to be near to, or apart from, other pods. */
export function interPodAffinity(args: InterPodAffinityArgs = {}): Plugin {
  return {
    name: NAME,
    scope: 'cluster',
    interests: [
      { kind: 'Pod', actions: ['add', 'update', 'delete'], helps: concerns },
      { kind: 'Pod', actions: ['self'] },
      { kind: 'Node', actions: ['add', 'update'], helps: labelsChange },
    ],
    preFilter: (context) => {
      const { pod, state } = context;
      const own = pod.requiredAffinity.length > 0 || pod.requiredAntiAffinity.length > 0;
      if (!own && !state.counters.hasGroups('requiredAntiAffinity')) return undefined;
      const foesOfOthers = refusedDomains(context);
      if (!own && foesOfOthers.length === 0) return undefined;
      const near = nearDomains(context);
      const apart = pod.requiredAntiAffinity.map((term) => {
        const topology = state.topology(term.topologyKey);
        return { topology, counts: domainSums(state, topology, countOf(context, [term])) };
      });
      return {
        filter: (node) => {
          if (near && !near(node)) return NO_FRIEND;
          for (const { topology, counts } of apart) {
            const domain = topology.ids[node] as number;
            if (domain >= 0 && (counts[domain] as number) > 0) return FOE;
          }
          for (const { topology, counts } of foesOfOthers) {
            const domain = topology.ids[node] as number;
            if (domain >= 0 && (counts[domain] as number) > 0) return FOE_OF_OTHERS;
          }
          return undefined;
        },
      };
    },
    preScore: (context) =>
      scoring(context, args.hardPodAffinityWeight ?? 1, args.ignorePreferredTermsOfExistingPods ?? false),
  };
}

const namespaceLabels = (objects: ClusterObjects, name: string): Labels | undefined =>
  objects.get('Namespace', name)?.metadata?.labels;

/** The namespaces that a term of the pod to be placed speaks of; undefined: all. */
function namespacesOf(term: AffinityTerm, objects: ClusterObjects): ReadonlySet<string> | undefined {
  if (term.namespaceSelector.empty) return undefined;
  const names = new Set(term.namespaces);
  if (!term.namespaceSelector.matchesNothing) {
    for (const { metadata } of objects.list('Namespace')) {
      if (metadata?.name && term.namespaceSelector.matches(metadata.labels)) names.add(metadata.name);
    }
  }
  return names;
}

/** Counts the placed pods that meet all of the terms. Terminating ones count: they are still there. */
function countOf({ state, objects }: CycleContext, terms: readonly AffinityTerm[]): PodCounter {
  const conditions = terms.map((term) => ({ selector: term.selector, namespaces: namespacesOf(term, objects) }));
  const key = `affinity ${JSON.stringify(
    conditions.map(({ selector, namespaces }) => [
      selector.matchesNothing ? 0 : selector.toString(),
      namespaces ? [...namespaces].sort() : 0,
    ]),
  )}`;
  return state.counter(key, (pod) =>
    conditions.every(
      ({ selector, namespaces }) => (!namespaces || namespaces.has(pod.namespace)) && selector.matches(pod.labels),
    ),
  );
}

function domainSums(state: ClusterState, topology: TopologyColumn, counter: { counts: Int32Array; total: number }) {
  const sums = new Int32Array(topology.domains.length);
  if (counter.total === 0) return sums;
  const { ids } = topology;
  const { counts } = counter;
  for (let node = 0; node < state.length; node++) {
    const domain = ids[node] as number;
    if (domain >= 0) sums[domain]! += counts[node] as number;
  }
  return sums;
}

/** Whether a node is near to the pods that the pod wants to be near to. */
function nearDomains(context: CycleContext): ((node: number) => boolean) | undefined {
  const { pod, state, objects } = context;
  const terms = pod.requiredAffinity;
  if (terms.length === 0) return undefined;
  const counter = countOf(context, terms);
  const parts = terms.map((term) => {
    const topology = state.topology(term.topologyKey);
    return { topology, counts: domainSums(state, topology, counter) };
  });
  // The first of a group that wants to be together would wait for ever: nobody is there yet, and it is one of them.
  const first =
    parts.every(({ counts }) => counts.every((count) => count === 0)) &&
    terms.every((term) => termSelects(term, pod, namespaceLabels(objects, pod.namespace)));
  return (node) => {
    let found = true;
    for (const { topology, counts } of parts) {
      const domain = topology.ids[node] as number;
      if (domain < 0) return false;
      if ((counts[domain] as number) === 0) found = false;
    }
    return found || first;
  };
}

/** The domains that placed pods keep this pod out of. */
function refusedDomains({ pod, state, objects }: CycleContext) {
  const labels = namespaceLabels(objects, pod.namespace);
  const refused: { topology: TopologyColumn; counts: Int32Array }[] = [];
  for (const group of state.counters.groups('requiredAntiAffinity')) {
    if (!termSelects(group.term, pod, labels)) continue;
    const topology = state.topology(group.term.topologyKey);
    refused.push({ topology, counts: domainSums(state, topology, group) });
  }
  return refused;
}

function scoring(context: CycleContext, hardWeight: number, ignoreOthers: boolean): Scoring | undefined {
  const { pod, state, objects } = context;
  const own = pod.preferredAffinity.length > 0 || pod.preferredAntiAffinity.length > 0;
  if (!own && ignoreOthers) return undefined;
  const sums = new Map<TopologyColumn, Float64Array>();
  let touched = false;
  const add = (topologyKey: string, counter: { counts: Int32Array; total: number }, weight: number): void => {
    if (counter.total === 0 || weight === 0) return;
    const topology = state.topology(topologyKey);
    let scores = sums.get(topology);
    if (!scores) sums.set(topology, (scores = new Float64Array(topology.domains.length)));
    const { ids } = topology;
    const { counts } = counter;
    for (let node = 0; node < state.length; node++) {
      const domain = ids[node] as number;
      if (domain < 0 || counts[node] === 0) continue;
      scores[domain]! += weight * (counts[node] as number);
      touched = true;
    }
  };
  for (const term of pod.preferredAffinity) add(term.topologyKey, countOf(context, [term]), term.weight);
  for (const term of pod.preferredAntiAffinity) add(term.topologyKey, countOf(context, [term]), -term.weight);
  const labels = namespaceLabels(objects, pod.namespace);
  const others = (kind: Parameters<typeof state.counters.groups>[0], weight: (term: AffinityTerm) => number): void => {
    if (!state.counters.hasGroups(kind)) return;
    for (const group of state.counters.groups(kind)) {
      if (termSelects(group.term, pod, labels)) add(group.term.topologyKey, group, weight(group.term));
    }
  };
  others('requiredAffinity', () => hardWeight);
  others('preferredAffinity', (term) => term.weight);
  others('preferredAntiAffinity', (term) => -term.weight);
  if (!touched) return undefined;
  const parts = [...sums];
  return {
    score: (node) => {
      let sum = 0;
      for (const [topology, scores] of parts) {
        const domain = topology.ids[node] as number;
        if (domain >= 0) sum += scores[domain] as number;
      }
      return sum;
    },
    normalizeScore: (scores) => {
      let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      for (const score of scores) {
        if (score < min) min = score;
        if (score > max) max = score;
      }
      for (let i = 0; i < scores.length; i++) {
        scores[i] = max > min ? Math.floor(100 * (((scores[i] as number) - min) / (max - min))) : 0;
      }
    },
  };
}

/** A pod comes, goes or changes its labels that the pod wants near, wants apart, or that wants the pod apart. */
function concerns(
  pod: PodInfo,
  { action, object, previous }: { action: string; object: object | undefined; previous: object | undefined },
): boolean {
  // Namespaces' labels are not at hand here: a namespace selector is taken to match.
  const selects = (term: AffinityTerm, other: Pod) =>
    (term.namespaces.includes(other.metadata?.namespace ?? '') || !term.namespaceSelector.matchesNothing) &&
    term.selector.matches(other.metadata?.labels);
  const [now, before] = [object as Pod | undefined, previous as Pod | undefined];
  const wants = (other: Pod | undefined) =>
    other !== undefined && pod.requiredAffinity.some((term) => selects(term, other));
  const shuns = (other: Pod | undefined) =>
    other !== undefined && pod.requiredAntiAffinity.some((term) => selects(term, other));
  if (wants(now) && !wants(before)) return true;
  if (shuns(before) && !shuns(now)) return true;
  // The rules of pods cannot change, so only a deletion takes one away.
  if (action !== 'delete' || !before) return false;
  const gone = new PodReader().read(before);
  return gone.requiredAntiAffinity.some((term) => selects(term, pod.pod));
}

function labelsChange(
  pod: PodInfo,
  { object, previous }: { object: object | undefined; previous: object | undefined },
): boolean {
  const keys = [...pod.requiredAffinity, ...pod.requiredAntiAffinity].map(({ topologyKey }) => topologyKey);
  const value = (node: object | undefined, key: string) =>
    (node as { metadata?: { labels?: Labels } } | undefined)?.metadata?.labels?.[key];
  if (keys.length === 0) return true;
  return keys.some((key) => value(object, key) !== undefined && value(object, key) !== value(previous, key));
}
