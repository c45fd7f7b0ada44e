import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import { validateAnnotations } from '../../../../libs/machinery/annotations.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { validateMatchLabels } from '../../../meta/label-selector.ts';
import type { PersistentVolumeClaimTemplate } from '../../../types/core/v1.generated.ts';
import { validatePersistentVolumeClaimSpec } from '../../persistentvolumeclaim/validation.ts';

/** Metadata that the server makes; where errors name a field in other letters than the API, those stand second. */
const FIXED_METADATA = [
  ['name'],
  ['generateName'],
  ['namespace'],
  ['selfLink'],
  ['uid', 'uID'],
  ['resourceVersion'],
  ['generation'],
  ['creationTimestamp'],
  ['deletionTimestamp'],
  ['deletionGracePeriodSeconds'],
  ['ownerReferences'],
  ['finalizers'],
  ['managedFields'],
] as const;

/** The template of a claim that lives and dies with its pod: labels and annotations are its own, the name is not. */
export function validateClaimTemplate(
  { metadata = {}, spec }: DeepReadonly<PersistentVolumeClaimTemplate>,
  at: field.Path,
): field.ErrorList {
  const here = at.child('metadata');
  const errors = validateAnnotations(metadata.annotations ?? {}, here.child('annotations'));
  errors.push(...validateMatchLabels(metadata.labels ?? {}, here.child('labels')));
  for (const [name, shown] of FIXED_METADATA) {
    const value = metadata[name];
    const empty = value === undefined || value === null || value === '' || value === 0;
    if (empty || (Array.isArray(value) && value.length === 0)) continue;
    errors.push(field.forbidden(here.child(shown ?? name), 'cannot be set'));
  }
  return [...errors, ...validatePersistentVolumeClaimSpec(spec ?? {}, at.child('spec'))];
}
