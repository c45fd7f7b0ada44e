import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import type { TopologySelectorTerm } from '../../types/core/v1.generated.ts';
import type { StorageClass } from '../../types/storage/v1.generated.ts';
import { validateParameters, validateProvisioner } from '../parameters.ts';

const RECLAIM_POLICIES = ['Delete', 'Retain'];
const BINDING_MODES = ['Immediate', 'WaitForFirstConsumer'];

export function validateStorageClass(storageClass: DeepReadonly<StorageClass>): field.ErrorList {
  const { provisioner = '', parameters, reclaimPolicy, volumeBindingMode, allowedTopologies } = storageClass;
  const errors = [
    ...validateProvisioner(provisioner, field.path('provisioner')),
    ...validateParameters(parameters, true, field.path('parameters')),
  ];
  if (reclaimPolicy && !RECLAIM_POLICIES.includes(reclaimPolicy)) {
    errors.push(field.notSupported('reclaimPolicy', reclaimPolicy, RECLAIM_POLICIES));
  }
  if (volumeBindingMode === undefined) errors.push(field.required('volumeBindingMode'));
  else if (!BINDING_MODES.includes(volumeBindingMode)) {
    errors.push(field.notSupported('volumeBindingMode', volumeBindingMode, BINDING_MODES));
  }
  errors.push(...validateTopologies(allowedTopologies ?? [], field.path('allowedTopologies')));
  return errors;
}

export function validateStorageClassUpdate(
  storageClass: DeepReadonly<StorageClass>,
  old: DeepReadonly<StorageClass>,
): field.ErrorList {
  const errors = validateStorageClass(storageClass);
  for (const name of ['parameters', 'provisioner'] as const) {
    if (sameValue(storageClass[name] ?? {}, old[name] ?? {})) continue;
    errors.push(field.forbidden(name, `updates to ${name} are forbidden.`));
  }
  errors.push(...validateImmutable(storageClass.reclaimPolicy, old.reclaimPolicy, 'reclaimPolicy'));
  errors.push(...validateImmutable(storageClass.volumeBindingMode, old.volumeBindingMode, 'volumeBindingMode'));
  return errors;
}

/** Each term maps keys to sets of values; no key, value or whole term twice. */
function validateTopologies(terms: readonly DeepReadonly<TopologySelectorTerm>[], at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  // A term without expressions selects nothing that another could not.
  const seenTerms = new Set<string>([JSON.stringify([])]);
  terms.forEach((term, i) => {
    const byKey = new Map<string, string[]>();
    const expressions = at.index(i).child('matchLabelExpressions');
    (term.matchLabelExpressions ?? []).forEach(({ key = '', values: given }, j) => {
      const values = given ?? [];
      const here = expressions.index(j);
      if ((values ?? []).length === 0) errors.push(field.required(here.child('values')));
      (values ?? []).forEach((value, k) => {
        if (values.indexOf(value) < k) errors.push(field.duplicate(here.child('values').index(k), value));
      });
      for (const problem of qualifiedName(key)) errors.push(field.invalid(here.child('key'), key, problem));
      if (byKey.has(key)) errors.push(field.duplicate(here.child('key'), key));
      byKey.set(key, [...new Set(values)].sort());
    });
    const identity = JSON.stringify([...byKey].sort());
    if (seenTerms.has(identity)) errors.push(field.duplicate(expressions, ''));
    seenTerms.add(identity);
  });
  return errors;
}
