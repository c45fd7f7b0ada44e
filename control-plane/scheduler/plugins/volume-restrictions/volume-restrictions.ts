import type { Pod } from '../../cache/cluster-objects.ts';
import { claimsOf } from '../../cache/pod-claims.ts';
import type { PodInfo } from '../../cache/pod-info.ts';
import type { CycleContext, Plugin } from '../../framework/plugin.ts';
import { unschedulable } from '../../framework/status.ts';

export const NAME = 'VolumeRestrictions';
const IN_USE = unschedulable(
  NAME,
  'node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod',
);
const NO_DISK = unschedulable(NAME, 'node(s) had no available disk');

type Volume = NonNullable<NonNullable<Pod['spec']>['volumes']>[number];

/** Volumes that only one pod, or only one node, may use. */
export function volumeRestrictions(): Plugin {
  return {
    name: NAME,
    scope: 'cluster',
    interests: [
      { kind: 'Pod', actions: ['delete'], helps: (pod, { previous }) => sharesVolumes(pod, previous as Pod) },
      { kind: 'PersistentVolumeClaim', actions: ['add', 'update'] },
      { kind: 'Node', actions: ['add'] },
    ],
    preFilter: (context) => {
      const { pod, state } = context;
      if (!pod.template.hasVolumes) return undefined;
      const disks = (pod.pod.spec?.volumes ?? []).filter(isDisk);
      const inUse = oncePodInUse(context);
      if (disks.length === 0 && !inUse) return undefined;
      return {
        filter: (node) => {
          if (disks.length > 0) {
            for (const other of state.pods[node]?.values() ?? []) {
              const theirs = other.pod.spec?.volumes?.filter(isDisk) ?? [];
              if (disks.some((disk) => theirs.some((their) => conflicts(disk, their)))) return NO_DISK;
            }
          }
          return inUse ? IN_USE : undefined;
        },
      };
    },
  };
}

/** Whether a claim that only one pod may use is used by a placed pod, wherever that is. */
function oncePodInUse({ pod, state, objects }: CycleContext): boolean {
  const exclusive = new Set<string>();
  for (const { key } of claimsOf(pod)) {
    const claim = objects.get('PersistentVolumeClaim', key);
    if (claim?.spec?.accessModes?.includes('ReadWriteOncePod')) exclusive.add(key);
  }
  if (exclusive.size === 0) return false;
  const keys = [...exclusive].sort();
  return (
    state.counter(`claims ${keys.join(' ')}`, (other) => claimsOf(other).some(({ key }) => exclusive.has(key))).total >
    0
  );
}

function sharesVolumes(pod: PodInfo, gone: Pod): boolean {
  if (gone.metadata?.namespace !== pod.namespace) return (pod.pod.spec?.volumes ?? []).some(isDisk);
  const theirs = gone.spec?.volumes?.map(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName) ?? [];
  return claimsOf(pod).some(({ name }) => theirs.includes(name)) || (pod.pod.spec?.volumes ?? []).some(isDisk);
}

const isDisk = (volume: Volume): boolean =>
  Boolean(volume.gcePersistentDisk ?? volume.awsElasticBlockStore ?? volume.iscsi ?? volume.rbd);

/** The same disk twice on a node, unless both only read and the disk allows that. */
function conflicts(a: Volume, b: Volume): boolean {
  if (a.gcePersistentDisk && b.gcePersistentDisk) {
    return (
      a.gcePersistentDisk.pdName === b.gcePersistentDisk.pdName &&
      !(a.gcePersistentDisk.readOnly && b.gcePersistentDisk.readOnly)
    );
  }
  if (a.awsElasticBlockStore && b.awsElasticBlockStore) {
    return a.awsElasticBlockStore.volumeID === b.awsElasticBlockStore.volumeID;
  }
  if (a.iscsi && b.iscsi) return a.iscsi.iqn === b.iscsi.iqn && !(a.iscsi.readOnly && b.iscsi.readOnly);
  if (a.rbd && b.rbd) {
    const [one, other] = [a.rbd, b.rbd];
    return (
      one.monitors.some((monitor) => other.monitors.includes(monitor)) &&
      (one.pool ?? 'rbd') === (other.pool ?? 'rbd') &&
      one.image === other.image &&
      !(one.readOnly && other.readOnly)
    );
  }
  return false;
}
