import * as field from '../../../libs/machinery/field-errors.ts';
import { FieldPathError, resolveFieldPath } from '../../../libs/structural-schema/field-path.ts';
import type { Schema } from '../../../libs/structural-schema/schema.ts';

const FIELDS_MAX = 8;

export function validateSelectableFields(
  fields: readonly { readonly jsonPath: string }[],
  schema: Schema,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  const seen = new Set<string>();
  fields.forEach(({ jsonPath }, i) => {
    const here = at.index(i).child('jsonPath');
    if (!jsonPath) return void errors.push(field.required(here));
    try {
      const { path, schema: found } = resolveFieldPath(jsonPath, schema, { arrays: false });
      if (/^\.?metadata(?![^.[])/.test(path)) {
        errors.push(field.invalid(here, jsonPath, 'must not point to fields in metadata'));
      }
      if (found.type !== 'string' && found.type !== 'boolean' && found.type !== 'integer') {
        const text =
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
        errors.push(field.invalid(here, jsonPath, text));
      }
      if (seen.has(path)) errors.push(field.duplicate(here, jsonPath));
      seen.add(path);
    } catch (error) {
      if (!(error instanceof FieldPathError)) throw error;
      errors.push(field.invalid(here, jsonPath, `is an invalid path: ${error.message}`));
    }
  });
  if (seen.size > FIELDS_MAX) errors.push(field.tooMany(at, seen.size, FIELDS_MAX));
  return errors;
}
