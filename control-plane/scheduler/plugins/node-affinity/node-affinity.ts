import type { NodeAffinity, NodeSelectorTerm } from '../../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import type { Node } from '../../cache/cluster-objects.ts';
import { type NodeMatch, requiredNodeMatch, termMatches } from '../../cache/node-selector.ts';
import type { PodInfo } from '../../cache/pod-info.ts';
import { type Filtering, normalizeByMaximum, type Plugin } from '../../framework/plugin.ts';
import { unresolvable } from '../../framework/status.ts';

export const NAME = 'NodeAffinity';
const OTHER = unresolvable(NAME, "node(s) didn't match Pod's node affinity/selector");
const ENFORCED = unresolvable(NAME, "node(s) didn't match scheduler-enforced node affinity");
const CONFLICT = unresolvable(NAME, 'pod affinity terms conflict');

type Term = DeepReadonly<NodeSelectorTerm>;

/** Node selectors and node affinity. `addedAffinity` holds for every pod of the profile. */
export function nodeAffinity(options: { readonly addedAffinity?: DeepReadonly<NodeAffinity> } = {}): Plugin {
  const { addedAffinity } = options;
  const added = requiredNodeMatch(
    undefined,
    addedAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms,
  );
  const addedPreferred = addedAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const fits = (pod: PodInfo, node: Node): boolean => matches(added, node) && matches(pod.template.nodeMatch, node);
  return {
    name: NAME,
    scope: 'node',
    interests: [
      {
        kind: 'Node',
        actions: ['add', 'update'],
        helps: (pod, { object, previous }) => fits(pod, object as Node) && (!previous || !fits(pod, previous as Node)),
      },
      { kind: 'Pod', actions: ['self'] },
    ],
    preFilter: ({ pod, state }) => {
      const { nodeMatch } = pod.template;
      if (!nodeMatch && !added) return undefined;
      const nodeNames = namedNodes(
        pod.pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms,
      );
      if (nodeNames?.size === 0) return CONFLICT;
      const filtering: Filtering = {
        filter: (node) => {
          const name = state.names[node] as string;
          const labels = state.labels[node] as (typeof state.labels)[number];
          if (added && !added(name, labels)) return ENFORCED;
          return nodeMatch && !nodeMatch(name, labels) ? OTHER : undefined;
        },
      };
      return nodeNames ? { ...filtering, nodeNames } : filtering;
    },
    preScore: ({ pod, state }) => {
      const preferred = [
        ...addedPreferred,
        ...(pod.pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []),
      ].filter(({ weight }) => weight !== 0);
      if (preferred.length === 0) return undefined;
      return {
        score: (node) => {
          let sum = 0;
          for (const { weight, preference } of preferred) {
            if (termMatches(preference, state.names[node] as string, state.labels[node])) sum += weight;
          }
          return sum;
        },
        normalizeScore: (scores) => normalizeByMaximum(scores, false),
      };
    },
  };
}

const matches = (match: NodeMatch | undefined, node: Node): boolean =>
  !match || match(node.metadata?.name ?? '', node.metadata?.labels ?? {});

/** The nodes that the terms name, where every term names some; undefined where other nodes may do too. */
function namedNodes(terms: readonly Term[] | undefined): ReadonlySet<string> | undefined {
  if (!terms || terms.length === 0) return undefined;
  const all = new Set<string>();
  for (const { matchFields = [] } of terms) {
    let named: Set<string> | undefined;
    for (const { key, operator, values = [] } of matchFields) {
      if (key !== 'metadata.name' || operator !== 'In') continue;
      named = new Set(named ? values.filter((value) => named?.has(value)) : values);
    }
    if (!named) return undefined;
    for (const name of named) all.add(name);
  }
  return all;
}
