import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { DecodeError } from '../../../libs/machinery/codec/errors.ts';
import { decodeAny } from '../../../libs/machinery/codec/json.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { configMapKey } from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import type { Secret } from '../../types/core/v1.generated.ts';
import { keyPairProblem } from './key-pair.ts';

type Seen = DeepReadonly<Secret>;

const BYTES_MAX = 1024 * 1024;
const SERVICE_ACCOUNT = 'kubernetes.io/service-account.name';
const REDACTED = '<secret contents redacted>';
/** Keys without which a secret of the type is none. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};
const SSH_KEY = 'ssh-privatekey';
const CONFIGS: Readonly<Record<string, string>> = {
  'kubernetes.io/dockercfg': '.dockercfg',
  'kubernetes.io/dockerconfigjson': '.dockerconfigjson',
};

export function validateSecret({ data = {}, type = '', metadata }: Seen): field.ErrorList {
  const errors: field.ErrorList = [];
  const at = field.path('data');
  let bytes = 0;
  for (const [key, value] of Object.entries(data)) {
    for (const text of configMapKey(key)) errors.push(field.invalid(at.key(key), key, text));
    bytes += Math.floor((value.replace(/=+$/, '').length * 3) / 4);
  }
  if (bytes > BYTES_MAX) errors.push(field.tooLong(at, BYTES_MAX));
  if (type === 'kubernetes.io/service-account-token' && !metadata?.annotations?.[SERVICE_ACCOUNT]) {
    errors.push(field.required(field.path('metadata', 'annotations').key(SERVICE_ACCOUNT)));
  }
  for (const key of (Object.hasOwn(REQUIRED, type) && REQUIRED[type]) || []) {
    if (!Object.hasOwn(data, key)) errors.push(field.required(at.key(key)));
  }
  // Of all keys this one alone must also hold something.
  if (type === 'kubernetes.io/ssh-auth' && !data[SSH_KEY]) errors.push(field.required(at.key(SSH_KEY)));
  const config = Object.hasOwn(CONFIGS, type) ? CONFIGS[type] : undefined;
  if (config !== undefined) errors.push(...validateConfig(data[config], at.key(config)));
  if (type === 'kubernetes.io/basic-auth' && !Object.hasOwn(data, 'username') && !Object.hasOwn(data, 'password')) {
    errors.push(field.required(at.key('username')), field.required(at.key('password')));
  }
  return errors;
}

function validateConfig(value: string | undefined, at: field.Path): field.ErrorList {
  if (value === undefined) return [field.required(at)];
  const problem = jsonProblem(Uint8Array.from(atob(value), (char) => char.charCodeAt(0)));
  return problem === undefined ? [] : [field.invalid(at, REDACTED, problem)];
}

/** What is wrong with a text that should be a JSON object, in the words that clients know. */
function jsonProblem(bytes: Uint8Array): string | undefined {
  let value: unknown;
  try {
    value = decodeAny(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return error.message;
    throw error;
  }
  if (typeof value === 'object' && !Array.isArray(value)) return undefined;
  const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  return `json: cannot unmarshal ${kind === 'bigint' ? 'number' : kind} into Go value of type map[string]interface {}`;
}

const FIXED = 'field is immutable when `immutable` is set';

export function validateSecretUpdate(secret: Seen, old: Seen): field.ErrorList {
  const errors = validateImmutable(secret.type, old.type, field.path('type'));
  if (old.immutable) {
    if (!secret.immutable) errors.push(field.forbidden('immutable', FIXED));
    if (!sameValue(secret.data, old.data)) errors.push(field.forbidden('data', FIXED));
  }
  return [...errors, ...validateSecret(secret)];
}

/** A pair of certificate and key that cannot be one. */
export function secretWarnings({ type, data = {} }: Seen): string[] {
  if (type !== 'kubernetes.io/tls') return [];
  const problem = keyPairProblem(atob(data['tls.crt'] ?? ''), atob(data['tls.key'] ?? ''));
  return problem === undefined ? [] : [problem];
}
