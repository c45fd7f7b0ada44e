import type { Labels } from '../../../../libs/machinery/labels.ts';
import { labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import { compareQuantity, mustParseQuantity, type Quantity } from '../../../../libs/machinery/quantity.ts';
import type {
  ClusterObjects,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '../../cache/cluster-objects.ts';
import { anyTermMatches } from '../../cache/node-selector.ts';
import { classNameOf } from '../../cache/pod-claims.ts';

export interface NodeNamed {
  readonly name: string;
  readonly labels: Labels;
}

export const storageOf = (claim: PersistentVolumeClaim): Quantity =>
  mustParseQuantity(String(claim.spec?.resources?.requests?.storage ?? '0'));

const capacityOf = (volume: PersistentVolume): Quantity =>
  mustParseQuantity(String(volume.spec?.capacity?.storage ?? '0'));

export function reachable(volume: PersistentVolume, { name, labels }: NodeNamed): boolean {
  const required = volume.spec?.nodeAffinity?.required;
  return !required || anyTermMatches(required.nodeSelectorTerms, name, labels);
}

/** Whether the volume is reserved for this claim. */
export function reservedFor(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const ref = volume.spec?.claimRef;
  if (!ref || ref.name !== claim.metadata?.name || ref.namespace !== claim.metadata?.namespace) return false;
  return !ref.uid || ref.uid === claim.metadata?.uid;
}

/** The smallest volume that does, reachable from the node; one that is reserved for the claim before all others. */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
  node: NodeNamed,
  taken: ReadonlySet<string>,
): PersistentVolume | undefined {
  const wanted = storageOf(claim);
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    const name = volume.metadata?.name ?? '';
    if (taken.has(name) || volume.metadata?.deletionTimestamp || !suits(claim, volume, wanted)) continue;
    if (!reachable(volume, node)) continue;
    if (reservedFor(volume, claim)) return volume;
    if (volume.spec?.claimRef || volume.status?.phase !== 'Available') continue;
    if (!best || compareQuantity(capacityOf(volume), capacityOf(best)) < 0) best = volume;
  }
  return best;
}

function suits(claim: PersistentVolumeClaim, volume: PersistentVolume, wanted: Quantity): boolean {
  if (classNameOf(volume) !== classNameOf(claim)) return false;
  if ((volume.spec?.volumeMode ?? 'Filesystem') !== (claim.spec?.volumeMode ?? 'Filesystem')) return false;
  if (volume.spec?.volumeAttributesClassName !== claim.spec?.volumeAttributesClassName) return false;
  if (!(claim.spec?.accessModes ?? []).every((mode) => volume.spec?.accessModes?.includes(mode))) return false;
  if (compareQuantity(capacityOf(volume), wanted) < 0) return false;
  if (!claim.spec?.selector) return true;
  try {
    return labelSelectorOf(claim.spec.selector).matches(volume.metadata?.labels);
  } catch {
    return false;
  }
}

export type Provisioning = 'possible' | 'impossible' | 'no capacity';

/** Whether a volume for the claim can be made where the node can reach it. */
export function provisioning(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass | undefined,
  node: NodeNamed,
  objects: ClusterObjects,
): Provisioning {
  const provisioner = storageClass?.provisioner;
  if (!storageClass || !provisioner || provisioner === 'kubernetes.io/no-provisioner') return 'impossible';
  const topologies = storageClass.allowedTopologies ?? [];
  const allowed = topologies.some((term) =>
    (term.matchLabelExpressions ?? []).every(
      ({ key, values }) => Object.hasOwn(node.labels, key) && values.includes(node.labels[key] as string),
    ),
  );
  if (topologies.length > 0 && !allowed) return 'impossible';
  return enoughCapacity(claim, storageClass, node, objects) ? 'possible' : 'no capacity';
}

/** Only drivers that publish their capacity are asked for it. */
function enoughCapacity(
  claim: PersistentVolumeClaim,
  { provisioner, metadata }: StorageClass,
  node: NodeNamed,
  objects: ClusterObjects,
): boolean {
  if (!objects.get('CSIDriver', provisioner ?? '')?.spec?.storageCapacity) return true;
  const wanted = storageOf(claim);
  return objects.list('CSIStorageCapacity').some((capacity) => {
    const limit = capacity.maximumVolumeSize ?? capacity.capacity;
    if (capacity.storageClassName !== metadata?.name || limit === undefined || !capacity.nodeTopology) return false;
    if (compareQuantity(mustParseQuantity(String(limit)), wanted) < 0) return false;
    try {
      return labelSelectorOf(capacity.nodeTopology).matches(node.labels);
    } catch {
      return false;
    }
  });
}
