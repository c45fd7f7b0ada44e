/** The functions and operators that every expression may use. */
import { RE2JS } from 're2js';
import { float } from '../../machinery/quote.ts';
import { declare, type Library } from '../declare.ts';
import {
  compare,
  Duration,
  EvaluationError,
  equal,
  formatDurationSeconds,
  formatTimestamp,
  ListValue,
  type MapValue,
  nameOf,
  sameKeys,
  type Timestamp,
  TypeValue,
  Uint,
  type Value,
} from '../values.ts';
import { DURATION_MAX, parseDurationText, parseTimestampText, timestampOf } from './time-text.ts';

const INT_MIN = -(2n ** 63n);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;

function int(value: bigint): bigint {
  if (value < INT_MIN || value > INT_MAX) throw new EvaluationError('integer overflow');
  return value;
}

function uint(value: bigint): Uint {
  if (value < 0n || value > UINT_MAX) throw new EvaluationError('unsigned integer overflow');
  return new Uint(value);
}

export function durationOf(nanos: bigint): Duration {
  if (nanos > DURATION_MAX || nanos < -DURATION_MAX) throw new EvaluationError('duration overflow');
  return new Duration(nanos);
}

function notZero(value: bigint, what = 'division by zero'): bigint {
  if (value === 0n) throw new EvaluationError(what);
  return value;
}

export function cannotConvert(value: Value, to: string): never {
  throw new EvaluationError(`type conversion error from '${nameOf(value)}' to '${to}'`);
}

/** Compiles a pattern of an expression. @throws EvaluationError with the words of RE2 */
export function patternOf(text: string): RE2JS {
  try {
    return RE2JS.compile(text);
  } catch (error) {
    throw new EvaluationError((error as Error).message);
  }
}

export const lengthOf = (text: string): number => {
  let length = 0;
  for (const _char of text) length++;
  return length;
};

const arithmetic: Library = [
  ...declare(
    '_+_',
    ['(int, int) int', 'add_int64', (a: bigint, b: bigint) => int(a + b)],
    ['(uint, uint) uint', 'add_uint64', (a: Uint, b: Uint) => uint(a.value + b.value)],
    ['(double, double) double', 'add_double', (a: number, b: number) => a + b],
    ['(string, string) string', 'add_string', (a: string, b: string) => a + b],
    ['(bytes, bytes) bytes', 'add_bytes', (a: Uint8Array, b: Uint8Array) => Uint8Array.from([...a, ...b])],
    ['(list(A), list(A)) list(A)', 'add_list', concatenate],
    [
      '(duration, duration) duration',
      'add_duration_duration',
      (a: Duration, b: Duration) => durationOf(a.nanos + b.nanos),
    ],
    [
      '(duration, timestamp) timestamp',
      'add_duration_timestamp',
      (a: Duration, b: Timestamp) => timestampOf(a.nanos + b.nanos),
    ],
    [
      '(timestamp, duration) timestamp',
      'add_timestamp_duration',
      (a: Timestamp, b: Duration) => timestampOf(a.nanos + b.nanos),
    ],
  ),
  ...declare(
    '_-_',
    ['(int, int) int', 'subtract_int64', (a: bigint, b: bigint) => int(a - b)],
    ['(uint, uint) uint', 'subtract_uint64', (a: Uint, b: Uint) => uint(a.value - b.value)],
    ['(double, double) double', 'subtract_double', (a: number, b: number) => a - b],
    [
      '(duration, duration) duration',
      'subtract_duration_duration',
      (a: Duration, b: Duration) => durationOf(a.nanos - b.nanos),
    ],
    [
      '(timestamp, duration) timestamp',
      'subtract_timestamp_duration',
      (a: Timestamp, b: Duration) => timestampOf(a.nanos - b.nanos),
    ],
    [
      '(timestamp, timestamp) duration',
      'subtract_timestamp_timestamp',
      (a: Timestamp, b: Timestamp) => durationOf(a.nanos - b.nanos),
    ],
  ),
  ...declare(
    '_*_',
    ['(int, int) int', 'multiply_int64', (a: bigint, b: bigint) => int(a * b)],
    ['(uint, uint) uint', 'multiply_uint64', (a: Uint, b: Uint) => uint(a.value * b.value)],
    ['(double, double) double', 'multiply_double', (a: number, b: number) => a * b],
  ),
  ...declare(
    '_/_',
    ['(int, int) int', 'divide_int64', (a: bigint, b: bigint) => int(a / notZero(b))],
    ['(uint, uint) uint', 'divide_uint64', (a: Uint, b: Uint) => uint(a.value / notZero(b.value))],
    ['(double, double) double', 'divide_double', (a: number, b: number) => a / b],
  ),
  ...declare(
    '_%_',
    ['(int, int) int', 'modulo_int64', (a: bigint, b: bigint) => int(a % notZero(b, 'modulus by zero'))],
    ['(uint, uint) uint', 'modulo_uint64', (a: Uint, b: Uint) => uint(a.value % notZero(b.value, 'modulus by zero'))],
  ),
  ...declare(
    '-_',
    ['(int) int', 'negate_int64', (a: bigint) => int(-a)],
    ['(double) double', 'negate_double', (a: number) => -a],
  ),
  ...declare('!_', ['(bool) bool', 'logical_not', (a: boolean) => !a]),
  ...declare('_&&_', ['(bool, bool) bool', 'logical_and', (a: boolean, b: boolean) => a && b]),
  ...declare('_||_', ['(bool, bool) bool', 'logical_or', (a: boolean, b: boolean) => a || b]),
  ...declare('_?_:_', ['(bool, A, A) A', 'conditional', (test: boolean, a: Value, b: Value) => (test ? a : b)]),
  ...declare('@not_strictly_false', ['(bool) bool', 'not_strictly_false', (a: boolean) => a]),
];

/** Lists of a schema that are sets or maps keep what they have, and take what is new. */
function concatenate(a: ListValue, b: ListValue): ListValue {
  const { semantics } = a;
  if (!semantics) return new ListValue([...a.items, ...b.items]);
  const items = [...a.items];
  for (const item of b.items) {
    const at = items.findIndex((there) =>
      semantics.k === 'set' ? equal(there, item) : sameKeys(there, item, semantics.keys),
    );
    if (at < 0) items.push(item);
    else items[at] = item;
  }
  return new ListValue(items, semantics);
}

const NUMBERS = ['int', 'uint', 'double'] as const;
const IDS: Readonly<Record<string, string>> = Object.freeze({ int: 'int64', uint: 'uint64', double: 'double' });
const ORDERED = ['bool', 'string', 'bytes', 'timestamp', 'duration'] as const;

function ordering(fn: string, word: string, test: (order: number) => boolean): Library {
  const run = (a: Value, b: Value): boolean => {
    const order = compare(a, b);
    if (order === undefined) throw new EvaluationError('no such overload');
    return test(order);
  };
  return declare(
    fn,
    ...ORDERED.map((type) => [`(${type}, ${type}) bool`, `${word}_${type}`, run] as const),
    ...NUMBERS.flatMap((a) =>
      NUMBERS.map(
        (b) => [`(${a}, ${b}) bool`, a === b ? `${word}_${IDS[a]}` : `${word}_${IDS[a]}_${IDS[b]}`, run] as const,
      ),
    ),
  );
}

const comparison: Library = [
  ...declare('_==_', ['(A, A) bool', 'equals', (a: Value, b: Value) => equal(a, b)]),
  ...declare('_!=_', ['(A, A) bool', 'not_equals', (a: Value, b: Value) => !equal(a, b)]),
  ...ordering('_<_', 'less', (order) => order < 0),
  ...ordering('_<=_', 'less_equals', (order) => order <= 0),
  ...ordering('_>_', 'greater', (order) => order > 0),
  ...ordering('_>=_', 'greater_equals', (order) => order >= 0),
  ...declare(
    '@in',
    ['(A, list(A)) bool', 'in_list', (item: Value, list: ListValue) => list.items.some((one) => equal(one, item))],
    ['(A, map(A, B)) bool', 'in_map', (key: Value, map: MapValue) => map.has(key)],
  ),
];

const access: Library = [
  ...declare(
    '_[_]',
    ['(list(A), int) A', 'index_list', () => null],
    ['(map(A, B), A) B', 'index_map', () => null],
    ['(optional(list(A)), int) optional(A)', 'optional_list_index_int', () => null],
    ['(optional(map(A, B)), A) optional(B)', 'optional_map_index_value', () => null],
  ),
  ...declare(
    '_[?_]',
    ['(list(A), int) optional(A)', 'list_optindex_optional_int', () => null],
    ['(optional(list(A)), int) optional(A)', 'optional_list_optindex_optional_int', () => null],
    ['(map(A, B), A) optional(B)', 'map_optindex_optional_value', () => null],
    ['(optional(map(A, B)), A) optional(B)', 'optional_map_optindex_optional_value', () => null],
  ),
  ...declare(
    'size',
    ...(['(X) int', 'X.() int'] as const).flatMap((form, i) =>
      (
        [
          ['string', 'size_string', (text: string) => BigInt(lengthOf(text))],
          ['bytes', 'size_bytes', (bytes: Uint8Array) => BigInt(bytes.length)],
          ['list(A)', 'size_list', (list: ListValue) => BigInt(list.items.length)],
          ['map(A, B)', 'size_map', (map: MapValue) => BigInt(map.size)],
        ] as const
      ).map(
        ([type, id, run]) => [form.replace('X', type), i === 0 ? id : `${type.replace(/\(.*/, '')}_size`, run] as const,
      ),
    ),
  ),
  ...declare('type', ['(A) type(A)', 'type', (value: Value) => new TypeValue(nameOf(value))]),
  ...declare('dyn', ['(A) dyn', 'to_dyn', (value: Value) => value]),
];

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function intOfDouble(value: number): bigint {
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 63) throw new EvaluationError('integer overflow');
  return BigInt(Math.trunc(value));
}

function intOfText(text: string): bigint {
  if (!/^[+-]?\d+$/.test(text)) return cannotConvert(text, 'int');
  const value = BigInt(text.replace(/^\+/, ''));
  return value < INT_MIN || value > INT_MAX ? cannotConvert(text, 'int') : value;
}

function textOfBytes(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new EvaluationError('invalid UTF-8 in bytes, cannot convert to string');
  }
}

const conversion: Library = [
  ...declare(
    'int',
    ['(int) int', 'int64_to_int64', (value: bigint) => value],
    ['(uint) int', 'uint64_to_int64', ({ value }: Uint) => int(value)],
    ['(double) int', 'double_to_int64', intOfDouble],
    ['(string) int', 'string_to_int64', intOfText],
    ['(timestamp) int', 'timestamp_to_int64', ({ nanos }: Timestamp) => floorSeconds(nanos)],
    ['(duration) int', 'duration_to_int64', ({ nanos }: Duration) => nanos],
  ),
  ...declare(
    'uint',
    ['(uint) uint', 'uint64_to_uint64', (value: Uint) => value],
    ['(int) uint', 'int64_to_uint64', (value: bigint) => uint(value)],
    ['(double) uint', 'double_to_uint64', (value: number) => uint(intOfDouble(value))],
    [
      '(string) uint',
      'string_to_uint64',
      (text: string) => (/^\d+$/.test(text) ? uint(BigInt(text)) : cannotConvert(text, 'uint')),
    ],
  ),
  ...declare(
    'double',
    ['(double) double', 'double_to_double', (value: number) => value],
    ['(int) double', 'int64_to_double', (value: bigint) => Number(value)],
    ['(uint) double', 'uint64_to_double', ({ value }: Uint) => Number(value)],
    ['(string) double', 'string_to_double', doubleOfText],
  ),
  ...declare(
    'bool',
    ['(bool) bool', 'bool_to_bool', (value: boolean) => value],
    ['(string) bool', 'string_to_bool', boolOfText],
  ),
  ...declare(
    'bytes',
    ['(bytes) bytes', 'bytes_to_bytes', (bytes: Uint8Array) => bytes],
    ['(string) bytes', 'string_to_bytes', (text: string) => new TextEncoder().encode(text)],
  ),
  ...declare(
    'string',
    ['(string) string', 'string_to_string', (text: string) => text],
    ['(bool) string', 'bool_to_string', (value: boolean) => String(value)],
    ['(int) string', 'int64_to_string', (value: bigint) => String(value)],
    ['(uint) string', 'uint64_to_string', ({ value }: Uint) => String(value)],
    ['(double) string', 'double_to_string', (value: number) => float(value)],
    ['(bytes) string', 'bytes_to_string', textOfBytes],
    ['(timestamp) string', 'timestamp_to_string', ({ nanos }: Timestamp) => formatTimestamp(nanos)],
    ['(duration) string', 'duration_to_string', ({ nanos }: Duration) => formatDurationSeconds(nanos)],
  ),
  ...declare(
    'timestamp',
    ['(timestamp) timestamp', 'timestamp_to_timestamp', (value: Timestamp) => value],
    ['(int) timestamp', 'int64_to_timestamp', (value: bigint) => timestampOf(value * 1_000_000_000n)],
    [
      '(string) timestamp',
      'string_to_timestamp',
      (text: string) => parseTimestampText(text) ?? cannotConvert(text, 'google.protobuf.Timestamp'),
    ],
  ),
  ...declare(
    'duration',
    ['(duration) duration', 'duration_to_duration', (value: Duration) => value],
    ['(int) duration', 'int64_to_duration', (value: bigint) => durationOf(value)],
    [
      '(string) duration',
      'string_to_duration',
      (text: string) => parseDurationText(text) ?? cannotConvert(text, 'google.protobuf.Duration'),
    ],
  ),
];

function doubleOfText(text: string): number {
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)) return Number(text);
  const named = /^([+-]?)(inf|infinity)$/i.exec(text);
  if (named) return named[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return /^nan$/i.test(text) ? Number.NaN : cannotConvert(text, 'double');
}

function boolOfText(text: string): boolean {
  if (['true', 'TRUE', 'True', 't', '1'].includes(text)) return true;
  return ['false', 'FALSE', 'False', 'f', '0'].includes(text) ? false : cannotConvert(text, 'bool');
}

const floorSeconds = (nanos: bigint): bigint =>
  nanos >= 0n ? nanos / 1_000_000_000n : -((-nanos + 999_999_999n) / 1_000_000_000n);

const texts: Library = [
  ...declare('contains', [
    'string.(string) bool',
    'contains_string',
    (text: string, part: string) => text.includes(part),
  ]),
  ...declare('startsWith', [
    'string.(string) bool',
    'starts_with_string',
    (text: string, part: string) => text.startsWith(part),
  ]),
  ...declare('endsWith', [
    'string.(string) bool',
    'ends_with_string',
    (text: string, part: string) => text.endsWith(part),
  ]),
  ...declare(
    'matches',
    [
      'string.(string) bool',
      'matches_string',
      (text: string, pattern: string) => patternOf(pattern).matcher(text).find(),
    ],
    ['(string, string) bool', 'matches', (text: string, pattern: string) => patternOf(pattern).matcher(text).find()],
  ),
];

/** Used by macros alone. */
const internal: Library = declare(
  '@map_insert',
  [
    '(map(A, B), A, B) map(A, B)',
    '@map_insert_key_value',
    (map: MapValue, key: Value, value: Value) => map.with(key, value),
  ],
  [
    '(map(A, B), map(A, B)) map(A, B)',
    '@map_insert_map',
    (map: MapValue, more: MapValue) => [...more.entries()].reduce((sum, [key, value]) => sum.with(key, value), map),
  ],
);

export const standardLibrary: Library = [...arithmetic, ...comparison, ...access, ...conversion, ...texts, ...internal];
