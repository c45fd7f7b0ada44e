import type { Node } from '../../cache/cluster-objects.ts';
import { type Taint, tolerates } from '../../cache/tolerations.ts';
import type { Plugin } from '../../framework/plugin.ts';
import { unresolvable } from '../../framework/status.ts';

export const NAME = 'NodeUnschedulable';
const CORDONED = unresolvable(NAME, 'node(s) were unschedulable');
const TAINT: Taint = Object.freeze({ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' });

/** Keeps pods off cordoned nodes, unless they tolerate the taint that cordoning leaves. */
export function nodeUnschedulable(): Plugin {
  return {
    name: NAME,
    scope: 'node',
    interests: [
      {
        kind: 'Node',
        actions: ['add', 'update'],
        helps: (_, { object, previous }) =>
          !(object as Node).spec?.unschedulable && (!previous || Boolean((previous as Node).spec?.unschedulable)),
      },
      { kind: 'Pod', actions: ['self'] },
    ],
    preFilter: ({ pod, state }) => {
      if (pod.template.tolerations.some((toleration) => tolerates(toleration, TAINT))) return undefined;
      return { filter: (node) => (state.unschedulable[node] ? CORDONED : undefined) };
    },
  };
}
