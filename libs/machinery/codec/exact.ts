/**
 * The decoder that explains: it goes over a parsed text once more, type by type, and says what upstream's decoder would
 * say. Its rules, which clients see in messages:
 *
 *   - The first value of a wrong type is remembered and decoding goes on; a quantity, time or other type that reads its
 *     own text stops at once, and its error wins.
 *   - Wrong types are placed by struct and JSON path without indices: `PodSpec.spec.containers`. Embedded structs are
 *     part of the path: `NFSVolumeSource.spec.PersistentVolumeSource.nfs.readOnly`.
 *   - Unknown and duplicate fields are placed with indices: `spec.containers[0].foo`; each is said once.
 *   - Of custom resources, unknown fields come after duplicates, sorted.
 *   - A key given twice is merged into the first where the type is a struct or map, else the last one counts.
 *
 * What it answers is plain values in the text's order; `canonical.ts` brings them into form.
 */
import { canonicalQuantity } from '../quantity.ts';
import { json } from '../quote.ts';
import { impliedGoType } from '../schema/compact.ts';
import type { Field, SchemaSet, StructType, TypeRef } from '../schema/ir.ts';
import { canonicalDuration, canonicalMicroTime, canonicalTime } from '../time.ts';
import { normalizeBase64 } from './base64.ts';
import { knownFields } from './embedded.ts';
import { DecodeError } from './errors.ts';
import { JsonMembers, type JsonNode, JsonNumber } from './parse.ts';
import { fits, type JsonObject, put } from './values.ts';

/** Where a value stands: the struct that errors name and the fields from the root. */
interface Place {
  readonly struct: string;
  readonly fields: readonly string[];
}

const nowhere: Place = { struct: '', fields: [] };

export interface ExactResult {
  value: unknown;
  /** Unknown and duplicate fields, in the order of the text. */
  strict: string[];
}

/** Decodes a parsed text. @throws DecodeError */
export function decodeExactly(set: SchemaSet, type: StructType, node: JsonNode): ExactResult {
  const decoder = new ExactDecoder(set);
  const value = decoder.struct(type, node, goNameOf(type), nowhere, '', undefined);
  if (decoder.firstError !== undefined) throw new DecodeError(decoder.firstError);
  return { value, strict: type.custom ? inOrder(decoder.strict) : [...decoder.strict] };
}

/** Of custom resources unknown fields are found after duplicates, and in the order of their paths. */
function inOrder(errors: ReadonlySet<string>): string[] {
  const duplicates = [...errors].filter((error) => error.startsWith('duplicate'));
  const unknown = [...errors].filter((error) => !error.startsWith('duplicate'));
  return [...duplicates, ...unknown.sort()];
}

/** `v1.Pod` of `core.v1.Pod`. */
const goNameOf = (type: StructType): string => type.name.split('.').slice(-2).join('.');
const structNameOf = (type: StructType): string => type.name.slice(type.name.lastIndexOf('.') + 1);

class ExactDecoder {
  readonly #set: SchemaSet;
  readonly strict = new Set<string>();
  firstError: string | undefined;
  /** Types that read their own text do so without looking for unknown and duplicate fields. */
  #lenient = 0;

  constructor(set: SchemaSet) {
    this.#set = set;
  }

  #mismatch(node: JsonNode, goType: string, place: Place): undefined {
    const what = node === null ? 'null' : describe(node);
    return this.#refuse(what, goType, place);
  }

  #refuse(what: string, goType: string, place: Place): undefined {
    const target = place.fields.length > 0 ? `struct field ${place.struct}.${place.fields.join('.')}` : 'value';
    this.firstError ??= `json: cannot unmarshal ${what} into Go ${target} of type ${goType}`;
    return undefined;
  }

  #note(what: 'unknown' | 'duplicate', path: string): void {
    if (this.#lenient === 0 && this.strict.size < 100) this.strict.add(`${what} field "${path}"`);
  }

  struct(type: StructType, node: JsonNode, goType: string, place: Place, path: string, before: unknown): unknown {
    if (node === null) return before ?? null;
    if (type.either) return this.#either(type, node, goType, place, path);
    if (type.custom) return this.#custom(type, node, path);
    if (!(node instanceof JsonMembers)) return this.#mismatch(node, goType, place);
    const out: JsonObject = isPlain(before) ? before : {};
    const fields = fieldsOf(type);
    const seen = new Set<string>();
    node.keys.forEach((key, i) => {
      const inner = path === '' ? key : `${path}.${key}`;
      const field = fields.get(key);
      if (!field) {
        this.#note('unknown', inner);
        return;
      }
      if (seen.has(key)) this.#note('duplicate', inner);
      seen.add(key);
      const embedded = field.inline?.map(({ name }) => name) ?? (isTypeMeta(field, type) ? ['TypeMeta'] : []);
      const there = { struct: structNameOf(type), fields: [...place.fields, ...embedded, key] };
      const goField = field.goType ?? impliedGoType(field.type);
      const value = this.#value(field.type, goField, node.values[i] as JsonNode, there, inner, out[key]);
      if (value !== undefined) put(out, key, value);
    });
    return out;
  }

  #value(type: TypeRef, goType: string, node: JsonNode, place: Place, path: string, before: unknown): unknown {
    switch (type.k) {
      case 'ref':
        return this.struct(this.#set.get(type.name), node, goType, place, path, before);
      case 'struct':
        return this.struct(type.type, node, goType, place, path, before);
      case 'list':
        return this.#list(type.of, goType, node, place, path);
      case 'map':
        return this.#map(type.of, goType, node, place, path, before);
      case 'any':
        return plain(node);
      case 'quantity':
        return node === null ? null : this.#own(() => canonicalQuantity(quantityText(node)));
      case 'time':
        return this.#text(node, place, canonicalTime);
      case 'microTime':
        return this.#text(node, place, canonicalMicroTime);
      case 'duration':
        return this.#text(node, place, canonicalDuration);
      case 'intOrString':
        if (typeof node === 'string') return node;
        return this.#integer(node, 'int32', place, true);
      default:
        if (node === null) return null;
        return this.#scalar(type.k, goType, node, place);
    }
  }

  /** A type that reads its own text: its error ends decoding, even where a wrong type was met before. */
  #own<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw new DecodeError((error as Error).message);
    }
  }

  #text(node: JsonNode, place: Place, canonical: (text: string) => string | null): string | null {
    if (node === null) return null;
    if (typeof node !== 'string') this.#stop(node, 'string', place);
    return this.#own(() => canonical(node as string));
  }

  /** A wrong type inside a type that reads its own text. */
  #stop(node: JsonNode, goType: string, place: Place): never {
    const first = this.firstError;
    this.firstError = undefined;
    this.#mismatch(node, goType, place);
    throw new DecodeError(this.firstError ?? first ?? '');
  }

  #scalar(kind: string, goType: string, node: NonNullable<JsonNode>, place: Place): unknown {
    switch (kind) {
      case 'string':
        return typeof node === 'string' ? node : this.#mismatch(node, goType, place);
      case 'bool':
        return typeof node === 'boolean' ? node : this.#mismatch(node, goType, place);
      case 'bytes':
        return this.#bytes(node, goType, place);
      case 'double': {
        if (!(node instanceof JsonNumber)) return this.#mismatch(node, goType, place);
        const value = Number(node.literal);
        return Number.isFinite(value) ? value : this.#refuse(`number ${node.literal}`, goType, place);
      }
      default:
        return this.#integer(node, goType, place, false, kind === 'int64');
    }
  }

  #integer(node: JsonNode, goType: string, place: Place, own: boolean, wide = false): unknown {
    if (node === null) return 0;
    if (!(node instanceof JsonNumber))
      return own ? this.#stop(node, goType, place) : this.#mismatch(node, goType, place);
    const value = /^-?\d+$/.test(node.literal) ? fits(BigInt(node.literal)) : undefined;
    const inRange = value !== undefined && (wide || (typeof value === 'number' && (value | 0) === value));
    if (inRange) return value;
    const first = this.firstError;
    if (own) this.firstError = undefined;
    this.#refuse(`number ${node.literal}`, goType, place);
    if (own) throw new DecodeError(this.firstError ?? first ?? '');
    return undefined;
  }

  #bytes(node: NonNullable<JsonNode>, goType: string, place: Place): string | undefined {
    if (typeof node === 'string') {
      const text = normalizeBase64(node);
      if (typeof text === 'string') return text;
      this.firstError ??= `illegal base64 data at input byte ${text.wrongAt}`;
      return undefined;
    }
    if (!Array.isArray(node)) return this.#mismatch(node, goType, place);
    // A list of numbers is read as bytes, too.
    const bytes = node.map((item): number => {
      const value = item instanceof JsonNumber && /^\d+$/.test(item.literal) ? Number(item.literal) : undefined;
      if (value !== undefined && value < 256) return value;
      if (item instanceof JsonNumber) this.#refuse(`number ${item.literal}`, 'uint8', place);
      else if (item !== null) this.#mismatch(item, 'uint8', place);
      return 0;
    });
    return btoa(String.fromCharCode(...bytes));
  }

  #list(of: TypeRef, goType: string, node: JsonNode, place: Place, path: string): unknown {
    if (node === null) return null;
    if (!Array.isArray(node)) return this.#mismatch(node, goType, place);
    const goItem = itemGoType(goType, of);
    return node.map((item, i) => this.#value(of, goItem, item, place, `${path}[${i}]`, undefined));
  }

  #map(of: TypeRef, goType: string, node: JsonNode, place: Place, path: string, before: unknown): unknown {
    if (node === null) return null;
    if (!(node instanceof JsonMembers)) return this.#mismatch(node, goType, place);
    const goItem = itemGoType(goType, of);
    const out: JsonObject = isPlain(before) ? before : {};
    const seen = new Set<string>();
    node.keys.forEach((key, i) => {
      const inner = `${path}.${key}`;
      if (seen.has(key)) this.#note('duplicate', inner);
      seen.add(key);
      const value = this.#value(of, goItem, node.values[i] as JsonNode, place, inner, undefined);
      if (value !== undefined) put(out, key, value);
    });
    return out;
  }

  #either(type: StructType, node: NonNullable<JsonNode>, goType: string, place: Place, path: string): unknown {
    const isObject = node instanceof JsonMembers;
    const field = type.fields.find((candidate) => (candidate.type.k === 'ref') === isObject) as Field;
    const fits = isObject || (type.either === 'bool' ? typeof node === 'boolean' : Array.isArray(node));
    if (!fits) {
      // A value of any other kind is passed over where a list is expected, and refused where a bool is.
      if (type.either === 'bool') throw new DecodeError('boolean or JSON schema expected');
      return null;
    }
    this.#lenient++;
    const value = this.#value(field.type, field.goType ?? goType, node, place, path, undefined);
    this.#lenient--;
    return value;
  }

  /** Custom resources take any JSON; only duplicates, unknown fields and their typed parts are looked at. */
  #custom(type: StructType, node: NonNullable<JsonNode>, path: string): unknown {
    if (!(node instanceof JsonMembers)) return this.#free(node, path);
    const fields = fieldsOf(type);
    const out: JsonObject = {};
    this.#members(node, path, (key, value, inner) => {
      const field = fields.get(key);
      if (field) {
        const isEmbeddedMetadata = type.embeddedResource === true && key === 'metadata';
        put(
          out,
          key,
          isEmbeddedMetadata
            ? this.#embedded(value, inner)
            : this.#customValue(field.type, field.goType ?? '', value, inner),
        );
        return;
      }
      const free = this.#free(value, inner);
      if (type.preserveUnknownFields) put(out, key, free);
      else this.#note('unknown', inner);
    });
    return out;
  }

  /** Metadata of an embedded resource: what is wrong with it is cited with its path and value. */
  #embedded(node: JsonNode, path: string): unknown {
    const inner = new ExactDecoder(this.#set);
    const type = this.#set.get('meta.v1.ObjectMeta');
    const refuse = (message: string): never => {
      throw new DecodeError(`${path}: Invalid value: ${json(plain(node))}: ${message}`);
    };
    try {
      const value = inner.struct(type, node, 'v1.ObjectMeta', nowhere, path, undefined);
      if (inner.firstError !== undefined) refuse(inner.firstError);
      for (const one of inner.strict) this.strict.add(one);
      return value;
    } catch (error) {
      if (error instanceof DecodeError && !error.message.startsWith(`${path}: `)) refuse(error.message);
      throw error;
    }
  }

  #customValue(type: TypeRef, goType: string, node: JsonNode, path: string): unknown {
    if (node === null) return null;
    switch (type.k) {
      case 'ref': {
        const target = this.#set.get(type.name);
        return target.custom
          ? this.#custom(target, node, path)
          : this.struct(target, node, goType || goNameOf(target), nowhere, path, undefined);
      }
      case 'struct':
        return this.#custom(type.type, node, path);
      case 'list':
        return Array.isArray(node)
          ? node.map((item, i) => this.#customValue(type.of, '', item, `${path}[${i}]`))
          : this.#free(node, path);
      case 'map': {
        if (!(node instanceof JsonMembers)) return this.#free(node, path);
        const out: JsonObject = {};
        this.#members(node, path, (key, value, inner) => put(out, key, this.#customValue(type.of, '', value, inner)));
        return out;
      }
      default:
        return this.#free(node, path);
    }
  }

  #members(node: JsonMembers, path: string, each: (key: string, value: JsonNode, path: string) => void): void {
    const seen = new Set<string>();
    node.keys.forEach((key, i) => {
      const inner = path === '' ? key : `${path}.${key}`;
      if (seen.has(key)) this.#note('duplicate', inner);
      seen.add(key);
      each(key, node.values[i] as JsonNode, inner);
    });
  }

  /** Like `plain`, noting duplicates. */
  #free(node: JsonNode, path: string): unknown {
    if (Array.isArray(node)) return node.map((item, i) => this.#free(item, `${path}[${i}]`));
    if (!(node instanceof JsonMembers)) return plain(node);
    const out: JsonObject = {};
    this.#members(node, path, (key, value, inner) => put(out, key, this.#free(value, inner)));
    return out;
  }
}

const fieldMaps = new WeakMap<StructType, ReadonlyMap<string, Field>>();

function fieldsOf(type: StructType): ReadonlyMap<string, Field> {
  let fields = fieldMaps.get(type);
  if (!fields) fieldMaps.set(type, (fields = new Map(knownFields(type).map((field) => [field.name, field]))));
  return fields;
}

/** `kind` and `apiVersion` of a kind lie in an embedded struct, which has no protobuf number. */
const isTypeMeta = (field: Field, type: StructType): boolean =>
  field.number === undefined &&
  type.protobufName !== undefined &&
  (field.name === 'kind' || field.name === 'apiVersion');

const isPlain = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function describe(node: NonNullable<JsonNode>): string {
  if (typeof node === 'string') return 'string';
  if (typeof node === 'boolean') return 'bool';
  if (node instanceof JsonNumber) return 'number';
  return Array.isArray(node) ? 'array' : 'object';
}

/** The item's Go type: what follows `[]` or `map[…]`, or what the item itself implies where the list type is named. */
function itemGoType(goType: string, of: TypeRef): string {
  if (goType.startsWith('[]')) return goType.slice(2);
  if (goType.startsWith('map[')) return goType.slice(goType.indexOf(']') + 1);
  return impliedGoType(of);
}

/** What a quantity reads: the text of a string, or the value's own text. */
function quantityText(node: NonNullable<JsonNode>): string {
  if (typeof node === 'string') return node;
  if (node instanceof JsonNumber) return node.literal;
  return JSON.stringify(plain(node));
}

/** Content without a schema: integers are kept exactly where 64 bits hold them, other numbers become doubles. */
export function plain(node: JsonNode): unknown {
  if (node instanceof JsonNumber) {
    const value = Number(node.literal);
    if (/^-?\d+$/.test(node.literal))
      return Number.isSafeInteger(value) ? value + 0 : (fits(BigInt(node.literal)) ?? value);
    if (!Number.isFinite(value))
      throw new DecodeError(`json: cannot unmarshal number ${node.literal} into Go value of type float64`);
    return value;
  }
  if (Array.isArray(node)) return node.map(plain);
  if (!(node instanceof JsonMembers)) return node;
  const out: JsonObject = {};
  node.keys.forEach((key, i) => put(out, key, plain(node.values[i] as JsonNode)));
  return out;
}
