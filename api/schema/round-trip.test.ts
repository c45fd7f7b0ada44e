// Objects of every type, made up from one seed: what holds for the codecs must hold for all of them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Random, SeededRandom } from '../../libs/base/random.ts';
import { decodeJson, encodeJson, normalize } from '../../libs/machinery/codec/json.ts';
import { decodeProtobufBody, encodeProtobufBody } from '../../libs/machinery/codec/protobuf/protobuf.ts';
import type { StructType, TypeRef } from '../../libs/machinery/schema/ir.ts';
import { builtinSchema } from './builtin.ts';

const set = builtinSchema();
const seed = 'every type';
const objectsPerType = 4;

const strings = ['', 'a', 'name-1', '<&>', 'ü€😀', '"\\\n\u2028', '__proto__', 'x'.repeat(200), '{"a": [1]}', '\u0001'];
const integers = [0, 1, -1, 42, 2 ** 31 - 1, -(2 ** 31)];
const wide: (number | bigint)[] = [...integers, Number.MAX_SAFE_INTEGER, 2n ** 63n - 1n, -(2n ** 63n)];
const quantities = ['0', '1', '100m', '1Gi', '1.5', '12e6', '1k', '-3', '0.001'];
const times = ['2008-01-01T01:01:01Z', '1969-12-31T23:59:59Z', '2999-02-28T00:00:00Z', '0002-01-01T00:00:00Z'];
const keys = ['a', 'b', 'constructor', '__proto__', 'é', '10', '9', 'app.kubernetes.io/name'];
const anything: unknown[] = [null, {}, [], { a: 1, b: [true, null, 'x'] }, 'text', { __proto__: null, n: 2n ** 60n }];

const pick = <T>(random: Random, from: readonly T[]): T => from[random.int(from.length)] as T;

/** A value that fits the type, canonical or not. */
function valueOf(type: TypeRef, random: Random, depth: number): unknown {
  switch (type.k) {
    case 'string':
      return pick(random, strings);
    case 'bool':
      return random.int(2) === 1;
    case 'int32':
      return pick(random, integers);
    case 'int64':
      return pick(random, wide);
    case 'double':
      return pick(random, [0, 1.5, -2.25, 1e21, 5e-324]);
    case 'bytes':
      return pick(random, ['', 'AA==', 'AAE=', 'AAEC', btoa('x'.repeat(100))]);
    case 'quantity':
      return pick(random, quantities);
    case 'time':
      return pick(random, times);
    case 'microTime':
      return pick(random, times).replace('Z', '.000070Z');
    case 'duration':
      return pick(random, ['0s', '1m30s', '-2h0m0.5s', '3ms']);
    case 'intOrString':
      return pick(random, [0, 80, -1, '', '25%', 'http']);
    case 'any':
      return pick(random, anything);
    case 'list':
      return Array.from({ length: random.int(3) }, () => valueOf(type.of, random, depth));
    case 'map': {
      const map: Record<string, unknown> = {};
      for (let i = random.int(4); i > 0; i--) {
        const value = valueOf(type.of, random, depth);
        Object.defineProperty(map, pick(random, keys), { value, enumerable: true, configurable: true, writable: true });
      }
      return map;
    }
    case 'ref':
      return structOf(set.get(type.name), random, depth + 1);
    case 'struct':
      return structOf(type.type, random, depth + 1);
  }
}

function structOf(type: StructType, random: Random, depth: number): unknown {
  if (type.either) return valueOf(pick(random, type.fields).type, random, depth);
  const object: Record<string, unknown> = {};
  // Deep down only what is there anyway, so that types which contain themselves come to an end.
  const odds = depth > 3 ? 0 : depth > 1 ? 3 : 7;
  for (const field of type.fields.toReversed()) {
    // Protobuf has no place for what kind an inner object is of.
    if (depth > 0 && field.number === undefined && isTypeMeta(field.name)) continue;
    if (random.int(10) >= odds) continue;
    const value = random.int(12) === 0 ? null : valueOf(field.type, random, depth);
    // An empty list that is kept (`managedFields: []`) is a wish, not content: protobuf cannot say it.
    if (!(Array.isArray(value) && value.length === 0 && field.keepsZero)) object[field.name] = value;
  }
  return object;
}

/** Wire forms keep no difference between "no JSON" and the JSON `null`; and some fields have no number. */
const inProtobuf = (type: StructType): boolean =>
  type.protobufName !== undefined &&
  !type.either &&
  type.fields.every((field) => field.number !== undefined || isTypeMeta(field.name));
const isTypeMeta = (name: string): boolean => name === 'kind' || name === 'apiVersion';

describe(`random objects, seed "${seed}"`, () => {
  for (const name of set.names) {
    const type = set.get(name);
    if (type.either) continue;
    test(name, () => {
      const random = new SeededRandom(`${seed} ${name}`);
      for (let i = 0; i < objectsPerType; i++) {
        const made = structOf(type, random, 0);
        const canonical = normalize<Record<string, unknown>>(set, name, made);
        assert.deepEqual(normalize(set, name, canonical), canonical, 'normalizing twice changes nothing');

        const text = encodeJson(set, name, canonical, { canonical: true });
        const decoded = decodeJson(set, name, text, { strict: true });
        assert.deepEqual(decoded, { object: canonical, errors: [] }, 'JSON, decoded');
        assert.equal(encodeJson(set, name, decoded.object, { canonical: true }), text, 'JSON, written again');

        // A value that was not canonical comes to the same through text as through memory.
        assert.deepEqual(decodeJson(set, name, encodeLoosely(made)).object, canonical, 'as it was made');

        if (!inProtobuf(type)) continue;
        const bytes = encodeProtobufBody(set, name, canonical);
        const back = decodeProtobufBody<Record<string, unknown>>(set, name, bytes);
        const { kind, apiVersion } = canonical;
        const named =
          type.fields[0]?.number === undefined
            ? { ...(kind ? { kind } : {}), ...(apiVersion ? { apiVersion } : {}), ...back }
            : back;
        assert.deepEqual(named, canonical, 'protobuf, decoded');
        assert.deepEqual(encodeProtobufBody(set, name, back), bytes, 'protobuf, written again');
      }
    });
  }
});

/** JSON with bigints, in the order in which the object was made. */
function encodeLoosely(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return `[${value.map(encodeLoosely).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    return `{${Object.entries(value)
      .map(([key, one]) => `${JSON.stringify(key)}: ${encodeLoosely(one)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}
