/**
 * Canonical objects: fields in wire order, empty values as the schema says, quantities and times in their one spelling.
 *
 * A type is compiled, when first used, to two walks over values that `JSON.parse` (or a caller) made:
 *
 *   adopt   takes the value over and changes it in place; an object that is canonical already costs one look per field.
 *           What is frozen is copied, but for the parts that it shares with a canonical object that it replaces
 *   copy    builds a new one and keeps nothing of the caller's, but for parts that it shares with a canonical object
 *           that it replaces
 *
 * Neither explains what is wrong with a value: they set `run.bad`, and the exact decoder (`exact.ts`) goes over the
 * text once more to say it in upstream's words. So the common path stays small.
 */
import { canonicalQuantity } from '../quantity.ts';
import type { Field, SchemaSet, StructType, TypeRef } from '../schema/ir.ts';
import { canonicalDuration, canonicalMicroTime, canonicalTime } from '../time.ts';
import { canonicalBase64 } from './base64.ts';
import { knownFields } from './embedded.ts';
import { compareKeys, fits, type JsonObject, put } from './values.ts';

/** What one walk reports beside its result. */
export class Run {
  /** Keys seen, in dropped subtrees too. */
  keys = 0;
  /** Something does not fit its type (or is unknown, when `strict`); the result is void. */
  bad = false;
  /** Unknown fields make the run bad instead of being dropped. */
  readonly strict: boolean;
  /** Which fields the structs have that are being copied, the outermost first: one list for all of them. */
  readonly places: number[] = [];
  /** How many of `places` are in use. */
  placed = 0;

  constructor(strict = false) {
    this.strict = strict;
  }
}

/**
 * Answers the canonical value, or undefined where nothing is to be written. `before` is what lies at the same place of a
 * canonical object that nobody changes any more: what is the same there is canonical, and taken as it is.
 */
type Walk = (value: unknown, run: Run, before?: unknown) => unknown;

export interface Canonical {
  adopt: Walk;
  copy: Walk;
  /** A new object with just the zeros that are written when all fields are empty. */
  zero: () => JsonObject;
}

interface Pair {
  adopt: Walk;
  copy: Walk;
}

const compiled = new WeakMap<StructType, Canonical>();

/** The walks of a type; compiled once, types it refers to when they are first met. */
export function canonicalOf(set: SchemaSet, type: StructType): Canonical {
  let found = compiled.get(type);
  if (!found) {
    found = type.either ? compileEither(set, type) : type.custom ? compileCustom(set, type) : compileStruct(set, type);
    compiled.set(type, found);
  }
  return found;
}

function wrong(run: Run): undefined {
  run.bad = true;
  return undefined;
}

// Fields

interface Slot extends Pair {
  name: string;
  /** What an absent field becomes; undefined stays absent. */
  zero: (() => unknown) | undefined;
}

function slotOf(set: SchemaSet, field: Field): Slot {
  const fill = zeroOf(set, field);
  return { name: field.name, zero: fill, ...walkOf(set, field.type, field.keepsZero === true, fill ?? absent) };
}

const absent = (): undefined => undefined;

/** Makes the value that an empty field is written with; undefined where nothing is written. */
function zeroOf(set: SchemaSet, field: Field): (() => unknown) | undefined {
  if (!('zero' in field)) return undefined;
  const { zero, type } = field;
  if (zero !== null && typeof zero === 'object' && type.k === 'ref') {
    let canonical: Canonical | undefined;
    return () => {
      canonical ??= canonicalOf(set, set.get(type.name));
      return canonical.zero();
    };
  }
  return () => zero;
}

/** What null stands for as an item of a list or a value of a map. */
function itemZero(set: SchemaSet, type: TypeRef): () => unknown {
  switch (type.k) {
    case 'string':
    case 'bytes':
      return () => '';
    case 'bool':
      return () => false;
    case 'int32':
    case 'int64':
    case 'double':
    case 'intOrString':
      return () => 0;
    case 'quantity':
      return () => '0';
    case 'duration':
      return () => '0s';
    case 'ref':
      return () => (set.get(type.name).either ? null : canonicalOf(set, set.get(type.name)).zero());
    default:
      return () => null;
  }
}

/** `keep`: an explicit zero survives. `zero`: what null, and an empty value that does not survive, become. */
function walkOf(set: SchemaSet, type: TypeRef, keep: boolean, zero: () => unknown): Pair {
  switch (type.k) {
    case 'list':
      return listWalk(itemWalk(set, type.of), keep, zero);
    case 'map':
      return mapWalk(itemWalk(set, type.of), zero);
    case 'ref':
      return structWalk(() => canonicalOf(set, set.get(type.name)), zero);
    case 'struct':
      return structWalk(() => canonicalOf(set, type.type), zero);
    case 'any':
      return {
        adopt: (value, run) => (value === null ? zero() : (countKeys(value, run), value)),
        copy: (value, run) => (value === null ? zero() : copyAny(value, run)),
      };
    default: {
      const walk = scalarWalk(type.k, keep, zero());
      return { adopt: walk, copy: walk };
    }
  }
}

const itemWalk = (set: SchemaSet, type: TypeRef): Pair => walkOf(set, type, true, itemZero(set, type));

// Scalars

type ScalarName = Exclude<TypeRef['k'], 'list' | 'map' | 'ref' | 'struct' | 'any'>;

function scalarWalk(kind: ScalarName, keep: boolean, zero: unknown): Walk {
  const text =
    (canonical: (value: string) => string | null): Walk =>
    (value, run) => {
      if (typeof value !== 'string') return value === null ? zero : wrong(run);
      try {
        return canonical(value) ?? zero;
      } catch {
        return wrong(run);
      }
    };
  switch (kind) {
    case 'string':
      return (value, run) =>
        typeof value === 'string' ? (value !== '' || keep ? value : zero) : value === null ? zero : wrong(run);
    case 'bool':
      return (value, run) =>
        value === true || (value === false && keep) ? value : value === false || value === null ? zero : wrong(run);
    case 'int32':
      return (value, run) => {
        if (typeof value !== 'number') return value === null ? zero : wrong(run);
        if ((value | 0) !== value) return wrong(run);
        return value !== 0 ? value : keep ? 0 : zero;
      };
    case 'int64':
      return (value, run) => {
        if (typeof value === 'bigint') return fits(value) ?? wrong(run);
        if (typeof value !== 'number') return value === null ? zero : wrong(run);
        if (!Number.isSafeInteger(value)) return wrong(run);
        return value !== 0 ? value : keep ? 0 : zero;
      };
    case 'double':
      return (value, run) => {
        if (typeof value !== 'number') return value === null ? zero : wrong(run);
        if (!Number.isFinite(value)) return wrong(run);
        return value !== 0 ? value : keep ? 0 : zero;
      };
    case 'bytes':
      return (value, run) => {
        if (typeof value !== 'string') return value === null ? zero : wrong(run);
        if (value === '') return keep || zero === null ? value : zero;
        return canonicalBase64(value) ?? wrong(run);
      };
    case 'quantity':
      return (value, run) => {
        if (value === null) return zero;
        if (typeof value !== 'string' && !(typeof value === 'number' && Number.isSafeInteger(value))) return wrong(run);
        try {
          return canonicalQuantity(String(value));
        } catch {
          return wrong(run);
        }
      };
    case 'time':
      return text(canonicalTime);
    case 'microTime':
      return text(canonicalMicroTime);
    case 'duration':
      return text(canonicalDuration);
    case 'intOrString':
      return (value, run) => {
        if (typeof value === 'string') return value;
        if (typeof value !== 'number') return value === null ? zero : wrong(run);
        return (value | 0) === value ? value + 0 : wrong(run);
      };
  }
}

// Lists and maps

const NONE: readonly unknown[] = Object.freeze([]);

function listWalk(item: Pair, keep: boolean, zero: () => unknown): Pair {
  const copy: Walk = (value, run, before) => {
    if (!Array.isArray(value)) return value === null ? zero() : wrong(run);
    if (value.length === 0) return keep ? [] : zero();
    const walk = item.copy;
    const old: readonly unknown[] = Array.isArray(before) ? before : NONE;
    // Undefined has no place in a list: JSON would make it null, so it is what null is here.
    return value.map((one: unknown, i) =>
      one === old[i] && one !== undefined ? one : walk(one === undefined ? null : one, run, old[i]),
    );
  };
  const adopt: Walk = (value, run, before) => {
    if (!Array.isArray(value)) return value === null ? zero() : wrong(run);
    if (value.length === 0) return keep ? value : zero();
    const walk = item.adopt;
    const old: readonly unknown[] = Array.isArray(before) ? before : NONE;
    for (let i = 0; i < value.length; i++) {
      const one: unknown = value[i];
      if (one === old[i] && one !== undefined) continue;
      const after = walk(one === undefined ? null : one, run, old[i]);
      if (after === one) continue;
      // What is wrong is left for the words that say it.
      if (run.bad) return undefined;
      if (Object.isFrozen(value)) return copy(value, run, before);
      value[i] = after;
    }
    return value;
  };
  return { adopt, copy };
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mapWalk(item: Pair, zero: () => unknown): Pair {
  const copy: Walk = (value, run) => {
    if (!isObject(value)) return value === null ? zero() : wrong(run);
    const out: JsonObject = {};
    let previous: string | undefined;
    let sorted = true;
    const walk = item.copy;
    for (const key in value) {
      const one = value[key];
      if (one === undefined) continue;
      run.keys++;
      if (previous !== undefined && sorted && compareKeys(previous, key) > 0) sorted = false;
      previous = key;
      put(out, key, walk(one, run));
    }
    if (previous === undefined) return zero();
    return sorted ? out : sortMap(out);
  };
  const adopt: Walk = (value, run) => {
    if (!isObject(value)) return value === null ? zero() : wrong(run);
    let previous: string | undefined;
    let sorted = true;
    const walk = item.adopt;
    for (const key in value) {
      const one = value[key];
      if (one === undefined) return copy(value, run);
      run.keys++;
      if (previous !== undefined && sorted && compareKeys(previous, key) > 0) sorted = false;
      previous = key;
      const after = walk(one, run);
      if (after === one) continue;
      if (run.bad) return undefined;
      if (Object.isFrozen(value)) return copy(value, run);
      value[key] = after;
    }
    if (previous === undefined) return zero();
    return sorted ? value : sortMap(value);
  };
  return { adopt, copy };
}

function sortMap(map: JsonObject): JsonObject {
  const out: JsonObject = {};
  for (const key of Object.keys(map).sort(compareKeys)) put(out, key, map[key]);
  return out;
}

// Structs

function structWalk(target: () => Canonical, zero: () => unknown): Pair {
  let canonical: Canonical | undefined;
  return {
    adopt(value, run, before) {
      if (value === null) return zero();
      canonical ??= target();
      return canonical.adopt(value, run, before) ?? zero();
    },
    copy(value, run, before) {
      if (value === null) return zero();
      canonical ??= target();
      return canonical.copy(value, run, before) ?? zero();
    },
  };
}

function compileStruct(set: SchemaSet, type: StructType): Canonical {
  const slots = type.fields.map((field) => slotOf(set, field));
  const index = new Map(slots.map((slot, i) => [slot.name, i]));
  const filled = slots.filter((slot) => slot.zero);
  const filledAt = filled.map((slot) => slots.indexOf(slot));

  const adopt: Walk = (value, run, before) => {
    if (!isObject(value)) return wrong(run);
    const old = isObject(before) ? before : undefined;
    let last = -1;
    let rebuild = false;
    let zeros = 0;
    for (const key in value) {
      run.keys++;
      const at = index.get(key);
      const one = value[key];
      if (at === undefined || one === undefined) {
        if (run.strict && one !== undefined) run.bad = true;
        countKeys(one, run);
        rebuild = true;
        continue;
      }
      const slot = slots[at] as Slot;
      const was = old?.[key];
      const after = one === was ? one : slot.adopt(one, run, was);
      if (at < last) rebuild = true;
      last = at;
      if (after === undefined) rebuild = true;
      else if (slot.zero) zeros++;
      if (after === one) continue;
      if (run.bad) return undefined;
      if (Object.isFrozen(value)) return copy(value, run, before);
      value[key] = after;
    }
    return rebuild || zeros !== filled.length ? inOrder(value, run, value) : value;
  };

  const copy: Walk = (value, run, before) =>
    isObject(value) ? inOrder(value, run, isObject(before) ? before : undefined) : wrong(run);

  /**
   * A new object of copies; what is `old`'s is taken as it is. Goes by what is there: of the many fields of a
   * type an object has a few, and most of them in order.
   */
  const inOrder = (value: JsonObject, run: Run, old: JsonObject | undefined): JsonObject => {
    const { places, placed: first } = run;
    let end = first;
    let last = -1;
    for (const key in value) {
      const at = index.get(key);
      if (at === undefined) {
        if (run.strict && value[key] !== undefined) run.bad = true;
        continue;
      }
      let place = end++;
      if (at > last) last = at;
      else
        for (; place > first && (places[place - 1] as number) > at; place--)
          places[place] = places[place - 1] as number;
      places[place] = at;
    }
    run.placed = end;
    const out: JsonObject = {};
    let fill = 0;
    for (let i = first; i < end; i++) {
      const at = places[i] as number;
      const slot = slots[at] as Slot;
      if ((filledAt[fill] as number) < at) fill = fillUpTo(out, fill, at);
      const one = value[slot.name];
      if (one === undefined) continue;
      const was = old?.[slot.name];
      const after = one === was ? one : slot.copy(one, run, was);
      if (after !== undefined) out[slot.name] = after;
      if (filledAt[fill] === at) fill++;
    }
    fillUpTo(out, fill, slots.length);
    run.placed = first;
    return out;
  };

  /** Writes the zeros of fields before `end`, beginning with the one numbered `fill` among those that have one. */
  const fillUpTo = (out: JsonObject, fill: number, end: number): number => {
    let next = fill;
    while (next < filledAt.length && (filledAt[next] as number) < end) {
      const slot = filled[next++] as Slot;
      out[slot.name] = slot.zero?.();
    }
    return next;
  };

  const zero = (): JsonObject => {
    const out: JsonObject = {};
    for (const slot of filled) out[slot.name] = slot.zero?.();
    return out;
  };
  return { adopt, copy, zero };
}

/** Types that stand for the value of one of their fields. */
function compileEither(set: SchemaSet, type: StructType): Canonical {
  const objectField = type.fields.find((field) => field.type.k === 'ref') as Field;
  const otherField = type.fields.find((field) => field.type.k !== 'ref') as Field;
  const object = walkOf(set, objectField.type, true, absent);
  const other = walkOf(set, otherField.type, true, absent);
  const walk =
    (side: 'adopt' | 'copy'): Walk =>
    (value, run) => {
      if (isObject(value)) return object[side](value, run);
      if (type.either === 'bool' ? typeof value !== 'boolean' : !Array.isArray(value)) return wrong(run);
      return Array.isArray(value) && value.length === 0 ? null : other[side](value, run);
    };
  // Its zero is never asked for: fields of these types are pointers or items that hold an object or a list.
  return { adopt: walk('adopt'), copy: walk('copy'), zero: () => ({}) };
}

// Custom resources

/**
 * Custom structs keep what they are given: validation reports a wrong type, defaulting fills a missing field. Only the
 * order, unknown fields, and typed parts such as `metadata` are this walk's business.
 */
function compileCustom(set: SchemaSet, type: StructType): Canonical {
  const slots = knownFields(type).map(
    (field): Slot => ({ name: field.name, zero: undefined, ...customWalk(set, field.type) }),
  );
  const index = new Map(slots.map((slot, i) => [slot.name, i]));
  const keep = type.preserveUnknownFields === true;

  const walk =
    (side: 'adopt' | 'copy'): Walk =>
    (value, run) => {
      if (!isObject(value)) return side === 'adopt' ? (countKeys(value, run), value) : copyAny(value, run);
      const found: unknown[] = new Array<unknown>(slots.length);
      const unknown: JsonObject = {};
      for (const key of Object.keys(value)) {
        run.keys++;
        const at = index.get(key);
        const before = value[key];
        if (before === undefined) continue;
        if (at !== undefined) found[at] = (slots[at] as Slot)[side](before, run);
        else if (keep) put(unknown, key, side === 'adopt' ? (countKeys(before, run), before) : copyAny(before, run));
        else {
          if (run.strict) run.bad = true;
          countKeys(before, run);
        }
      }
      const out: JsonObject = {};
      for (let i = 0; i < slots.length; i++) if (found[i] !== undefined) put(out, (slots[i] as Slot).name, found[i]);
      for (const key of Object.keys(unknown)) put(out, key, unknown[key]);
      return out;
    };
  return { adopt: walk('adopt'), copy: walk('copy'), zero: () => ({}) };
}

function customWalk(set: SchemaSet, type: TypeRef): Pair {
  const any: Pair = { adopt: (value, run) => (countKeys(value, run), value), copy: copyAny };
  switch (type.k) {
    case 'ref':
      return structWalk(
        () => canonicalOf(set, set.get(type.name)),
        () => null,
      );
    case 'struct':
      return structWalk(
        () => canonicalOf(set, type.type),
        () => null,
      );
    case 'list':
    case 'map': {
      const item = customWalk(set, type.of);
      const side =
        (name: 'adopt' | 'copy'): Walk =>
        (value, run) => {
          if (type.k === 'list')
            return Array.isArray(value)
              ? value.map((one: unknown) => item[name](one ?? null, run))
              : any[name](value, run);
          if (!isObject(value)) return any[name](value, run);
          const out: JsonObject = {};
          for (const key of Object.keys(value)) {
            run.keys++;
            if (value[key] !== undefined) put(out, key, item[name](value[key], run));
          }
          return out;
        };
      return { adopt: side('adopt'), copy: side('copy') };
    }
    default:
      return any;
  }
}

// Content without a schema

function countKeys(value: unknown, run: Run): void {
  if (typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) countKeys(value[i], run);
    return;
  }
  for (const key in value) {
    run.keys++;
    countKeys((value as JsonObject)[key], run);
  }
}

/**
 * A deep copy; undefined members are dropped, and what JSON cannot say makes the run bad. What is frozen was canonical
 * before, and is taken as it is: the owners of a stored object's fields, first of all.
 */
function copyAny(value: unknown, run: Run): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : wrong(run);
    case 'bigint':
      return fits(value) ?? wrong(run);
    case 'object': {
      if (value === null || Object.isFrozen(value)) return value;
      if (Array.isArray(value)) return value.map((one: unknown) => copyAny(one ?? null, run));
      const out: JsonObject = {};
      for (const key of Object.keys(value)) {
        const one = (value as JsonObject)[key];
        if (one === undefined) continue;
        run.keys++;
        put(out, key, copyAny(one, run));
      }
      return out;
    }
    default:
      return wrong(run);
  }
}
