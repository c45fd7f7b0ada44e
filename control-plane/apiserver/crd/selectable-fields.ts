import type { Kind } from '../../../libs/kind/kind.ts';
import type { DefinitionVersion } from './custom-kind.ts';
import { fieldsOf, valueAt } from './paths.ts';

/** Field selectors of a version: each path by its name without the leading dot. What is not there counts as empty. */
export function selectableFieldsOf({ selectableFields = [] }: DefinitionVersion): Kind['selectableFields'] {
  return Object.fromEntries(
    selectableFields.map(({ jsonPath }) => {
      const fields = fieldsOf(jsonPath);
      return [fields.join('.'), (object: unknown) => textOf(valueAt(object, fields))];
    }),
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ||
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    typeof value === 'boolean'
    ? String(value)
    : '';
}
