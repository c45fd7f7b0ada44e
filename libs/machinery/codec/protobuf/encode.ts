/**
 * Canonical objects as protobuf messages, field by field as upstream writes them:
 *
 *   - ascending field numbers; maps sorted by key
 *   - what is no pointer upstream is always written, empty or not: "", 0, false, an empty message
 *   - pointers, lists, maps and bytes are written only where they are there
 */
import type { Field, SchemaSet, StructType, TypeRef } from '../../schema/ir.ts';
import { parseDuration, parseMicroTime, parseTime } from '../../time.ts';
import { base64ToBytes } from '../base64.ts';
import { stringify } from '../json.ts';
import { compareKeys, type JsonObject } from '../values.ts';
import type { ProtobufWriter } from './writer.ts';

/** Writes a value that is there; without a tag, without a length. */
type Write = (writer: ProtobufWriter, value: unknown) => void;

/** Writes a field, tag and all, or nothing. `undefined` where it is absent. */
type WriteField = (writer: ProtobufWriter, object: JsonObject) => void;

const varintWire = 0;
const fixed64Wire = 1;
const lengthWire = 2;

const compiled = new WeakMap<StructType, Write>();

/** Writes the body of a message: what stands inside an envelope or a nested field. */
export function messageWriter(set: SchemaSet, type: StructType): Write {
  let write = compiled.get(type);
  if (!write) {
    write = type.either ? eitherWriter(set, type) : structWriter(set, type);
    compiled.set(type, write);
  }
  return write;
}

function structWriter(set: SchemaSet, type: StructType): Write {
  const fields = fieldWriters(set, type.fields, 0);
  return (writer, value) => {
    const object = (value ?? {}) as JsonObject;
    for (let i = 0; i < fields.length; i++) (fields[i] as WriteField)(writer, object);
  };
}

/** Falling by number; fields of an embedded struct together, in the message that holds them. */
function fieldWriters(set: SchemaSet, fields: readonly Field[], depth: number): WriteField[] {
  const own: { number: number; write: WriteField }[] = [];
  const embedded = new Map<number, Field[]>();
  for (const field of fields) {
    const inline = field.inline?.[depth];
    if (inline) {
      const siblings = embedded.get(inline.number);
      if (siblings) siblings.push(field);
      else embedded.set(inline.number, [field]);
    } else if (field.number !== undefined) {
      own.push({ number: field.number, write: fieldWriter(set, field, field.number) });
    }
  }
  for (const [number, inner] of embedded) {
    const writers = fieldWriters(set, inner, depth + 1);
    own.push({
      number,
      write: (writer, object) => {
        const before = writer.length;
        for (const write of writers) write(writer, object);
        head(writer, number, before);
      },
    });
  }
  return own.sort((a, b) => b.number - a.number).map(({ write }) => write);
}

/** Length and tag of what was written since `before`. */
function head(writer: ProtobufWriter, number: number, before: number): void {
  writer.varint(writer.length - before);
  writer.varint(number * 8 + lengthWire);
}

function fieldWriter(set: SchemaSet, field: Field, number: number): WriteField {
  const { name, type } = field;
  const pointer = field.keepsZero === true;
  if (type.k === 'list') {
    const item = tagged(set, type.of, number);
    const write: WriteField = (writer, object) => {
      const list = object[name] as unknown[] | null | undefined;
      if (list) for (let i = list.length - 1; i >= 0; i--) item(writer, list[i]);
    };
    return type.wrapped ? wrappedList(set, type.of, name, number) : write;
  }
  if (type.k === 'map') {
    const value = tagged(set, type.of, 2);
    return (writer, object) => {
      const map = object[name] as JsonObject | null | undefined;
      if (!map) return;
      const keys = Object.keys(map).sort(compareKeys);
      for (let i = keys.length - 1; i >= 0; i--) {
        const key = keys[i] as string;
        const before = writer.length;
        value(writer, map[key]);
        const middle = writer.length;
        writer.text(key);
        head(writer, 1, middle);
        head(writer, number, before);
      }
    };
  }
  const write = tagged(set, type, number);
  const optional = pointer || type.k === 'bytes';
  return (writer, object) => {
    const value = object[name];
    if (value === undefined || value === null) {
      if (!optional) write(writer, undefined);
    } else write(writer, value);
  };
}

function wrappedList(set: SchemaSet, of: TypeRef, name: string, number: number): WriteField {
  const message = wrappedItems(set, of);
  return (writer, object) => {
    const list = object[name];
    if (!list) return;
    const before = writer.length;
    message(writer, list);
    head(writer, number, before);
  };
}

/** A list as a message whose field 1 repeats. */
function wrappedItems(set: SchemaSet, of: TypeRef): Write {
  const item = tagged(set, of, 1);
  return (writer, value) => {
    const list = value as unknown[];
    for (let i = list.length - 1; i >= 0; i--) item(writer, list[i]);
  };
}

/** Writes one value with its tag; undefined and null as the type's zero. */
function tagged(set: SchemaSet, type: TypeRef, number: number): Write {
  const varintTag = number * 8 + varintWire;
  switch (type.k) {
    case 'bool':
      return (writer, value) => {
        writer.byte(value === true ? 1 : 0);
        writer.varint(varintTag);
      };
    case 'int32':
    case 'int64':
      return (writer, value) => {
        writer.integer((value ?? 0) as number | bigint);
        writer.varint(varintTag);
      };
    case 'double':
      return (writer, value) => {
        writer.double((value ?? 0) as number);
        writer.varint(number * 8 + fixed64Wire);
      };
    default: {
      const content = contentWriter(set, type);
      return (writer, value) => {
        const before = writer.length;
        content(writer, value);
        head(writer, number, before);
      };
    }
  }
}

/** Writes what stands behind a length. */
function contentWriter(set: SchemaSet, type: TypeRef): Write {
  switch (type.k) {
    case 'string':
      return (writer, value) => writer.text((value ?? '') as string);
    case 'bytes':
      return (writer, value) => writer.bytes(base64ToBytes((value ?? '') as string));
    case 'quantity':
      return (writer, value) => fieldText(writer, 1, (value ?? '0') as string);
    case 'time':
    case 'microTime':
      return timeWriter(type.k);
    case 'duration':
      return (writer, value) => {
        writer.integer(parseDuration((value ?? '0s') as string));
        writer.varint(8);
      };
    case 'intOrString':
      return (writer, value) => {
        const isText = typeof value === 'string';
        fieldText(writer, 3, isText ? value : '');
        writer.integer(isText ? 0 : ((value ?? 0) as number));
        writer.varint(2 * 8);
        writer.varint(isText ? 1 : 0);
        writer.varint(8);
      };
    case 'any':
      return (writer, value) => {
        if (value !== undefined && value !== null) fieldText(writer, 1, stringify(value));
      };
    case 'list':
      return wrappedItems(set, type.of);
    case 'ref': {
      let write: Write | undefined;
      return (writer, value) => {
        write ??= messageWriter(set, set.get(type.name));
        write(writer, value);
      };
    }
    default:
      throw new Error(`a ${type.k} has no protobuf form here`);
  }
}

function fieldText(writer: ProtobufWriter, number: number, value: string): void {
  const before = writer.length;
  writer.text(value);
  head(writer, number, before);
}

/** Seconds and nanoseconds, both always; the zero time is an empty message. */
function timeWriter(kind: 'time' | 'microTime'): Write {
  const parse = kind === 'time' ? parseTime : parseMicroTime;
  return (writer, value) => {
    if (value === undefined || value === null) return;
    const { seconds, nanos } = parse(value as string);
    writer.integer(kind === 'time' ? 0 : nanos);
    writer.varint(2 * 8);
    writer.integer(seconds);
    writer.varint(8);
  };
}

function eitherWriter(set: SchemaSet, type: StructType): Write {
  const whole = fieldWriters(set, type.fields, 0);
  const objectField = type.fields.find((field) => field.type.k === 'ref') as Field;
  const otherField = type.fields.find((field) => field.type.k !== 'ref') as Field;
  return (writer, value) => {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    const object: JsonObject = { [isObject ? objectField.name : otherField.name]: value };
    // A schema in place of a bool also says yes.
    if (isObject && type.either === 'bool') object[otherField.name] = true;
    for (const write of whole) write(writer, object);
  };
}
