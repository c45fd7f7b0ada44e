import { couldRestartAllContainers } from '../../../../api/core/pod/restart-rules.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import type { Node, Pod } from '../../cache/cluster-objects.ts';
import type { Plugin } from '../../framework/plugin.ts';
import { unresolvable } from '../../framework/status.ts';

export const NAME = 'NodeDeclaredFeatures';
const MISSING = unresolvable(NAME, "node(s) didn't match Pod's required features");

/** What a pod asks of its node, by the names that nodes declare in `status.declaredFeatures`. */
export const requiredFeatures = ({ spec }: Pod): readonly string[] =>
  couldRestartAllContainers(spec) ? ['RestartAllContainersOnContainerExits'] : [];

/** Keeps pods to nodes that say they can do what the pod is written for. */
export function nodeDeclaredFeatures(): Plugin {
  return {
    name: NAME,
    scope: 'node',
    interests: [
      {
        kind: 'Node',
        actions: ['add', 'update'],
        helps: (_, { object, previous }) =>
          !previous ||
          !sameValue((object as Node).status?.declaredFeatures, (previous as Node).status?.declaredFeatures),
      },
    ],
    preFilter: ({ pod, state }) => {
      const required = requiredFeatures(pod.pod);
      if (required.length === 0) return undefined;
      return {
        filter(node) {
          const declared = state.nodes[node]?.status?.declaredFeatures ?? [];
          return required.every((feature) => declared.includes(feature)) ? undefined : MISSING;
        },
      };
    },
  };
}
