import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import type { CustomResourceColumnDefinition } from '../../types/apiextensions/v1.generated.ts';
import { validateJsonPath } from './subresources-validation.ts';

const TYPES = ['boolean', 'date', 'integer', 'number', 'string'];
const FORMATS = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];

export function validateColumn(column: DeepReadonly<CustomResourceColumnDefinition>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (!column.name) errors.push(field.required(at.child('name')));
  const among = (words: readonly string[]) => `must be one of ${words.join(',')}`;
  if (!column.type) errors.push(field.required(at.child('type'), among(TYPES)));
  else if (!TYPES.includes(column.type)) errors.push(field.invalid(at.child('type'), column.type, among(TYPES)));
  if (column.format && !FORMATS.includes(column.format)) {
    errors.push(field.invalid(at.child('format'), column.format, among(FORMATS)));
  }
  if (!column.jsonPath) errors.push(field.required(at.child('JSONPath')));
  else errors.push(...validateJsonPath(column.jsonPath, at.child('JSONPath')));
  return errors;
}
