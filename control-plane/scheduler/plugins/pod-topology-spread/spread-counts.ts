import type { ClusterState } from '../../cache/cluster-state.ts';
import type { TopologyColumn } from '../../cache/columns.ts';
import type { PodCounter } from '../../cache/pod-counters.ts';
import type { PodInfo, SpreadConstraint } from '../../cache/pod-info.ts';
import { untolerated } from '../../cache/tolerations.ts';
import { NAMES_HOSTNAME } from '../../cache/well-known.ts';

/** One constraint beside the columns that it is about. */
export interface SpreadColumn {
  readonly constraint: SpreadConstraint;
  readonly topology: TopologyColumn;
  readonly counter: PodCounter;
  readonly hostname: boolean;
  readonly selfMatch: 0 | 1;
}

/** Terminating pods do not count: their place is about to be free. Neither does any for an empty selector. */
export function spreadColumns(
  pod: PodInfo,
  state: ClusterState,
  constraints: readonly SpreadConstraint[],
): readonly SpreadColumn[] {
  return constraints.map((constraint) => {
    const { selector, topologyKey } = constraint;
    const { namespace } = pod;
    const key = `spread ${namespace} ${selector.matchesNothing ? '\0' : selector.toString()}`;
    const counter = state.counter(
      key,
      (other) =>
        !selector.empty && !other.terminating && other.namespace === namespace && selector.matches(other.labels),
    );
    return {
      constraint,
      topology: state.topology(topologyKey),
      counter,
      hostname: topologyKey === NAMES_HOSTNAME,
      selfMatch: selector.matches(pod.labels) ? 1 : 0,
    };
  });
}

/** Whether the pods of the node count for the constraint: by its policies on node affinity and taints. */
export function inclusion(
  pod: PodInfo,
  state: ClusterState,
  constraint: SpreadConstraint,
): ((node: number) => boolean) | undefined {
  const match = constraint.honorNodeAffinity ? pod.template.nodeMatch : undefined;
  if (!match && !constraint.honorTaints) return undefined;
  return (node) => {
    if (match && !match(state.names[node] as string, state.labels[node] as (typeof state.labels)[number])) return false;
    return (
      !constraint.honorTaints ||
      !untolerated(state.taints[node] as (typeof state.taints)[number], pod.template.tolerations)
    );
  };
}

export function hasAllKeys(columns: readonly SpreadColumn[], node: number): boolean {
  for (const { topology } of columns) if ((topology.ids[node] as number) < 0) return false;
  return true;
}
