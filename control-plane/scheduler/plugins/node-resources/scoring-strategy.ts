import type { ClusterState } from '../../cache/cluster-state.ts';
import type { PodTemplate } from '../../cache/pod-info.ts';

export interface WeightedResource {
  readonly name: string;
  readonly weight: number;
}

export interface ScoringStrategy {
  readonly type: 'LeastAllocated' | 'MostAllocated' | 'RequestedToCapacityRatio';
  readonly resources: readonly WeightedResource[];
  /** Utilization in percent to a score of 0…10, in rising order; between the points straight lines. */
  readonly requestedToCapacityRatio?: {
    readonly shape: readonly { readonly utilization: number; readonly score: number }[];
  };
}

export const DEFAULT_RESOURCES: readonly WeightedResource[] = Object.freeze([
  { name: 'cpu', weight: 1 },
  { name: 'memory', weight: 1 },
]);

const NATIVE: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** Scores a node by how full the pod would leave it. */
export function strategyScore(
  strategy: ScoringStrategy,
  state: ClusterState,
  template: PodTemplate,
): (node: number) => number {
  const resources = strategy.resources
    .map(({ name, weight }) => ({
      weight: weight || 1,
      // What a node is said to have of a resource that the pod does not want says nothing about the pod.
      wanted: NATIVE.has(name) || (template.requests.get(name) ?? 0) > 0,
      request:
        (name === 'cpu' || name === 'memory' ? template.scoredRequests.get(name) : template.requests.get(name)) ?? 0,
      allocatable: state.allocatable(name),
      requested: state.scoredRequested(name),
    }))
    .filter(({ wanted }) => wanted);
  const score = resourceScore(strategy);
  const ratio = strategy.type === 'RequestedToCapacityRatio';
  return (node) => {
    let sum = 0;
    let weights = 0;
    for (const { weight, request, allocatable, requested } of resources) {
      const capacity = allocatable.values[node] as number;
      if (capacity === 0) continue;
      const one = score((requested.values[node] as number) + request, capacity);
      if (ratio && one <= 0) continue;
      sum += one * weight;
      weights += weight;
    }
    if (weights === 0) return 0;
    return ratio ? Math.round(sum / weights) : Math.floor(sum / weights);
  };
}

function resourceScore({
  type,
  requestedToCapacityRatio,
}: ScoringStrategy): (requested: number, capacity: number) => number {
  switch (type) {
    case 'LeastAllocated':
      return (requested, capacity) =>
        requested > capacity ? 0 : Math.floor(((capacity - requested) * 100) / capacity);
    case 'MostAllocated':
      return (requested, capacity) => Math.floor((Math.min(requested, capacity) * 100) / capacity);
    case 'RequestedToCapacityRatio': {
      const points = (requestedToCapacityRatio?.shape ?? []).map(({ utilization, score }) => ({
        utilization,
        score: score * 10,
      }));
      return (requested, capacity) =>
        interpolate(points, requested > capacity ? 100 : Math.floor((requested * 100) / capacity));
    }
  }
}

function interpolate(points: readonly { utilization: number; score: number }[], at: number): number {
  for (const [index, { utilization, score }] of points.entries()) {
    if (at > utilization) continue;
    const before = points[index - 1];
    if (!before) return score;
    const slope = ((score - before.score) * (at - before.utilization)) / (utilization - before.utilization);
    return before.score + Math.trunc(slope);
  }
  return points.at(-1)?.score ?? 0;
}
