import type { Field, StructType } from '../schema/ir.ts';

const typeMeta = (name: string): Field => ({ name, type: { k: 'string' } });
const metadata: Field = { name: 'metadata', type: { k: 'ref', name: 'meta.v1.ObjectMeta' } };

/**
 * The fields that codecs know of a custom struct: its own, and of an embedded resource also apiVersion, kind and a typed
 * metadata, whatever its schema says of them.
 */
export function knownFields(type: StructType): readonly Field[] {
  if (!type.embeddedResource) return type.fields;
  const names = new Set(['apiVersion', 'kind', 'metadata']);
  return [typeMeta('apiVersion'), typeMeta('kind'), metadata, ...type.fields.filter(({ name }) => !names.has(name))];
}
