import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { configMapKey } from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { ConfigMap } from '../../types/core/v1.generated.ts';

/** Names and values together, as the API reference of ConfigMap states. */
const BYTES_MAX = 1024 * 1024;

export function validateConfigMap(configMap: DeepReadonly<ConfigMap>): field.ErrorList {
  const errors: field.ErrorList = [];
  const { data = {}, binaryData = {} } = configMap;
  // No letter has more than three bytes a unit: most objects are too small to be counted.
  let bytesMost = 0;
  for (const key in data) {
    for (const problem of configMapKey(key)) errors.push(field.invalid(field.path('data').key(key), key, problem));
    if (Object.hasOwn(binaryData, key)) {
      errors.push(field.invalid(field.path('data').key(key), key, 'duplicate of key present in binaryData'));
    }
    bytesMost += (data[key] ?? '').length * 3;
  }
  for (const key in binaryData) {
    for (const problem of configMapKey(key))
      errors.push(field.invalid(field.path('binaryData').key(key), key, problem));
    bytesMost += (binaryData[key] ?? '').length;
  }
  if (bytesMost > BYTES_MAX && bytesOf(configMap) > BYTES_MAX) errors.push(field.tooLong('[]', BYTES_MAX));
  return errors;
}

function bytesOf({ data = {}, binaryData = {} }: DeepReadonly<ConfigMap>): number {
  const encoder = new TextEncoder();
  let bytes = 0;
  for (const value of Object.values(data)) bytes += encoder.encode(value).length;
  for (const value of Object.values(binaryData)) bytes += base64Bytes(value);
  return bytes;
}

export function validateConfigMapUpdate(
  configMap: DeepReadonly<ConfigMap>,
  old: DeepReadonly<ConfigMap>,
): field.ErrorList {
  const errors: field.ErrorList = [];
  if (old.immutable) {
    const fixed = 'field is immutable when `immutable` is set';
    if (!configMap.immutable) errors.push(field.forbidden('immutable', fixed));
    if (!sameValue(configMap.data, old.data)) errors.push(field.forbidden('data', fixed));
    if (!sameValue(configMap.binaryData, old.binaryData)) errors.push(field.forbidden('binaryData', fixed));
  }
  return [...errors, ...validateConfigMap(configMap)];
}

const base64Bytes = (text: string) => Math.floor((text.replace(/=+$/, '').length * 3) / 4);
