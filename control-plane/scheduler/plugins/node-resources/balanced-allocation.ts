import type { Plugin } from '../../framework/plugin.ts';
import { DEFAULT_RESOURCES, type WeightedResource } from './scoring-strategy.ts';

export const NAME = 'NodeResourcesBalancedAllocation';
const NATIVE: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage']);

/** Prefers nodes whose resources the pod makes more evenly used: 75 when nothing changes, up to 50 less or 25 more. */
export function nodeResourcesBalancedAllocation(
  args: { readonly resources?: readonly WeightedResource[] } = {},
): Plugin {
  const names = (args.resources ?? DEFAULT_RESOURCES).map(({ name }) => name);
  return {
    name: NAME,
    scope: 'node',
    preScore: ({ pod, state }) => {
      const { requests, bestEffort } = pod.template;
      if (bestEffort) return undefined;
      const wanted = names
        .filter((name) => NATIVE.has(name) || (requests.get(name) ?? 0) > 0)
        .map((name) => ({
          request: requests.get(name) ?? 0,
          allocatable: state.allocatable(name),
          requested: state.requested(name),
        }));
      const after = new Float64Array(wanted.length);
      const before = new Float64Array(wanted.length);
      return {
        score: (node) => {
          let count = 0;
          for (const { request, allocatable, requested } of wanted) {
            const capacity = allocatable.values[node] as number;
            if (capacity === 0) continue;
            const used = requested.values[node] as number;
            before[count] = Math.min(used / capacity, 1);
            after[count] = Math.min((used + request) / capacity, 1);
            count++;
          }
          return Math.floor(75 + (balance(after, count) - balance(before, count)) / 2);
        },
      };
    },
  };
}

/** 100 where all fractions are equal; a whole number. */
function balance(fractions: Float64Array, count: number): number {
  if (count < 2) return 100;
  if (count === 2) {
    return Math.trunc((1 - Math.abs(((fractions[0] as number) - (fractions[1] as number)) / 2)) * 100);
  }
  let mean = 0;
  for (let i = 0; i < count; i++) mean += fractions[i] as number;
  mean /= count;
  let squares = 0;
  for (let i = 0; i < count; i++) squares += ((fractions[i] as number) - mean) ** 2;
  return Math.trunc((1 - Math.sqrt(squares / count)) * 100);
}
