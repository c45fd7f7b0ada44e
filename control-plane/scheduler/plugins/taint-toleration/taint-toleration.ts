import type { Node } from '../../cache/cluster-objects.ts';
import { type Toleration, tolerates, untolerated } from '../../cache/tolerations.ts';
import { normalizeByMaximum, type Plugin } from '../../framework/plugin.ts';
import { unresolvable } from '../../framework/status.ts';

export const NAME = 'TaintToleration';
const TAINTED = unresolvable(NAME, 'node(s) had untolerated taint(s)');

/** Keeps pods off nodes whose taints they do not tolerate, and prefers nodes with few soft ones. */
export function taintToleration(options: { readonly comparison: boolean }): Plugin {
  const usable = (tolerations: readonly Toleration[]): readonly Toleration[] =>
    options.comparison ? tolerations : tolerations.filter(({ operator }) => operator !== 'Gt' && operator !== 'Lt');
  return {
    name: NAME,
    scope: 'node',
    interests: [
      {
        kind: 'Node',
        actions: ['add', 'update'],
        helps: ({ template }, { object, previous }) => {
          const fits = (node: Node) => !untolerated(node.spec?.taints ?? [], template.tolerations);
          return fits(object as Node) && (!previous || !fits(previous as Node));
        },
      },
      { kind: 'Pod', actions: ['self'] },
    ],
    preFilter: ({ pod, state }) => {
      const tolerations = usable(pod.template.tolerations);
      return {
        filter: (node) => {
          const taints = state.taints[node] as (typeof state.taints)[number];
          return taints.length > 0 && untolerated(taints, tolerations) ? TAINTED : undefined;
        },
      };
    },
    preScore: ({ pod, state }) => {
      const tolerations = usable(pod.template.tolerations).filter(
        ({ effect }) => !effect || effect === 'PreferNoSchedule',
      );
      return {
        score: (node) => {
          let count = 0;
          for (const taint of state.taints[node] as (typeof state.taints)[number]) {
            if (taint.effect !== 'PreferNoSchedule') continue;
            if (!tolerations.some((toleration) => tolerates(toleration, taint))) count++;
          }
          return count;
        },
        normalizeScore: (scores) => normalizeByMaximum(scores, true),
      };
    },
  };
}
