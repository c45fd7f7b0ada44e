import type { Live } from '../../../../libs/kind/object.ts';
import { ownKey, type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { isDeleting } from '../../../../libs/machinery/meta.ts';
import { type ProtectionAction, planProtection } from '../../../meta/protection.ts';
import { persistentVolumeClaims, persistentVolumes, volumeAttributesClasses } from '../../../resources.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../../types/core/v1.generated.ts';
import type { VolumeAttributesClass } from '../../../types/storage/v1.generated.ts';

const VAC_PROTECTION = 'kubernetes.io/vac-protection';

export interface Observed {
  readonly vac: Live<VolumeAttributesClass>;
  /** A claim or a volume names it. */
  readonly used: boolean;
}

/** The classes that a claim wants, has, or is about to have. */
export function classesOfClaim({ spec, status }: Live<PersistentVolumeClaim>): string[] {
  const { currentVolumeAttributesClassName, modifyVolumeStatus } = status ?? {};
  const names = [
    spec?.volumeAttributesClassName,
    currentVolumeAttributesClassName,
    modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return names.filter((name) => name !== undefined && name !== '') as string[];
}

/** The class that a volume has. */
export function classesOfVolume({ spec }: Live<PersistentVolume>): string[] {
  return spec?.volumeAttributesClassName ? [spec.volumeAttributesClassName] : [];
}

/** A class that is deleted stays as long as a claim or a volume has it. */
export function plan({ vac, used }: Observed): Plan<ProtectionAction> {
  return planProtection(vac, VAC_PROTECTION, () => used);
}

/** Keeps volume attributes classes that claims or volumes have from going. */
export const vacProtectionController: Reconciler<Observed, ProtectionAction> = {
  name: 'volumeattributesclass-protection-controller',
  watches: [
    watching(volumeAttributesClasses, ownKey),
    watching(persistentVolumeClaims, classesOfClaim),
    watching(persistentVolumes, classesOfVolume),
  ],
  observe({ informers }, name) {
    const vac = informers.informer(volumeAttributesClasses).get(name);
    if (!vac) return undefined;
    const used =
      isDeleting(vac) &&
      (informers
        .informer(persistentVolumeClaims)
        .list()
        .some((claim) => classesOfClaim(claim).includes(name)) ||
        informers
          .informer(persistentVolumes)
          .list()
          .some((volume) => classesOfVolume(volume).includes(name)));
    return { vac, used };
  },
  plan,
  async apply({ client }, { type, finalizers }, { vac }) {
    const { name } = vac.metadata;
    // What is released cannot be taken back: the server is asked, as the informers may be behind.
    if (type === 'release') {
      const claims = await client.resource(persistentVolumeClaims).list();
      if (claims.items.some((claim) => classesOfClaim(claim).includes(name))) return [];
      const volumes = await client.resource(persistentVolumes).list();
      if (volumes.items.some((volume) => classesOfVolume(volume).includes(name))) return [];
    }
    const changed = { ...vac, metadata: { ...vac.metadata, finalizers } } as unknown as VolumeAttributesClass;
    const { metadata } = await client.resource(volumeAttributesClasses).update(changed);
    return [{ ref: volumeAttributesClasses, resourceVersion: metadata.resourceVersion }];
  },
};
