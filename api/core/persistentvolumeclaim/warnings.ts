import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { type Path, path } from '../../../libs/machinery/field-errors.ts';
import { isMultipleOf, mustParseQuantity } from '../../../libs/machinery/quantity.ts';
import { quote } from '../../../libs/machinery/quote.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../types/core/v1.generated.ts';
import { STORAGE_CLASS_ANNOTATION } from '../persistentvolume/validation.ts';

export function claimWarnings({ metadata, spec }: DeepReadonly<PersistentVolumeClaim>): string[] {
  const warnings: string[] = [];
  if (metadata?.annotations?.[STORAGE_CLASS_ANNOTATION] !== undefined) {
    const instead = 'deprecated since v1.8; use "storageClassName" attribute instead';
    warnings.push(`metadata.annotations[${STORAGE_CLASS_ANNOTATION}]: ${instead}`);
  }
  return spec ? [...warnings, ...claimSpecWarnings(spec, path('spec'))] : warnings;
}

/** Also of claims in the making: templates of StatefulSets and of volumes that live with their pod. */
export function claimSpecWarnings({ resources }: DeepReadonly<PersistentVolumeClaimSpec>, at: Path): string[] {
  return (['requests', 'limits'] as const).flatMap((part) => {
    const storage = resources?.[part]?.storage;
    if (storage === undefined || isMultipleOf(mustParseQuantity(storage), 0)) return [];
    const place = at.child('resources', part).key('storage');
    return [`${place}: fractional byte value ${quote(storage)} is invalid, must be an integer`];
  });
}
