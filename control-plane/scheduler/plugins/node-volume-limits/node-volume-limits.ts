import type { ClusterObjects } from '../../cache/cluster-objects.ts';
import { claimsOf, classOf } from '../../cache/pod-claims.ts';
import type { PodInfo } from '../../cache/pod-info.ts';
import type { Plugin } from '../../framework/plugin.ts';
import { unschedulable } from '../../framework/status.ts';

export const NAME = 'NodeVolumeLimits';
const TOO_MANY = unschedulable(NAME, 'node(s) exceed max volume count');

/** A node attaches no more volumes of a driver than its CSINode says. */
export function nodeVolumeLimits(): Plugin {
  return {
    name: NAME,
    scope: 'cluster',
    interests: [
      { kind: 'CSINode', actions: ['add', 'update'] },
      { kind: 'Pod', actions: ['delete'] },
      { kind: 'PersistentVolumeClaim', actions: ['add'] },
      { kind: 'VolumeAttachment', actions: ['delete'] },
      { kind: 'Node', actions: ['add'] },
    ],
    preFilter: ({ pod, state, objects }) => {
      if (!pod.template.hasVolumes || !objects.has('CSINode')) return undefined;
      const wanted = new Map<string, string>();
      volumesOf(pod, objects, wanted);
      if (wanted.size === 0) return undefined;
      return {
        filter: (node) => {
          const name = state.names[node] as string;
          const limits = new Map<string, number>();
          for (const { name: driver, allocatable } of objects.get('CSINode', name)?.spec?.drivers ?? []) {
            if (allocatable?.count !== undefined) limits.set(driver, allocatable.count);
          }
          if (limits.size === 0) return undefined;
          const there = attachedVolumes(name, objects);
          for (const other of state.pods[node]?.values() ?? []) volumesOf(other, objects, there);
          const counts = new Map<string, number>();
          for (const driver of there.values()) counts.set(driver, (counts.get(driver) ?? 0) + 1);
          const more = new Set<string>();
          for (const [volume, driver] of wanted) {
            if (there.has(volume)) continue;
            counts.set(driver, (counts.get(driver) ?? 0) + 1);
            more.add(driver);
          }
          for (const driver of more) {
            if ((counts.get(driver) ?? 0) > (limits.get(driver) ?? Number.POSITIVE_INFINITY)) return TOO_MANY;
          }
          return undefined;
        },
      };
    },
  };
}

/** Adds the pod's volumes, each once under the name that its driver knows, with the driver. */
function volumesOf(pod: PodInfo, objects: ClusterObjects, found: Map<string, string>): void {
  if (!pod.template.hasVolumes) return;
  for (const { key } of claimsOf(pod)) {
    const claim = objects.get('PersistentVolumeClaim', key);
    if (!claim) continue;
    const volume = claim.spec?.volumeName ? objects.get('PersistentVolume', claim.spec.volumeName) : undefined;
    const csi = volume?.spec?.csi;
    if (csi) found.set(`${csi.driver} ${csi.volumeHandle}`, csi.driver);
    else if (!volume) {
      // A volume yet to be made will be of its class's driver.
      const driver = classOf(claim, objects)?.provisioner;
      if (driver) found.set(`${driver} claim ${key}`, driver);
    }
  }
}

/** Volumes that are still attached though no pod of the node uses them. */
function attachedVolumes(node: string, objects: ClusterObjects): Map<string, string> {
  const found = new Map<string, string>();
  for (const { spec } of objects.list('VolumeAttachment')) {
    if (spec?.nodeName !== node) continue;
    const volume = objects.get('PersistentVolume', spec.source?.persistentVolumeName ?? '');
    const csi = volume?.spec?.csi;
    if (csi && csi.driver === spec.attacher) found.set(`${csi.driver} ${csi.volumeHandle}`, csi.driver);
  }
  return found;
}
