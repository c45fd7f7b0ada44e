/** Values that may not be there. */
import { declare, type Library } from '../declare.ts';
import {
  Duration,
  EvaluationError,
  ListValue,
  MapValue,
  NONE,
  ObjectValue,
  Optional,
  Timestamp,
  Uint,
  type Value,
} from '../values.ts';

function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0 || value === 0n || value === '') return true;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof ListValue) return value.items.length === 0;
  if (value instanceof MapValue) return value.size === 0;
  if (value instanceof Uint8Array) return value.length === 0;
  if (value instanceof Duration || value instanceof Timestamp) return value.nanos === 0n;
  return value instanceof ObjectValue && Object.keys(value.raw).length === 0;
}

function valueOf({ value }: Optional): Value {
  if (value === undefined) throw new EvaluationError('optional.none() dereference');
  return value;
}

export const optionalLibrary: Library = [
  ...declare('optional.of', ['(A) optional(A)', 'optional_of', (value: Value) => new Optional(value)]),
  ...declare('optional.ofNonZeroValue', [
    '(A) optional(A)',
    'optional_ofNonZeroValue',
    (value: Value) => (isZero(value) ? NONE : new Optional(value)),
  ]),
  ...declare('optional.none', ['() optional(A)', 'optional_none', () => NONE]),
  ...declare('hasValue', ['optional(A).() bool', 'optional_hasValue', ({ value }: Optional) => value !== undefined]),
  ...declare('value', ['optional(A).() A', 'optional_value', valueOf]),
  ...declare('or', [
    'optional(A).(optional(A)) optional(A)',
    'optional_or_optional',
    (first: Optional, second: Optional) => (first.value === undefined ? second : first),
  ]),
  ...declare('orValue', [
    'optional(A).(A) A',
    'optional_orValue_value',
    ({ value }: Optional, fallback: Value) => (value === undefined ? fallback : value),
  ]),
  ...declare('first', [
    'list(A).() optional(A)',
    'list_first',
    ({ items }: ListValue) => (items.length === 0 ? NONE : new Optional(items[0] as Value)),
  ]),
  ...declare('last', [
    'list(A).() optional(A)',
    'list_last',
    ({ items }: ListValue) => (items.length === 0 ? NONE : new Optional(items.at(-1) as Value)),
  ]),
];
