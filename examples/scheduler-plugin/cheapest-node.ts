// A scheduler plugin: nodes say what they cost (label `example.com/cents-per-hour`); pods that may wait
// (annotation `example.com/budget`) go to no node that costs more, and everything goes to the cheapest that fits.

import type { SchedulerPlugin } from 'tutti';

const LABEL = 'example.com/cents-per-hour';
const BUDGET = 'example.com/budget';

export const cheapestNode: SchedulerPlugin = {
  weight: 100,
  plugin: {
    name: 'CheapestNode',
    scope: 'cluster',
    // A pod that no node was cheap enough for is tried again when nodes come or change.
    interests: [{ kind: 'Node', actions: ['add', 'update'] }],
    preFilter({ pod, state }) {
      const budget = pod.pod.metadata.annotations?.[BUDGET];
      if (budget === undefined) return undefined;
      const tooDear = {
        code: 'Unschedulable',
        plugin: 'CheapestNode',
        reasons: ['node(s) cost more than the pod may'],
      } as const;
      return { filter: (slot) => (costOf(state.nodes[slot]) > Number(budget) ? tooDear : undefined) };
    },
    preScore: ({ state }) => ({ score: (slot) => Math.max(0, 100 - costOf(state.nodes[slot])) }),
  },
};

function costOf(node: { metadata: { labels?: Readonly<Record<string, string>> } } | undefined): number {
  return Number(node?.metadata.labels?.[LABEL] ?? 100);
}
