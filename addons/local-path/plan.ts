import type { Node, PersistentVolume, PersistentVolumeClaim } from '../../api/types/core/v1.generated.ts';
import type { StorageClass } from '../../api/types/storage/v1.generated.ts';
import type { Live } from '../../libs/kind/object.ts';
import type { Plan } from '../../libs/kind/reconciler.ts';
import { DIRECTORY_ANNOTATION, DIRECTORY_MODE_ANNOTATION, PROVISIONED_BY, PROVISIONER } from './names.ts';

export type Observed = ClaimObserved | VolumeObserved;

export interface ClaimObserved {
  readonly claim: Live<PersistentVolumeClaim>;
  readonly storageClass: Live<StorageClass>;
  /** The node that the scheduler has chosen for the claim's pod; undefined: none, or it is gone. */
  readonly node: Live<Node> | undefined;
  /** Where volumes lie on nodes that do not say it themselves. */
  readonly directory: string;
}

export interface VolumeObserved {
  readonly volume: Live<PersistentVolume>;
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'provision'; readonly volume: PersistentVolume }
  | { readonly type: 'refuse'; readonly message: string }
  | { readonly type: 'reschedule' }
  | { readonly type: 'delete' }
);

const STORAGE_PROVISIONER = 'volume.kubernetes.io/storage-provisioner';
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
/** Whoever runs in the pod may write: a folder on a node has no other owner to ask. */
const MODE = '0777';

/** A claim that asks for it gets a folder on its pod's node; a volume that nobody has any more goes. */
export function plan(observed: Observed): Plan<Action> {
  return { actions: 'claim' in observed ? planClaim(observed) : planVolume(observed.volume) };
}

function planClaim({ claim, storageClass, node, directory }: ClaimObserved): Action[] {
  const { annotations = {}, deletionTimestamp } = claim.metadata;
  const asked = annotations[STORAGE_PROVISIONER] === PROVISIONER && storageClass.provisioner === PROVISIONER;
  if (!asked || claim.spec?.volumeName || deletionTimestamp) return [];
  const problem = whyNot(claim);
  if (problem) return [{ type: 'refuse', message: problem, reason: 'a folder cannot do that' }];
  if (node)
    return [{ type: 'provision', volume: volumeFor(claim, storageClass, node, directory), reason: 'asked for' }];
  if (annotations[SELECTED_NODE]) return [{ type: 'reschedule', reason: 'the node is gone' }];
  const message =
    `failed to provision volume with StorageClass "${storageClass.metadata.name}": a folder lies on one node, which is ` +
    'known when the pod is scheduled: the class needs volumeBindingMode WaitForFirstConsumer';
  return [{ type: 'refuse', message, reason: 'no node is known' }];
}

function whyNot({ spec }: Live<PersistentVolumeClaim>): string | undefined {
  const failed = (why: string) => `failed to provision volume with StorageClass "${spec?.storageClassName}": ${why}`;
  const shared = spec?.accessModes?.find((mode) => mode !== 'ReadWriteOnce' && mode !== 'ReadWriteOncePod');
  if (shared) return failed(`a folder on one node cannot be ${shared}; use ReadWriteOnce`);
  if (spec?.volumeMode === 'Block') return failed('a folder is no block device');
  if (spec?.selector) return failed('claim.Spec.Selector is not supported');
  if (spec?.dataSource ?? spec?.dataSourceRef) return failed('volumes cannot be made from another one');
  return undefined;
}

function volumeFor(
  { metadata, spec }: Live<PersistentVolumeClaim>,
  storageClass: Live<StorageClass>,
  node: Live<Node>,
  directory: string,
): PersistentVolume {
  const name = `pvc-${metadata.uid}`;
  const { namespace, uid, resourceVersion } = metadata;
  const hostname = node.metadata.labels?.['kubernetes.io/hostname'] ?? node.metadata.name;
  const below = node.metadata.annotations?.[DIRECTORY_ANNOTATION] ?? directory;
  const term = { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [hostname] }] };
  return {
    metadata: { name, annotations: { [PROVISIONED_BY]: PROVISIONER, [DIRECTORY_MODE_ANNOTATION]: MODE } },
    spec: {
      capacity: { storage: spec?.resources?.requests?.storage },
      accessModes: [...(spec?.accessModes ?? [])],
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
      storageClassName: storageClass.metadata.name,
      volumeMode: 'Filesystem',
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace,
        name: metadata.name,
        uid,
        resourceVersion,
      },
      local: { path: `${below}/${name}` },
      nodeAffinity: { required: { nodeSelectorTerms: [term] } },
    },
  } as PersistentVolume;
}

function planVolume({ metadata, spec, status }: Live<PersistentVolume>): Action[] {
  const isOver =
    metadata.annotations?.[PROVISIONED_BY] === PROVISIONER &&
    status?.phase === 'Released' &&
    spec?.persistentVolumeReclaimPolicy === 'Delete' &&
    !metadata.deletionTimestamp;
  return isOver ? [{ type: 'delete', reason: 'its claim is gone' }] : [];
}
