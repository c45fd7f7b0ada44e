/** Values made from the schema: such as fit a type, and such as nearly do. */
import type { Random } from '../../libs/base/random.ts';
import type { Field, SchemaSet, StructType, TypeName, TypeRef } from '../../libs/machinery/schema/ir.ts';

const DEPTH_MAX = 5;
const NAMES = ['a', 'b', 'c-0', 'app', 'x.example.com', 'kubernetes', 'default', 'system:admin'];
const ODD_TEXTS = [
  '',
  ' ',
  'A'.repeat(300),
  '\u0000',
  '\ud800',
  '../..',
  '%2e%2e/%00',
  '__proto__',
  'constructor',
  'ünï',
  '{{}}',
  '-1',
  '1e400',
  'null',
  '\n',
];
const ODD_NUMBERS = [0, -1, 1, 80, 65_536, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 1.5, 1e308, Number.MAX_SAFE_INTEGER + 1];
const QUANTITIES = [
  '1',
  '100m',
  '1Gi',
  '0',
  '-1',
  '1e3',
  '1.5',
  '9223372036854775807',
  '1e999999',
  'x',
  '1ki',
  '.',
  '+',
  '0.1n',
];
const TIMES = [
  '2026-01-02T03:04:05Z',
  '2026-01-02T03:04:05.123456Z',
  '9999-12-31T23:59:59Z',
  '2026-13-01T00:00:00Z',
  'now',
];
const DURATIONS = ['1s', '1h2m', '0', '-5ms', 'x', '1e9h'];
const KEYS = ['a', 'app', 'k8s.io/x', 'a/b/c', '', '__proto__', 'constructor', 'toString', 'é'];

export function pick<T>(random: Random, of: readonly T[]): T {
  return of[random.int(of.length)] as T;
}

const chance = (random: Random, share: number): boolean => random.next() < share;

/** Makes values of the types of one schema. `oddness`: how often a value does not fit, 0 to 1. */
export class Values {
  readonly #random: Random;
  readonly #schema: SchemaSet;

  constructor(random: Random, schema: SchemaSet) {
    this.#random = random;
    this.#schema = schema;
  }

  /** An object of a type: what is required and some of the rest. */
  object(type: TypeName, oddness: number): Record<string, unknown> {
    return this.#struct(this.#schema.get(type), 0, oddness);
  }

  /** Changes one to three places somewhere in a value; the argument is not touched. */
  mutate(value: unknown): unknown {
    const copy = structuredClone(value);
    for (let n = 1 + this.#random.int(3); n > 0; n--) this.#mutateOnce(copy);
    return copy;
  }

  /** Anything at all. */
  anything(depth = 0): unknown {
    const random = this.#random;
    switch (random.int(depth > 3 ? 6 : 8)) {
      case 0:
        return null;
      case 1:
        return chance(random, 0.5);
      case 2:
        return pick(random, ODD_NUMBERS);
      case 3:
        return pick(random, ODD_TEXTS);
      case 4:
        return pick(random, NAMES);
      case 5:
        return pick(random, QUANTITIES);
      case 6:
        return Array.from({ length: random.int(4) }, () => this.anything(depth + 1));
      default:
        return record(
          Array.from({ length: random.int(4) }, () => [pick(random, KEYS), this.anything(depth + 1)] as const),
        );
    }
  }

  #mutateOnce(root: unknown): void {
    const random = this.#random;
    let at = root;
    while (typeof at === 'object' && at !== null) {
      const keys = Object.keys(at);
      if (keys.length === 0) break;
      const key = pick(random, keys);
      const inside = (at as Record<string, unknown>)[key];
      if (typeof inside === 'object' && inside !== null && chance(random, 0.8)) {
        at = inside;
        continue;
      }
      this.#change(at as Record<string, unknown>, key);
      return;
    }
  }

  #change(at: Record<string, unknown>, key: string): void {
    const random = this.#random;
    switch (random.int(6)) {
      case 0:
        if (Array.isArray(at)) at.splice(Number(key), 1);
        else delete at[key];
        break;
      case 1:
        define(at, key, null);
        break;
      case 2:
        if (Array.isArray(at)) at.push(structuredClone(at[Number(key)]));
        else define(at, pick(random, KEYS), this.anything());
        break;
      case 3:
        define(at, key, [at[key]]);
        break;
      default:
        define(at, key, typeof at[key] === 'string' && chance(random, 0.5) ? pick(random, NAMES) : this.anything());
    }
  }

  #struct(type: StructType, depth: number, oddness: number): Record<string, unknown> {
    const random = this.#random;
    const out: [string, unknown][] = [];
    for (const field of type.fields) {
      const share = field.required ? 1 - oddness / 2 : depth === 0 ? 0.6 : 1.6 / (2 + type.fields.length / 2);
      if (depth > DEPTH_MAX || !chance(random, share)) continue;
      out.push([field.name, this.#field(field, depth, oddness)]);
    }
    if (chance(random, oddness / 3)) out.push([pick(random, KEYS), this.anything()]);
    return record(out);
  }

  #field(field: Field, depth: number, oddness: number): unknown {
    const random = this.#random;
    if (chance(random, oddness / 4)) return this.anything();
    if (field.enum && chance(random, 0.8)) return pick(random, field.enum);
    return this.#of(field.type, depth + 1, oddness);
  }

  #of(type: TypeRef, depth: number, oddness: number): unknown {
    const random = this.#random;
    switch (type.k) {
      case 'list':
        return Array.from({ length: random.int(3) }, () => this.#of(type.of, depth + 1, oddness));
      case 'map':
        return record(
          Array.from(
            { length: random.int(3) },
            () => [pick(random, KEYS), this.#of(type.of, depth + 1, oddness)] as const,
          ),
        );
      case 'ref':
        return this.#struct(this.#schema.get(type.name), depth, oddness);
      case 'struct':
        return this.#struct(type.type, depth, oddness);
      case 'string':
        return chance(random, 0.7) ? pick(random, NAMES) : pick(random, ODD_TEXTS);
      case 'bool':
        return chance(random, 0.5);
      case 'int32':
      case 'int64':
        return chance(random, 0.6) ? random.int(100) : pick(random, ODD_NUMBERS);
      case 'double':
        return pick(random, ODD_NUMBERS);
      case 'bytes':
        return pick(random, ['', 'AAAA', 'YQ==', '!', 'YQ']);
      case 'quantity':
        return pick(random, QUANTITIES);
      case 'time':
      case 'microTime':
        return pick(random, TIMES);
      case 'duration':
        return pick(random, DURATIONS);
      case 'intOrString':
        return pick(random, [80, 0, -1, 'http', '50%', '%', '']);
      default:
        return this.anything(depth);
    }
  }
}

/** Own properties, whatever their names. */
function record(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, value] of entries) define(out, key, value);
  return out;
}

function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}
