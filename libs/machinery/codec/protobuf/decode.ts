/**
 * Protobuf messages as plain objects, which `canonical.ts` then brings into form. Unknown fields are passed over, later
 * values of a field win, nested messages that are given twice are merged, as protobuf has it.
 */

import { encodeBase64 } from '../../../base/base64.ts';
import type { Field, SchemaSet, StructType, TypeRef } from '../../schema/ir.ts';
import { formatDuration, formatTime } from '../../time.ts';
import { DecodeError } from '../errors.ts';
import { decodeAny } from '../json.ts';
import { type JsonObject, put } from '../values.ts';
import type { ProtobufReader } from './reader.ts';

type Read = (reader: ProtobufReader) => unknown;

interface FieldReader {
  /** The field's Go name, as errors cite it. */
  label: string;
  wire: number;
  /** A list of numbers, which may also come packed into one field. */
  packable?: boolean;
  read: (reader: ProtobufReader, into: JsonObject, wire: number) => void;
}

type MessageReader = (reader: ProtobufReader, into: JsonObject) => void;

const compiled = new WeakMap<StructType, MessageReader>();

/** Reads a message's body into an object. @throws DecodeError */
export function messageReader(set: SchemaSet, type: StructType): MessageReader {
  let read = compiled.get(type);
  if (!read) {
    read = structReader(set, type.name.slice(type.name.lastIndexOf('.') + 1), type.fields, 0);
    compiled.set(type, read);
  }
  return read;
}

function structReader(set: SchemaSet, message: string, fields: readonly Field[], depth: number): MessageReader {
  const readers = new Map<number, FieldReader>();
  const embedded = new Map<number, { name: string; fields: Field[] }>();
  for (const field of fields) {
    const inline = field.inline?.[depth];
    if (inline) {
      const siblings = embedded.get(inline.number);
      if (siblings) siblings.fields.push(field);
      else embedded.set(inline.number, { name: inline.name, fields: [field] });
    } else if (field.number !== undefined) {
      readers.set(field.number, fieldReader(set, field));
    }
  }
  for (const [number, { name, fields: inner }] of embedded) {
    const read = structReader(set, name, inner, depth + 1);
    readers.set(number, { label: name, wire: 2, read: (reader, into) => read(reader.nested(), into) });
  }
  return (reader, into) => {
    while (!reader.done) {
      const { number, wire } = reader.tag(message);
      const field = readers.get(number);
      if (!field) reader.skip(wire);
      else if (wire !== field.wire && !(wire === 2 && field.packable)) {
        throw new DecodeError(`proto: wrong wireType = ${wire} for field ${field.label}`);
      } else field.read(reader, into, wire);
    }
  };
}

/** `stringData` → `StringData`; a few words are all capitals in Go. */
function goLabel(name: string): string {
  if (['uid', 'id', 'ip', 'tty', 'tls', 'url', 'os'].includes(name)) return name.toUpperCase();
  return name.charAt(0).toUpperCase() + name.slice(1);
}

function fieldReader(set: SchemaSet, field: Field): FieldReader {
  const { name, type } = field;
  const label = goLabel(name);
  if (type.k === 'list' && !type.wrapped) {
    const read = valueReader(set, type.of);
    const wire = wireOf(type.of);
    return {
      label,
      wire,
      packable: wire !== 2,
      read(source, into, actual) {
        const list = listIn(into, name);
        if (actual === wire) {
          list.push(read(source));
          return;
        }
        const packed = source.nested();
        while (!packed.done) list.push(read(packed));
      },
    };
  }
  if (type.k === 'map') {
    const read = valueReader(set, type.of);
    const wire = wireOf(type.of);
    const zero = mapZero(type.of);
    return {
      label,
      wire: 2,
      read(source, into) {
        const entry = source.nested();
        let key = '';
        let value: unknown = zero;
        while (!entry.done) {
          const tag = entry.tag(label);
          if (tag.number === 1 && tag.wire === 2) key = entry.text();
          else if (tag.number === 2 && tag.wire === wire) value = read(entry);
          else entry.skip(tag.wire);
        }
        put(mapIn(into, name), key, value);
      },
    };
  }
  if (type.k === 'ref' && !set.get(type.name).either) {
    let read: MessageReader | undefined;
    return {
      label,
      wire: 2,
      read(source, into) {
        read ??= messageReader(set, set.get(type.name));
        const before = into[name];
        const object = typeof before === 'object' && before !== null ? (before as JsonObject) : {};
        read(source.nested(), object);
        into[name] = object;
      },
    };
  }
  const read = valueReader(set, type);
  return {
    label,
    wire: wireOf(type),
    read(source, into) {
      into[name] = read(source);
    },
  };
}

function listIn(into: JsonObject, name: string): unknown[] {
  const before = into[name];
  if (Array.isArray(before)) return before;
  const list: unknown[] = [];
  into[name] = list;
  return list;
}

function mapIn(into: JsonObject, name: string): JsonObject {
  const before = into[name];
  if (typeof before === 'object' && before !== null) return before as JsonObject;
  const map: JsonObject = {};
  into[name] = map;
  return map;
}

/** What a map entry without a value holds; null is filled by the canonical walk. */
const mapZero = (type: TypeRef): unknown => (type.k === 'string' ? '' : null);

function wireOf(type: TypeRef): number {
  if (type.k === 'bool' || type.k === 'int32' || type.k === 'int64') return 0;
  return type.k === 'double' ? 1 : 2;
}

function valueReader(set: SchemaSet, type: TypeRef): Read {
  switch (type.k) {
    case 'string':
      return (reader) => reader.text();
    case 'bool':
      return (reader) => reader.varint() !== 0n;
    case 'int32':
      return (reader) => reader.int32();
    case 'int64':
      return (reader) => reader.integer();
    case 'double':
      return (reader) => reader.double();
    case 'bytes':
      return (reader) => encodeBase64(reader.bytes());
    case 'quantity':
      return (reader) => single(reader.nested(), 'Quantity', 1, (inner) => inner.text()) ?? '0';
    case 'time':
    case 'microTime':
      return timeReader(type.k);
    case 'duration':
      return (reader) =>
        formatDuration(
          BigInt((single(reader.nested(), 'Duration', 1, (inner) => inner.integer()) ?? 0) as number | bigint),
        );
    case 'intOrString':
      return intOrString;
    case 'any':
      return rawJson;
    case 'list': {
      const read = valueReader(set, type.of);
      return (reader) => {
        const inner = reader.nested();
        const list: unknown[] = [];
        while (!inner.done) {
          const tag = inner.tag('list');
          if (tag.number === 1 && tag.wire === wireOf(type.of)) list.push(read(inner));
          else inner.skip(tag.wire);
        }
        return list;
      };
    }
    case 'ref': {
      let read: Read | undefined;
      return (reader) => {
        read ??= refReader(set, set.get(type.name));
        return read(reader);
      };
    }
    default:
      throw new Error(`a ${type.k} has no protobuf form here`);
  }
}

function refReader(set: SchemaSet, type: StructType): Read {
  const read = messageReader(set, type);
  const whole: Read = (reader) => {
    const into: JsonObject = {};
    read(reader.nested(), into);
    return into;
  };
  if (!type.either) return whole;
  const objectField = type.fields.find((field) => field.type.k === 'ref') as Field;
  const otherField = type.fields.find((field) => field.type.k !== 'ref') as Field;
  return (reader) => {
    const into = whole(reader) as JsonObject;
    return into[objectField.name] ?? into[otherField.name] ?? null;
  };
}

/** The one field of a small message; undefined where it is absent. */
function single(reader: ProtobufReader, message: string, number: number, read: Read): unknown {
  let value: unknown;
  while (!reader.done) {
    const tag = reader.tag(message);
    if (tag.number === number) value = read(reader);
    else reader.skip(tag.wire);
  }
  return value;
}

function timeReader(kind: 'time' | 'microTime'): Read {
  return (reader) => {
    const inner = reader.nested();
    if (inner.done) return null;
    let seconds: number | bigint = 0;
    let nanos = 0;
    while (!inner.done) {
      const tag = inner.tag(kind === 'time' ? 'Time' : 'MicroTime');
      if (tag.number === 1 && tag.wire === 0) seconds = inner.integer();
      else if (tag.number === 2 && tag.wire === 0) nanos = inner.int32();
      else inner.skip(tag.wire);
    }
    const whole = formatTime(Number(seconds) * 1000);
    if (kind === 'time') return whole;
    const micros = String(Math.floor(nanos / 1000)).padStart(6, '0');
    return `${whole.slice(0, -1)}.${micros}Z`;
  };
}

function intOrString(reader: ProtobufReader): number | string {
  const inner = reader.nested();
  let type: number | bigint = 0;
  let number = 0;
  let text = '';
  while (!inner.done) {
    const tag = inner.tag('IntOrString');
    if (tag.number === 1 && tag.wire === 0) type = inner.integer();
    else if (tag.number === 2 && tag.wire === 0) number = inner.int32();
    else if (tag.number === 3 && tag.wire === 2) text = inner.text();
    else inner.skip(tag.wire);
  }
  return type === 1 ? text : number;
}

/** RawExtension, FieldsV1 and JSON: bytes of JSON in field 1. */
function rawJson(reader: ProtobufReader): unknown {
  const raw = single(reader.nested(), 'RawExtension', 1, (inner) => inner.bytes()) as Uint8Array | undefined;
  return raw === undefined || raw.length === 0 ? null : decodeAny(raw);
}
