import { isKnownFormat } from '../../../libs/structural-schema/formats.ts';
import { itemsOf, propertiesOf, type Schema, valuesOf } from '../../../libs/structural-schema/schema.ts';
import type { Definition } from './validation.ts';

/** Formats that nobody knows: they are stored, and check nothing. */
export function warnings(definition: Definition): string[] {
  const formats = new Set<string>();
  for (const { schema } of definition.spec.versions ?? []) {
    if (schema?.openAPIV3Schema) collect(schema.openAPIV3Schema as Schema, formats);
  }
  return [...formats].map((format) => `unrecognized format ${JSON.stringify(format)}`);
}

function collect(schema: Schema, formats: Set<string>): void {
  if (schema.format && !isKnownFormat(schema.format, schema.type)) formats.add(schema.format);
  const { allOf = [], anyOf = [], oneOf = [], not } = schema;
  for (const below of [itemsOf(schema), valuesOf(schema), not, ...allOf, ...anyOf, ...oneOf]) {
    if (below) collect(below, formats);
  }
  for (const [, below] of propertiesOf(schema)) collect(below, formats);
}
