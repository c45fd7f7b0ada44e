import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, pathSegmentName } from '../../../libs/machinery/names.ts';
import { canonicalIpProblem } from '../../meta/addresses.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { internalJson } from '../../meta/internal-form.ts';
import type { IPAddress } from '../../types/networking/v1.generated.ts';

export const strategy: Strategy<IPAddress> = {
  // The name is the address.
  validateName(name) {
    const problem = canonicalIpProblem(name);
    return problem === undefined ? [] : [problem];
  },
  validate: validateParent,
  validateUpdate: (draft, old) => [
    ...validateParent(draft),
    ...validateImmutable(
      draft.spec?.parentRef,
      old.spec?.parentRef,
      'spec.parentRef',
      field.verbatim(internalJson('networking.v1.ParentReference', draft.spec?.parentRef)),
    ),
  ],
};

function validateParent({ spec }: DeepReadonly<IPAddress>): field.ErrorList {
  const at = field.path('spec', 'parentRef');
  if (!spec?.parentRef) return [field.required(at)];
  const { group = '', resource, name, namespace } = spec.parentRef;
  const errors: field.ErrorList = [];
  if (group !== '') {
    for (const problem of dns1123Subdomain(group)) errors.push(field.invalid(at.child('group'), group, problem));
  }
  for (const [part, text] of [
    ['resource', resource],
    ['name', name],
  ] as const) {
    if (!text) errors.push(field.required(at.child(part)));
    else for (const problem of pathSegmentName(text)) errors.push(field.invalid(at.child(part), text, problem));
  }
  for (const problem of pathSegmentName(namespace ?? ''))
    errors.push(field.invalid(at.child('namespace'), namespace, problem));
  return errors;
}
