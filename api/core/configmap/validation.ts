import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { configMapKey } from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { ConfigMap } from '../../types/core/v1.generated.ts';

/** Names and values together, as the API reference of ConfigMap states. */
const BYTES_MAX = 1024 * 1024;

export function validateConfigMap(configMap: DeepReadonly<ConfigMap>): field.ErrorList {
  const errors: field.ErrorList = [];
  const encoder = new TextEncoder();
  let bytes = 0;
  for (const [key, value] of Object.entries(configMap.data ?? {})) {
    for (const problem of configMapKey(key)) errors.push(field.invalid(field.path('data').key(key), key, problem));
    if (Object.hasOwn(configMap.binaryData ?? {}, key)) {
      errors.push(field.invalid(field.path('data').key(key), key, 'duplicate of key present in binaryData'));
    }
    bytes += encoder.encode(value).length;
  }
  for (const [key, value] of Object.entries(configMap.binaryData ?? {})) {
    for (const problem of configMapKey(key))
      errors.push(field.invalid(field.path('binaryData').key(key), key, problem));
    bytes += base64Bytes(value);
  }
  if (bytes > BYTES_MAX) errors.push(field.tooLong('[]', BYTES_MAX));
  return errors;
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
