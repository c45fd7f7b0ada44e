import { claimsOf, isBound } from '../../cache/pod-claims.ts';
import type { Plugin } from '../../framework/plugin.ts';
import { unresolvable } from '../../framework/status.ts';

export const NAME = 'VolumeZone';
const ELSEWHERE = unresolvable(NAME, 'node(s) had no available volume zone');

/** Labels of volumes that say where they are, beside the names that nodes may have them under. */
const TOPOLOGY_LABELS: readonly (readonly string[])[] = [
  ['topology.kubernetes.io/zone', 'failure-domain.beta.kubernetes.io/zone'],
  ['topology.kubernetes.io/region', 'failure-domain.beta.kubernetes.io/region'],
];

/** Volumes labelled with a zone or region are used from there alone. */
export function volumeZone(): Plugin {
  return {
    name: NAME,
    scope: 'cluster',
    interests: [
      { kind: 'PersistentVolumeClaim', actions: ['add', 'update'] },
      { kind: 'PersistentVolume', actions: ['add', 'update'] },
      { kind: 'StorageClass', actions: ['add'] },
      { kind: 'Node', actions: ['add', 'update'] },
    ],
    preFilter: ({ pod, state, objects }) => {
      if (!pod.template.hasVolumes) return undefined;
      const wanted: { labels: readonly string[]; values: ReadonlySet<string> }[] = [];
      for (const { key } of claimsOf(pod)) {
        const claim = objects.get('PersistentVolumeClaim', key);
        if (!claim || !isBound(claim)) continue;
        const labels = objects.get('PersistentVolume', claim.spec?.volumeName ?? '')?.metadata?.labels ?? {};
        for (const names of TOPOLOGY_LABELS) {
          for (const name of names) {
            // A volume may be in several zones: `a__b`.
            if (Object.hasOwn(labels, name)) {
              wanted.push({ labels: [name, ...names], values: new Set((labels[name] as string).split('__')) });
            }
          }
        }
      }
      if (wanted.length === 0) return undefined;
      const all = TOPOLOGY_LABELS.flat();
      return {
        filter: (node) => {
          const labels = state.labels[node] as (typeof state.labels)[number];
          if (!all.some((name) => Object.hasOwn(labels, name))) return undefined;
          const fits = wanted.every(({ labels: names, values }) => {
            const name = names.find((candidate) => Object.hasOwn(labels, candidate));
            return name !== undefined && values.has(labels[name] as string);
          });
          return fits ? undefined : ELSEWHERE;
        },
      };
    },
  };
}
