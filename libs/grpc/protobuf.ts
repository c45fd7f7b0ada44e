/**
 * A proto3 codec driven by tables, for the gRPC APIs of a node (CRI and its like).
 *
 * A schema is text: for each message its fields as `number name type`, joined by `;`. A type is a scalar, an enum or a
 * message, with `[]` for repeated ones, or `map<key,value>`:
 *
 *     { Container: '1 id string;8 labels map<string,string>;6 state ContainerState;7 createdAt nanos' }
 *
 * Values in memory:
 *
 *   string, bool, bytes            string, boolean, Uint8Array
 *   int32, uint32, double          number
 *   int64, uint64                  number; beyond 2^53 rounded to the nearest double (counters and sizes)
 *   nanos                          bigint: an int64 of nanoseconds since 1970, exact
 *   enum                           its name; a number that this schema does not know is its digits
 *   repeated, map                  array, object with own properties only
 *   message                        object; absent: no property
 *
 * A decoded message has every field that is not a message, with proto3's default where the wire had none; empty lists
 * and maps are shared and frozen. Encoding takes any part of a message and leaves out what is default.
 */
export interface ProtobufSource {
  readonly messages: Readonly<Record<string, string>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** What a caller may give for a message: any of its fields, at any depth. */
export type Input<T> = T extends bigint | Uint8Array
  ? T
  : T extends readonly (infer I)[]
    ? readonly Input<I>[]
    : T extends object
      ? string extends keyof T
        ? { readonly [K in keyof T]: Input<T[K]> }
        : { readonly [K in keyof T]?: Input<T[K]> }
      : T;

/** The wire is not what the schema says. */
export class ProtobufError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ProtobufError';
  }
}

type Scalar = 'string' | 'bool' | 'bytes' | 'int32' | 'uint32' | 'int64' | 'uint64' | 'double' | 'nanos';

interface FieldTable {
  readonly number: number;
  readonly name: string;
  readonly kind: Scalar | 'enum' | 'message' | 'map';
  readonly repeated: boolean;
  readonly enumNames?: ReadonlyMap<number, string>;
  readonly enumNumbers?: Readonly<Record<string, number>>;
  readonly message?: string;
  readonly key?: FieldTable;
  readonly value?: FieldTable;
}

interface MessageTable {
  readonly byNumber: ReadonlyMap<number, FieldTable>;
  readonly fields: readonly FieldTable[];
}

const SCALARS: ReadonlySet<string> = new Set<Scalar>([
  'string',
  'bool',
  'bytes',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'double',
  'nanos',
]);
const PACKABLE: ReadonlySet<string> = new Set([
  'bool',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'double',
  'nanos',
  'enum',
]);
const NO_ITEMS: readonly never[] = Object.freeze([]);
const NO_ENTRIES: Readonly<Record<string, never>> = Object.freeze({});
const NO_BYTES = new Uint8Array(0);
/** Deeper messages are refused: no API of ours comes near. */
const DEPTH_MAX = 64;

type Values = Record<string, unknown>;

export class ProtobufSchema {
  readonly #source: ProtobufSource;
  readonly #tables = new Map<string, MessageTable>();

  constructor(source: ProtobufSource) {
    this.#source = source;
  }

  /** Throws `ProtobufError` for a value of the wrong type, with the path to it. */
  encode(message: string, value: object): Uint8Array {
    const writer = new Writer();
    this.#write(writer, this.#table(message), value as Values, message);
    return writer.finish();
  }

  /** Throws `ProtobufError` for a wire that is cut short or not of this message. Unknown fields are skipped. */
  decode(message: string, bytes: Uint8Array): object {
    const reader = new Reader(bytes);
    return this.#read(reader, this.#table(message), bytes.length, 0);
  }

  #table(message: string): MessageTable {
    const known = this.#tables.get(message);
    if (known) return known;
    const text = this.#source.messages[message];
    if (text === undefined) throw new ProtobufError(`no message ${message}`);
    const fields = text === '' ? [] : text.split(';').map((field) => this.#field(field));
    const table = { fields, byNumber: new Map(fields.map((field) => [field.number, field])) };
    this.#tables.set(message, table);
    return table;
  }

  #field(text: string): FieldTable {
    const [number, name, type] = text.split(' ') as [string, string, string];
    const map = /^map<(\w+),([\w.]+)>$/.exec(type);
    if (map) {
      const key = this.#field(`1 key ${map[1]}`);
      const value = this.#field(`2 value ${map[2]}`);
      return { number: Number(number), name, kind: 'map', repeated: false, key, value };
    }
    const repeated = type.endsWith('[]');
    const plain = repeated ? type.slice(0, -2) : type;
    const base = { number: Number(number), name, repeated };
    if (SCALARS.has(plain)) return { ...base, kind: plain as Scalar };
    const enumNumbers = this.#source.enums[plain];
    if (enumNumbers) {
      const enumNames = new Map(Object.entries(enumNumbers).map(([label, code]) => [code, label]));
      return { ...base, kind: 'enum', enumNumbers, enumNames };
    }
    return { ...base, kind: 'message', message: plain };
  }

  #write(writer: Writer, table: MessageTable, values: Values, path: string): void {
    for (const field of table.fields) {
      const value = values[field.name];
      if (value === undefined || value === null) continue;
      const at = `${path}.${field.name}`;
      if (field.kind === 'map') {
        const { key, value: item } = field as Required<FieldTable>;
        for (const [k, v] of Object.entries(value as Values)) {
          writer.nested(field.number, () => {
            this.#writeField(writer, key, k, at, false);
            this.#writeField(writer, item, v, `${at}[${JSON.stringify(k)}]`, false);
          });
        }
      } else if (!field.repeated) this.#writeField(writer, field, value, at, false);
      else {
        if (!Array.isArray(value)) throw new ProtobufError(`${at}: a list is needed`);
        if (value.length === 0) continue;
        if (PACKABLE.has(field.kind)) {
          writer.nested(field.number, () => {
            for (const item of value) this.#writeNumber(writer, field, item, at);
          });
        } else for (const item of value) this.#writeField(writer, field, item, at, true);
      }
    }
  }

  /** `always`: also what is default, as items of a list need. */
  #writeField(writer: Writer, field: FieldTable, value: unknown, path: string, always: boolean): void {
    switch (field.kind) {
      case 'string':
        if (typeof value !== 'string') throw new ProtobufError(`${path}: a string is needed`);
        if (always || value !== '') writer.text(field.number, value);
        return;
      case 'bytes':
        if (!(value instanceof Uint8Array)) throw new ProtobufError(`${path}: bytes are needed`);
        if (always || value.length > 0) writer.bytes(field.number, value);
        return;
      case 'message': {
        if (typeof value !== 'object') throw new ProtobufError(`${path}: an object is needed`);
        const table = this.#table(field.message as string);
        writer.nested(field.number, () => this.#write(writer, table, value as Values, path));
        return;
      }
      default: {
        const isDefault = field.kind === 'enum' ? field.enumNumbers?.[value as string] === 0 : !value;
        if (isDefault && !always) return;
        writer.varint((field.number << 3) | (field.kind === 'double' ? 1 : 0));
        this.#writeNumber(writer, field, value, path);
      }
    }
  }

  #writeNumber(writer: Writer, field: FieldTable, value: unknown, path: string): void {
    if (field.kind === 'bool') {
      if (typeof value !== 'boolean') throw new ProtobufError(`${path}: true or false is needed`);
      writer.varint(value ? 1 : 0);
    } else if (field.kind === 'enum') {
      const code = field.enumNumbers?.[value as string] ?? (/^\d+$/.test(String(value)) ? Number(value) : undefined);
      if (code === undefined) throw new ProtobufError(`${path}: ${JSON.stringify(value)} is none of its values`);
      writer.varint(code);
    } else if (field.kind === 'double') {
      if (typeof value !== 'number') throw new ProtobufError(`${path}: a number is needed`);
      writer.double(value);
    } else if (typeof value === 'bigint') writer.bigVarint(BigInt.asUintN(64, value));
    else if (typeof value !== 'number' || !Number.isInteger(value))
      throw new ProtobufError(`${path}: a whole number is needed`);
    else if (value >= 0 && value <= Number.MAX_SAFE_INTEGER) writer.varint(value);
    else writer.bigVarint(BigInt.asUintN(64, BigInt(value)));
  }

  #read(reader: Reader, table: MessageTable, end: number, depth: number): Values {
    if (depth > DEPTH_MAX) throw new ProtobufError('the message is nested too deep');
    const out: Values = {};
    for (const field of table.fields) {
      const empty = defaultOf(field);
      if (empty !== undefined) out[field.name] = empty;
    }
    while (reader.at < end) {
      const tag = reader.varint();
      const field = table.byNumber.get(tag >>> 3);
      const wireType = tag & 7;
      if (!field) reader.skip(wireType);
      else if (field.kind === 'map') {
        const stop = reader.length();
        let entries = out[field.name] as Values;
        if (entries === NO_ENTRIES) out[field.name] = entries = {};
        const [key, value] = this.#readEntry(reader, field as Required<FieldTable>, stop, depth);
        Object.defineProperty(entries, key, { value, enumerable: true, writable: true, configurable: true });
      } else if (!field.repeated) out[field.name] = this.#readField(reader, field, wireType, depth);
      else {
        let items = out[field.name] as unknown[];
        if (items === (NO_ITEMS as unknown)) out[field.name] = items = [];
        if (wireType === 2 && PACKABLE.has(field.kind)) {
          const stop = reader.length();
          while (reader.at < stop) items.push(readNumber(reader, field));
        } else items.push(this.#readField(reader, field, wireType, depth));
      }
    }
    if (reader.at !== end) throw new ProtobufError('a field reaches beyond its message');
    return out;
  }

  #readEntry(reader: Reader, field: Required<FieldTable>, end: number, depth: number): [string, unknown] {
    let key: unknown = defaultOf(field.key);
    let value: unknown = defaultOf(field.value);
    while (reader.at < end) {
      const tag = reader.varint();
      if (tag >>> 3 === 1) key = this.#readField(reader, field.key, tag & 7, depth);
      else if (tag >>> 3 === 2) value = this.#readField(reader, field.value, tag & 7, depth);
      else reader.skip(tag & 7);
    }
    return [String(key), value];
  }

  #readField(reader: Reader, field: FieldTable, wireType: number, depth: number): unknown {
    const expected = field.kind === 'double' ? 1 : PACKABLE.has(field.kind) ? 0 : 2;
    if (wireType !== expected) throw new ProtobufError(`${field.name} has the wire type ${wireType}, not ${expected}`);
    switch (field.kind) {
      case 'string':
        return reader.text();
      case 'bytes':
        return reader.bytes();
      case 'message': {
        const end = reader.length();
        return this.#read(reader, this.#table(field.message as string), end, depth + 1);
      }
      default:
        return readNumber(reader, field);
    }
  }
}

function defaultOf(field: FieldTable): unknown {
  if (field.repeated) return NO_ITEMS;
  switch (field.kind) {
    case 'string':
      return '';
    case 'bool':
      return false;
    case 'bytes':
      return NO_BYTES;
    case 'map':
      return NO_ENTRIES;
    case 'message':
      return undefined;
    case 'enum':
      return field.enumNames?.get(0) ?? '0';
    case 'nanos':
      return 0n;
    default:
      return 0;
  }
}

function readNumber(reader: Reader, field: FieldTable): unknown {
  switch (field.kind) {
    case 'double':
      return reader.double();
    case 'bool':
      return reader.varint() !== 0;
    case 'enum': {
      const code = reader.varint();
      return field.enumNames?.get(code) ?? String(code);
    }
    case 'int32':
      return Number(BigInt.asIntN(32, reader.bigVarint()));
    case 'uint32':
      return reader.varint() >>> 0;
    case 'nanos':
      return BigInt.asIntN(64, reader.bigVarint());
    case 'int64':
      return Number(BigInt.asIntN(64, reader.bigVarint()));
    default:
      return Number(BigInt.asUintN(64, reader.bigVarint()));
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Grows as it is written to. Lengths of nested messages are put in afterwards, by moving what follows. */
class Writer {
  #bytes = new Uint8Array(256);
  #at = 0;

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  varint(value: number): void {
    this.#room(10);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }

  bigVarint(value: bigint): void {
    this.#room(10);
    let rest = value;
    while (rest > 0x7fn) {
      this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#at++] = Number(rest);
  }

  double(value: number): void {
    this.#room(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#at, value, true);
    this.#at += 8;
  }

  text(number: number, value: string): void {
    this.varint((number << 3) | 2);
    this.#sized(() => {
      this.#room(value.length * 3);
      this.#at += encoder.encodeInto(value, this.#bytes.subarray(this.#at)).written;
    });
  }

  bytes(number: number, value: Uint8Array): void {
    this.varint((number << 3) | 2);
    this.varint(value.length);
    this.#room(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  nested(number: number, write: () => void): void {
    this.varint((number << 3) | 2);
    this.#sized(write);
  }

  #sized(write: () => void): void {
    const start = this.#at;
    this.#at += 1;
    this.#room(0);
    write();
    const size = this.#at - start - 1;
    let extra = 0;
    for (let rest = size; rest > 0x7f; rest = Math.floor(rest / 128)) extra++;
    if (extra > 0) {
      this.#room(extra);
      this.#bytes.copyWithin(start + 1 + extra, start + 1, this.#at);
    }
    this.#at = start;
    this.varint(size);
    this.#at += size;
  }

  #room(bytes: number): void {
    const needed = this.#at + bytes + 1;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Up to 2^53; a longer one loses its lowest bits, which is right for tags, lengths and booleans alone. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.#next();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new ProtobufError('a number is too long');
  }

  bigVarint(): bigint {
    const start = this.at;
    const small = this.varint();
    if (this.at - start <= 7) return BigInt(small);
    let value = 0n;
    for (let i = this.at - 1; i >= start; i--) value = (value << 7n) | BigInt((this.#bytes[i] as number) & 0x7f);
    return value;
  }

  double(): number {
    this.#need(8);
    this.at += 8;
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getFloat64(this.at - 8, true);
  }

  /** Reads a length and answers where what it measures ends. */
  length(): number {
    const length = this.varint();
    this.#need(length);
    return this.at + length;
  }

  text(): string {
    const end = this.length();
    const text = decoder.decode(this.#bytes.subarray(this.at, end));
    this.at = end;
    return text;
  }

  bytes(): Uint8Array {
    const end = this.length();
    const bytes = this.#bytes.slice(this.at, end);
    this.at = end;
    return bytes;
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1 || wireType === 5) {
      const width = wireType === 1 ? 8 : 4;
      this.#need(width);
      this.at += width;
    } else if (wireType === 2) this.at = this.length();
    else throw new ProtobufError(`the wire type ${wireType} is not known`);
  }

  #next(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new ProtobufError('the message is cut short');
    return byte;
  }

  #need(bytes: number): void {
    if (this.at + bytes > this.#bytes.length) throw new ProtobufError('the message is cut short');
  }
}
