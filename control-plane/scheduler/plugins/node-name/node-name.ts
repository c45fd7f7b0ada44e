import type { Plugin } from '../../framework/plugin.ts';
import { unresolvable } from '../../framework/status.ts';

export const NAME = 'NodeName';
const OTHER = unresolvable(NAME, "node(s) didn't match the requested node name");

/** A pod that names its node goes nowhere else. */
export function nodeName(): Plugin {
  return {
    name: NAME,
    scope: 'node',
    interests: [{ kind: 'Node', actions: ['add'] }],
    preFilter: ({ pod, state }) => {
      const wanted = pod.pod.spec?.nodeName;
      return wanted ? { filter: (node) => (state.names[node] === wanted ? undefined : OTHER) } : undefined;
    },
  };
}
