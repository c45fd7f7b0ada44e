import * as field from '../../libs/machinery/field-errors.ts';
import { sameValue } from '../../libs/machinery/same-value.ts';

export const IMMUTABLE = 'field is immutable';
export const NOT_NEGATIVE = 'must be greater than or equal to 0';

/** An error when a field that is fixed at creation has changed. `shown`: how the message prints it, where not as JSON. */
export function validateImmutable(value: unknown, old: unknown, at: field.Place, shown?: unknown): field.ErrorList {
  return sameValue(value, old) ? [] : [field.invalid(at, shown ?? value ?? null, IMMUTABLE)];
}
