import type { Plugin } from '../../framework/plugin.ts';

/** The more important pod first; of equals the one that has waited longer. */
export function prioritySort(): Plugin {
  return {
    name: 'PrioritySort',
    scope: 'cluster',
    queueSort: (a, b) => b.pod.priority - a.pod.priority || a.addedMs - b.addedMs || a.sequence - b.sequence,
  };
}
