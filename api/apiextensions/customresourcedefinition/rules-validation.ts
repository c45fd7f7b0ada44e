import type * as field from '../../../libs/machinery/field-errors.ts';
import type { Schema } from '../../../libs/structural-schema/schema.ts';

export function validateRules(_schema: Schema, _at: field.Path, _old: Schema | undefined): field.ErrorList {
  return [];
}

export function validateDefaultByRules(_schema: Schema, _value: unknown, _at: field.Path): field.ErrorList {
  return [];
}
