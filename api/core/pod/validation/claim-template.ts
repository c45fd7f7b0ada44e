import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { mustParseQuantity, signOfQuantity } from '../../../../libs/machinery/quantity.ts';
import { validateMatchLabels } from '../../../meta/label-selector.ts';
import type { PersistentVolumeClaimTemplate } from '../../../types/core/v1.generated.ts';

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
const FIXED_METADATA = ['name', 'generateName', 'namespace', 'finalizers', 'ownerReferences'] as const;

/** The template of a claim that lives and dies with its pod: labels and annotations are its own, the name is not. */
export function validateClaimTemplate(
  { metadata, spec }: DeepReadonly<PersistentVolumeClaimTemplate>,
  at: field.Path,
): field.ErrorList {
  const errors = validateMatchLabels(metadata?.labels ?? {}, at.child('metadata', 'labels'));
  for (const name of FIXED_METADATA) {
    const value = metadata?.[name];
    if (value === undefined || value.length === 0) continue;
    errors.push(field.forbidden(at.child('metadata', name), 'cannot be set'));
  }
  const here = at.child('spec');
  const modes = spec?.accessModes ?? [];
  if (modes.length === 0) errors.push(field.required(here.child('accessModes'), 'at least 1 access mode is required'));
  for (const mode of modes) {
    if (!ACCESS_MODES.includes(mode)) errors.push(field.notSupported(here.child('accessModes'), mode, ACCESS_MODES));
  }
  const storage = spec?.resources?.requests?.['storage'];
  const place = here.child('resources').key('storage');
  if (storage === undefined) errors.push(field.required(place));
  else if (signOfQuantity(mustParseQuantity(storage)) <= 0) {
    errors.push(field.invalid(place, storage, 'must be greater than zero'));
  }
  return errors;
}
