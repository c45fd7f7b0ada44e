import type { ClusterObjects, PersistentVolumeClaim, StorageClass } from './cluster-objects.ts';
import type { PodInfo } from './pod-info.ts';

export interface PodClaim {
  /** `namespace/name`. */
  readonly key: string;
  readonly name: string;
  /** Made for a volume of the pod's own, so that it must be the pod's. */
  readonly ephemeral: boolean;
}

/** The claims that the pod's volumes name. */
export function claimsOf({ pod, name, namespace }: PodInfo): readonly PodClaim[] {
  const claims: PodClaim[] = [];
  for (const volume of pod.spec?.volumes ?? []) {
    const claim = volume.persistentVolumeClaim?.claimName ?? (volume.ephemeral ? `${name}-${volume.name}` : undefined);
    if (claim) claims.push({ key: `${namespace}/${claim}`, name: claim, ephemeral: Boolean(volume.ephemeral) });
  }
  return claims;
}

const BIND_COMPLETED = 'pv.kubernetes.io/bind-completed';
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
export const BOUND_BY_CONTROLLER = 'pv.kubernetes.io/bound-by-controller';

/** Both sides have agreed. */
export const isBound = (claim: PersistentVolumeClaim): boolean =>
  Boolean(claim.spec?.volumeName) && Object.hasOwn(claim.metadata?.annotations ?? {}, BIND_COMPLETED);

export function classNameOf(object: {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: { readonly storageClassName?: string };
}): string {
  return (
    object.metadata?.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? object.spec?.storageClassName ?? ''
  );
}

export const classOf = (claim: PersistentVolumeClaim, objects: ClusterObjects): StorageClass | undefined =>
  objects.get('StorageClass', classNameOf(claim));

export const waitsForConsumer = (claim: PersistentVolumeClaim, objects: ClusterObjects): boolean =>
  classOf(claim, objects)?.volumeBindingMode === 'WaitForFirstConsumer';
