/**
 * `application/vnd.kubernetes.protobuf`: objects in the envelope `k8s\0` + Unknown, lists, and watch events.
 *
 *   encodeProtobuf(set, 'core.v1.Pod', pod)        // the envelope; apiVersion and kind are the object's
 *   decodeProtobuf(set, typeOf, bytes)             // { object, apiVersion, kind }
 *   encodeWatchFrame('ADDED', envelope)            // four bytes of length, then the event
 */
import type { SchemaSet, StructType, TypeName } from '../../schema/ir.ts';
import { canonicalOf, Run } from '../canonical.ts';
import { DecodeError } from '../errors.ts';
import { decodeExactly } from '../exact.ts';
import { normalize, stringify } from '../json.ts';
import { parseJson } from '../parse.ts';
import type { JsonObject } from '../values.ts';
import { messageReader } from './decode.ts';
import { messageWriter } from './encode.ts';
import { ProtobufReader } from './reader.ts';
import { ProtobufWriter } from './writer.ts';

/** `k8s` and a zero byte: what every object in protobuf starts with. */
export const protobufPrefix: readonly number[] = Object.freeze([0x6b, 0x38, 0x73, 0]);

/** The type of a kind, for example `builtinTypeOf`; undefined where there is none. */
export type TypeOf = (group: string, version: string, kind: string) => TypeName | undefined;

export interface ProtobufDecoded<T = unknown> {
  object: T;
  apiVersion: string;
  kind: string;
}

function resolve(set: SchemaSet, type: TypeName | StructType): StructType {
  return typeof type === 'string' ? set.get(type) : type;
}

/**
 * An object with its envelope. `canonical: true` promises that it came from a decoder or `normalize` and was not changed.
 *
 * @throws DecodeError where a value does not fit the type
 */
export function encodeProtobuf(
  set: SchemaSet,
  type: TypeName | StructType,
  object: unknown,
  options: { canonical?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const struct = resolve(set, type);
  const canonical = (options.canonical ? object : normalize(set, struct, object)) as JsonObject;
  const writer = new ProtobufWriter(2048);
  envelope(writer, canonical, () => messageWriter(set, struct)(writer, canonical));
  return writer.finish();
}

/** A message alone, as it stands inside an envelope or a list. */
export function encodeProtobufBody(
  set: SchemaSet,
  type: TypeName | StructType,
  object: unknown,
): Uint8Array<ArrayBuffer> {
  const writer = new ProtobufWriter(2048);
  messageWriter(set, resolve(set, type))(writer, object);
  return writer.finish();
}

/** A list with its envelope, joined from the bodies of its items without encoding them again. */
export function encodeProtobufList(
  set: SchemaSet,
  head: { apiVersion: string; kind: string; metadata: unknown },
  bodies: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const expected = bodies.reduce((sum, body) => sum + body.length + 6, 256);
  const writer = new ProtobufWriter(expected);
  envelope(writer, head, () => {
    for (let i = bodies.length - 1; i >= 0; i--) {
      const before = writer.length;
      writer.bytes(bodies[i] as Uint8Array);
      close(writer, 2, before);
    }
    const before = writer.length;
    messageWriter(set, set.get('meta.v1.ListMeta'))(writer, head.metadata);
    close(writer, 1, before);
  });
  return writer.finish();
}

function close(writer: ProtobufWriter, number: number, before: number): void {
  writer.varint(writer.length - before);
  writer.varint(number * 8 + 2);
}

function text(writer: ProtobufWriter, number: number, value: unknown): void {
  const before = writer.length;
  writer.text(typeof value === 'string' ? value : '');
  close(writer, number, before);
}

/** Unknown: type meta, the message, and two fields that are always empty here. Written from the end. */
function envelope(writer: ProtobufWriter, meta: { apiVersion?: unknown; kind?: unknown }, body: () => void): void {
  text(writer, 4, '');
  text(writer, 3, '');
  const beforeBody = writer.length;
  body();
  close(writer, 2, beforeBody);
  const beforeMeta = writer.length;
  text(writer, 2, meta.kind);
  text(writer, 1, meta.apiVersion);
  close(writer, 1, beforeMeta);
  writer.bytes(new Uint8Array(protobufPrefix));
}

interface Unknown {
  apiVersion: string;
  kind: string;
  raw: Uint8Array;
}

/**
 * Opens an envelope.
 *
 * @throws DecodeError where there is no prefix or the envelope is broken
 */
export function readEnvelope(bytes: Uint8Array): Unknown {
  if (protobufPrefix.some((byte, i) => bytes[i] !== byte)) {
    throw new DecodeError(
      `provided data does not appear to be a protobuf message, expected prefix [${protobufPrefix.join(' ')}]`,
    );
  }
  const found: Unknown = { apiVersion: '', kind: '', raw: new Uint8Array(0) };
  const reader = new ProtobufReader(bytes, protobufPrefix.length);
  while (!reader.done) {
    const { number, wire } = reader.tag('Unknown');
    if (wire !== 2) reader.skip(wire);
    else if (number === 2) found.raw = reader.bytes();
    else if (number === 1) {
      const meta = reader.nested();
      while (!meta.done) {
        const tag = meta.tag('TypeMeta');
        if (tag.number === 1 && tag.wire === 2) found.apiVersion = meta.text();
        else if (tag.number === 2 && tag.wire === 2) found.kind = meta.text();
        else meta.skip(tag.wire);
      }
    } else reader.skip(wire);
  }
  return found;
}

/**
 * Decodes a message whose type is known.
 *
 * @throws DecodeError for broken bytes, and for quantities that are none
 */
export function decodeProtobufBody<T = unknown>(set: SchemaSet, type: TypeName | StructType, bytes: Uint8Array): T {
  const struct = resolve(set, type);
  return formed<T>(set, struct, () => readInto(set, struct, {}, bytes));
}

function readInto(set: SchemaSet, type: StructType, object: JsonObject, bytes: Uint8Array): JsonObject {
  messageReader(set, type)(new ProtobufReader(bytes), object);
  return object;
}

function formed<T>(set: SchemaSet, type: StructType, read: () => JsonObject): T {
  const run = new Run();
  const canonical = canonicalOf(set, type).adopt(read(), run);
  if (!run.bad) return canonical as T;
  // What is wrong (a quantity; all else has its wire type) is worded by the decoder of JSON, from a fresh reading.
  const { value } = decodeExactly(set, type, parseJson(stringify(read())));
  return canonicalOf(set, type).adopt(value, new Run()) as T;
}

/**
 * Decodes an object in its envelope. An envelope without a kind is read as `fallback`.
 *
 * @throws DecodeError; `no kind "X" is registered for version "v"` where `typeOf` knows none
 */
export function decodeProtobuf<T = unknown>(
  set: SchemaSet,
  typeOf: TypeOf,
  bytes: Uint8Array,
  fallback?: { apiVersion: string; kind: string },
): ProtobufDecoded<T> {
  const found = readEnvelope(bytes);
  const apiVersion = found.apiVersion || (fallback?.apiVersion ?? '');
  const kind = found.kind || (fallback?.kind ?? '');
  const slash = apiVersion.indexOf('/');
  const type = typeOf(apiVersion.slice(0, Math.max(slash, 0)), apiVersion.slice(slash + 1), kind);
  if (type === undefined) throw new DecodeError(`no kind "${kind}" is registered for version "${apiVersion}"`);
  const struct = set.get(type);
  const named = struct.fields[0]?.name === 'kind';
  const read = (): JsonObject => readInto(set, struct, named ? { kind, apiVersion } : {}, found.raw);
  return { object: formed<T>(set, struct, read), apiVersion, kind };
}

// Watch

/**
 * One event of a watch: its length in four bytes, then a WatchEvent that holds the object in its own envelope.
 * `object` is what `encodeProtobuf` gave.
 */
export function encodeWatchFrame(type: string, object: Uint8Array): Uint8Array<ArrayBuffer> {
  const writer = new ProtobufWriter(object.length + 32);
  const before = writer.length;
  const raw = writer.length;
  writer.bytes(object);
  close(writer, 1, raw);
  close(writer, 2, before);
  text(writer, 1, type);
  const length = writer.length;
  for (const shift of [0, 8, 16, 24]) writer.byte((length >>> shift) & 255);
  return writer.finish();
}

/**
 * The first whole event at the start of `bytes`, and how many bytes it took; undefined where more must arrive.
 *
 * @throws DecodeError
 */
export function readWatchFrame(bytes: Uint8Array): { type: string; object: Uint8Array; bytesRead: number } | undefined {
  if (bytes.length < 4) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
  if (bytes.length < 4 + length) return undefined;
  const reader = new ProtobufReader(bytes, 4, 4 + length);
  let type = '';
  let object = new Uint8Array(0);
  while (!reader.done) {
    const tag = reader.tag('WatchEvent');
    if (tag.number === 1 && tag.wire === 2) type = reader.text();
    else if (tag.number === 2 && tag.wire === 2) {
      const inner = reader.nested();
      while (!inner.done) {
        const raw = inner.tag('RawExtension');
        if (raw.number === 1 && raw.wire === 2) object = new Uint8Array(inner.bytes());
        else inner.skip(raw.wire);
      }
    } else reader.skip(tag.wire);
  }
  return { type, object, bytesRead: 4 + length };
}
