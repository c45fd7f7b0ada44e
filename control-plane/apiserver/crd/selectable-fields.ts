import type { Kind, ServedVersion } from '../../../libs/kind/kind.ts';
import { type ApiObject, apiVersionOf, type DeepReadonly } from '../../../libs/kind/object.ts';
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

/** Where a webhook converts, a version's fields are of the object as the version shows it: each version has labels of its own. */
export function convertedLabelsOf(version: DefinitionVersion): Readonly<Record<string, string>> {
  const labels = Object.keys(selectableFieldsOf(version));
  return Object.freeze(Object.fromEntries(labels.map((label) => [label, `${version.name}:${label}`])));
}

/** The fields behind those labels. An object must have been prepared for the version, see `ServedVersion.prepare`. */
export function convertedFieldsOf(
  version: DefinitionVersion,
  { fromStorage }: ServedVersion,
  group: string,
): Kind['selectableFields'] {
  const apiVersion = apiVersionOf({ group, version: version.name });
  const fields = Object.entries(selectableFieldsOf(version));
  return Object.fromEntries(
    fields.map(([label, read]) => [
      `${version.name}:${label}`,
      (object: DeepReadonly<ApiObject>) =>
        read(object.apiVersion === apiVersion || !fromStorage ? object : fromStorage(object)),
    ]),
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
