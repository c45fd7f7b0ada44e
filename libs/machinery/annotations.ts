import * as field from './field-errors.ts';
import { qualifiedName } from './names.ts';

const BYTES_MAX = 256 * 1024;

/** Errors of annotations, of an object or of a template of objects: qualified names, and not too much in all. */
export function validateAnnotations(annotations: Readonly<Record<string, string>>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  // No letter has more than three bytes a unit.
  let bytesMost = 0;
  for (const [key, value] of Object.entries(annotations)) {
    for (const problem of qualifiedName(key.toLowerCase())) errors.push(field.invalid(at, key, problem));
    bytesMost += (key.length + value.length) * 3;
  }
  if (bytesMost > BYTES_MAX && bytesOf(annotations) > BYTES_MAX) errors.push(field.tooLong(at, BYTES_MAX));
  return errors;
}

function bytesOf(annotations: Readonly<Record<string, string>>): number {
  const encoder = new TextEncoder();
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    bytes += encoder.encode(key).length + encoder.encode(value).length;
  }
  return bytes;
}
