import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { notNegative } from '../../meta/numbers.ts';
import type { ControllerRevision } from '../../types/apps/v1.generated.ts';

type Seen = DeepReadonly<ControllerRevision>;

export const strategy: Strategy<ControllerRevision> = {
  validate,
  validateUpdate: (revision, old) => [
    ...validate(revision),
    ...validateImmutable(revision.data, old.data, field.path('data')),
  ],
};

/** The state that a revision keeps is an object; which one, only its controller knows. */
function validate({ data, revision }: Seen): field.ErrorList {
  const at = field.path('data');
  const errors: field.ErrorList = [];
  if (data === undefined || data === null) errors.push(field.required(at, 'data is mandatory'));
  else if (typeof data !== 'object' || Array.isArray(data)) {
    errors.push(field.required(at, 'data must be a valid JSON object'));
  }
  return [...errors, ...notNegative(revision, field.path('revision'))];
}
