/** JSON as values of expressions, and back. */
import { plain, type Type } from './types.ts';
import {
  Duration,
  formatDurationSeconds,
  formatTimestamp,
  ListValue,
  MapValue,
  ObjectValue,
  Optional,
  Timestamp,
  Uint,
  type Value,
} from './values.ts';

/** A value whose type nobody knows beforehand: objects become maps, whole numbers `int`. */
export function valueOfJson(raw: unknown): Value {
  if (raw === null || raw === undefined) return null;
  if (typeof raw === 'number') return Number.isInteger(raw) ? BigInt(raw) : raw;
  if (typeof raw !== 'object') return raw as Value;
  if (Array.isArray(raw)) return new ListValue(raw.map(valueOfJson));
  return new MapValue(
    Object.entries(raw as Record<string, unknown>)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, valueOfJson(value)] as const),
  );
}

/** A value of a declared type: objects keep their fields' types. */
export function typedValue(type: Type, raw: unknown): Value {
  const own = plain(type);
  if (raw === null || raw === undefined) return null;
  switch (own.k) {
    case 'object': {
      const { fields } = own;
      return new ObjectValue(own, raw as Record<string, unknown>, (value, name) =>
        typedValue(fields.get(name)?.type ?? own, value),
      );
    }
    case 'list':
      return new ListValue((raw as unknown[]).map((item) => typedValue(own.of, item)));
    case 'map':
      return new MapValue(
        Object.entries(raw as Record<string, unknown>).map(([key, value]) => [key, typedValue(own.of, value)] as const),
      );
    case 'timestamp':
      return new Timestamp(BigInt(Date.parse(raw as string)) * 1_000_000n);
    default:
      return valueOfJson(raw);
  }
}

/** The JSON of a value. Whole numbers beyond what a double holds stay `bigint`. Throws a TypeError where there is none. */
export function jsonOfValue(value: Value): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint) return jsonOfValue(value.value);
  if (value instanceof ListValue) return value.items.map(jsonOfValue);
  if (value instanceof Optional) return value.value === undefined ? null : jsonOfValue(value.value);
  if (value instanceof Timestamp) return formatTimestamp(value.nanos);
  if (value instanceof Duration) return formatDurationSeconds(value.nanos);
  if (value instanceof Uint8Array) return btoa(String.fromCharCode(...value));
  if (value instanceof MapValue) {
    return Object.fromEntries([...value.entries()].map(([key, one]) => [String(jsonOfValue(key)), jsonOfValue(one)]));
  }
  if (value instanceof ObjectValue) {
    const out: Record<string, unknown> = {};
    for (const key of Object.keys(value.raw)) {
      const field = value.type.fields.get(key);
      const one = value.get(key);
      if (field && one !== undefined) out[field.name] = jsonOfValue(one);
    }
    return out;
  }
  throw new TypeError('a value without a form in JSON');
}
