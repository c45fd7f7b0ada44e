/**
 * Values as expressions compute with them:
 *
 *     null, bool, string     null, boolean, string
 *     int, uint, double      bigint, Uint, number
 *     bytes                  Uint8Array
 *     list, map, object      ListValue, MapValue, ObjectValue
 *     timestamp, duration    Timestamp, Duration: nanoseconds
 *     optional, types        Optional, TypeValue
 *     what libraries bring   Opaque
 */
import { formatTime as formatSeconds } from '../machinery/time.ts';
import type { ListSemantics, ObjectType } from './types.ts';

export type Value =
  | null
  | boolean
  | string
  | bigint
  | number
  | Uint
  | Uint8Array
  | ListValue
  | MapValue
  | ObjectValue
  | Timestamp
  | Duration
  | Optional
  | TypeValue
  | Opaque;

/** An expression failed upon these values: an index out of range, no such key. Logical operators may absorb it. */
export class EvaluationError extends Error {
  override readonly name = 'EvaluationError';
}

/** The expression has used up what it may cost. Nothing absorbs it. */
export class CostError extends Error {
  override readonly name = 'CostError';
}

export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

export class Timestamp {
  /** Nanoseconds since 1970. */
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class Optional {
  readonly value: Value | undefined;
  constructor(value: Value | undefined) {
    this.value = value;
  }
}

export const NONE = new Optional(undefined);

export class TypeValue {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A value of a type that a library brings. */
export abstract class Opaque {
  abstract readonly type: string;
  abstract equals(other: Opaque): boolean;
  /** What `string(x)` gives; undefined where there is none. */
  text(): string | undefined {
    return undefined;
  }
}

export class ListValue {
  readonly items: readonly Value[];
  /** How the list compares and adds up; undefined: in order. */
  readonly semantics: ListSemantics | undefined;
  constructor(items: readonly Value[], semantics?: ListSemantics) {
    this.items = items;
    this.semantics = semantics;
  }
}

export class MapValue {
  readonly #entries = new Map<string, readonly [Value, Value]>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    for (const [key, value] of entries) this.#entries.set(keyText(key), [key, value]);
  }

  get size(): number {
    return this.#entries.size;
  }

  has(key: Value): boolean {
    return this.#entries.has(keyText(key));
  }

  get(key: Value): Value | undefined {
    return this.#entries.get(keyText(key))?.[1];
  }

  /** A map with one entry more. Throws where the key is there already. */
  with(key: Value, value: Value): MapValue {
    if (this.has(key)) throw new EvaluationError(`insert failed: key ${display(key)} already exists`);
    return new MapValue([...this.entries(), [key, value]]);
  }

  entries(): Iterable<readonly [Value, Value]> {
    return this.#entries.values();
  }
}

/** Numbers that are equal are one key, whatever their type. */
function keyText(key: Value): string {
  if (typeof key === 'string') return `s${key}`;
  if (typeof key === 'boolean') return `b${key}`;
  if (typeof key === 'bigint') return `n${key}`;
  if (key instanceof Uint) return `n${key.value}`;
  if (typeof key === 'number') return Number.isInteger(key) ? `n${BigInt(key)}` : `d${key}`;
  return `?${nameOf(key)}`;
}

/** An object of a schema: its fields are made when they are asked for. */
export class ObjectValue {
  readonly type: ObjectType;
  readonly #raw: Readonly<Record<string, unknown>>;
  readonly #adapt: (raw: unknown, field: string) => Value;

  constructor(type: ObjectType, raw: Readonly<Record<string, unknown>>, adapt: (raw: unknown, field: string) => Value) {
    this.type = type;
    this.#raw = raw;
    this.#adapt = adapt;
  }

  get raw(): Readonly<Record<string, unknown>> {
    return this.#raw;
  }

  /** `name` as expressions write it. A field that is null is not there. */
  has(name: string): boolean {
    const field = this.type.fields.get(name);
    return field !== undefined && Object.hasOwn(this.#raw, field.name) && this.#raw[field.name] !== null;
  }

  get(name: string): Value | undefined {
    const field = this.type.fields.get(name);
    return field && this.has(name) ? this.#adapt(this.#raw[field.name], name) : undefined;
  }
}

export function nameOf(value: Value): string {
  if (value === null) return 'null_type';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    default:
  }
  if (value instanceof Uint) return 'uint';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof ListValue) return 'list';
  if (value instanceof MapValue) return 'map';
  if (value instanceof ObjectValue) return value.type.name;
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp';
  if (value instanceof Duration) return 'google.protobuf.Duration';
  if (value instanceof Optional) return 'optional_type';
  return value instanceof TypeValue ? 'type' : value.type;
}

const numberOf = (value: Value): bigint | number | undefined =>
  typeof value === 'bigint' || typeof value === 'number' ? value : value instanceof Uint ? value.value : undefined;

/** Whether two values are equal. Numbers compare across types; values of unlike types are unequal. */
export function equal(a: Value, b: Value): boolean {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined || y !== undefined) return x !== undefined && y !== undefined && x >= y && x <= y;
  if (a === b) return true;
  if (a instanceof ListValue) return b instanceof ListValue && equalLists(a, b);
  if (a instanceof MapValue) return b instanceof MapValue && equalMaps(a, b);
  if (a instanceof ObjectValue) return b instanceof ObjectValue && equalObjects(a, b);
  if (a instanceof Uint8Array) {
    return b instanceof Uint8Array && a.length === b.length && a.every((byte, i) => byte === b[i]);
  }
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos;
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof Opaque) return b instanceof Opaque && a.type === b.type && a.equals(b);
  if (!(a instanceof Optional) || !(b instanceof Optional)) return false;
  if (a.value === undefined || b.value === undefined) return a.value === b.value;
  return equal(a.value, b.value);
}

function equalLists(a: ListValue, b: ListValue): boolean {
  if (a.items.length !== b.items.length) return false;
  const { semantics } = a;
  if (!semantics) return a.items.every((item, i) => equal(item, b.items[i] as Value));
  if (semantics.k === 'set') return a.items.every((item) => b.items.some((other) => equal(item, other)));
  return a.items.every((item) => {
    const other = b.items.find((candidate) => sameKeys(item, candidate, semantics.keys));
    return other !== undefined && equal(item, other);
  });
}

/** Whether two items of a `map` list are one and the same. */
export function sameKeys(a: Value, b: Value, keys: readonly string[]): boolean {
  return keys.every((key) => {
    const [x, y] = [memberOf(a, key), memberOf(b, key)];
    return x === undefined || y === undefined ? x === y : equal(x, y);
  });
}

function memberOf(value: Value, key: string): Value | undefined {
  return value instanceof ObjectValue || value instanceof MapValue ? value.get(key) : undefined;
}

function equalMaps(a: MapValue, b: MapValue): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a.entries()) {
    const other = b.get(key);
    if (other === undefined || !equal(value, other)) return false;
  }
  return true;
}

function equalObjects(a: ObjectValue, b: ObjectValue): boolean {
  for (const name of new Set([...a.type.fields.keys(), ...b.type.fields.keys()])) {
    const [x, y] = [a.get(name), b.get(name)];
    if (x === undefined || y === undefined ? x !== y : !equal(x, y)) return false;
  }
  return true;
}

/** Orders two values of one kind; undefined where they have no order. */
export function compare(a: Value, b: Value): number | undefined {
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined)
    return Number.isNaN(x) || Number.isNaN(y) ? Number.NaN : x < y ? -1 : x > y ? 1 : 0;
  if (typeof a === 'string' && typeof b === 'string') return a === b ? 0 : compareText(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if (a instanceof Timestamp && b instanceof Timestamp) return sign(a.nanos - b.nanos);
  if (a instanceof Duration && b instanceof Duration) return sign(a.nanos - b.nanos);
  if (!(a instanceof Uint8Array) || !(b instanceof Uint8Array)) return undefined;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a[i] !== b[i]) return (a[i] as number) - (b[i] as number);
  }
  return a.length - b.length;
}

const sign = (value: bigint): number => (value < 0n ? -1 : value > 0n ? 1 : 0);

/** By code points, as UTF-8 sorts. */
function compareText(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x, y] = [(left[i] as string).codePointAt(0) as number, (right[i] as string).codePointAt(0) as number];
    if (x !== y) return x < y ? -1 : 1;
  }
  return left.length - right.length;
}

/** How a value stands in messages. */
export function display(value: Value): string {
  if (value instanceof Uint) return String(value.value);
  if (value instanceof ListValue) return `[${value.items.map(display).join(', ')}]`;
  if (value instanceof Timestamp) return formatTimestamp(value.nanos);
  return typeof value === 'object' && value !== null ? nameOf(value) : String(value);
}

const BILLION = 1_000_000_000n;

/** RFC 3339 in UTC, with as many digits of a second as it needs. */
export function formatTimestamp(nanos: bigint): string {
  const seconds = nanos >= 0n ? nanos / BILLION : -((-nanos + BILLION - 1n) / BILLION);
  const rest = nanos - seconds * BILLION;
  const text = formatSeconds(Number(seconds) * 1000);
  return rest === 0n ? text : text.replace('Z', `.${String(rest).padStart(9, '0').replace(/0+$/, '')}Z`);
}

/** Seconds, as CEL writes durations: `5405s`, `1.5s`. */
export function formatDurationSeconds(nanos: bigint): string {
  const [whole, rest] = [(nanos < 0n ? -nanos : nanos) / BILLION, (nanos < 0n ? -nanos : nanos) % BILLION];
  const fraction = rest === 0n ? '' : `.${String(rest).padStart(9, '0').replace(/0+$/, '')}`;
  return `${nanos < 0n ? '-' : ''}${whole}${fraction}s`;
}
