import type { Live } from '../../../../libs/kind/object.ts';
import { labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import { compareQuantity, mustParseQuantity } from '../../../../libs/machinery/quantity.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../../types/core/v1.generated.ts';
import { STORAGE_CLASS_ANNOTATION } from '../validation.ts';

export type Volume = Live<PersistentVolume>;
export type Claim = Live<PersistentVolumeClaim>;

/** The class that a volume or claim says; '' for none. The annotation is older than the field, and goes before it. */
export function classNameOf({ metadata, spec }: Volume | Claim): string {
  return metadata.annotations?.[STORAGE_CLASS_ANNOTATION] ?? spec?.storageClassName ?? '';
}

/** Whether the volume is for this claim: by name, and by uid where the volume says one. */
export function isFor({ spec }: Volume, { metadata }: Claim): boolean {
  const ref = spec?.claimRef;
  if (!ref || ref.name !== metadata.name || ref.namespace !== metadata.namespace) return false;
  return !ref.uid || ref.uid === metadata.uid;
}

/**
 * The volume for a claim that names none: one that is kept for it; else of those with the fewest access modes that do,
 * the smallest that is large enough. `keptOnly`: others wait until the pod's node is known.
 */
export function findVolume(claim: Claim, volumes: readonly Volume[], keptOnly: boolean): Volume | undefined {
  let best: Volume | undefined;
  for (const volume of volumes) {
    if (volume.metadata.deletionTimestamp || whyNot(volume, claim) !== undefined || !hasModes(volume, claim)) continue;
    if (isFor(volume, claim)) return volume;
    if (keptOnly || volume.spec?.claimRef || volume.status?.phase !== 'Available') continue;
    if (!isChosen(volume, claim)) continue;
    if (!best || isBetter(volume, best)) best = volume;
  }
  return best;
}

/** What keeps a claim from the very volume that it names, in upstream's words; undefined: nothing. */
export function whyNot(volume: Volume, claim: Claim): string | undefined {
  const wanted = mustParseQuantity(String(claim.spec?.resources?.requests?.storage ?? '0'));
  if (compareQuantity(capacityOf(volume), wanted) < 0) return 'requested PV is too small';
  if (classNameOf(volume) !== classNameOf(claim)) return 'storageClassName does not match';
  if ((volume.spec?.volumeMode ?? 'Filesystem') !== (claim.spec?.volumeMode ?? 'Filesystem')) {
    return 'incompatible volumeMode';
  }
  if ((volume.spec?.volumeAttributesClassName ?? '') !== (claim.spec?.volumeAttributesClassName ?? '')) {
    return 'volumeAttributesClassName does not match';
  }
  return hasModes(volume, claim) ? undefined : 'incompatible accessMode';
}

const hasModes = (volume: Volume, claim: Claim): boolean =>
  (claim.spec?.accessModes ?? []).every((mode) => volume.spec?.accessModes?.includes(mode));

function isChosen(volume: Volume, claim: Claim): boolean {
  if (!claim.spec?.selector) return true;
  try {
    const selector = labelSelectorOf(claim.spec.selector as Parameters<typeof labelSelectorOf>[0]);
    return selector.matches(volume.metadata.labels);
  } catch {
    return false;
  }
}

const capacityOf = ({ spec }: Volume) => mustParseQuantity(String(spec?.capacity?.storage ?? '0'));

function isBetter(one: Volume, than: Volume): boolean {
  const modes = (volume: Volume) => volume.spec?.accessModes?.length ?? 0;
  if (modes(one) !== modes(than)) return modes(one) < modes(than);
  return compareQuantity(capacityOf(one), capacityOf(than)) < 0;
}
