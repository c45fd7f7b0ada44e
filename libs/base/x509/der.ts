/**
 * DER (ITU-T X.690), as much as X.509 needs: written by small functions that nest as the ASN.1 does, read with every
 * length checked. One value is tag, length and body; numbers of tags above 30 and indefinite lengths do not occur in
 * certificates and are refused.
 *
 *     sequence(integer(1), oid('2.5.4.3'), utf8('x'))     // 30 0b 02 01 01 06 03 55 04 03 0c 01 78
 */

export const TAG = Object.freeze({
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  printable: 0x13,
  teletex: 0x14,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmp: 0x1e,
  sequence: 0x30,
  set: 0x31,
});

type Bytes = Uint8Array<ArrayBuffer>;

/** One value of any tag around the concatenated `parts`. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Bytes {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const size: number[] = [];
  if (length < 0x80) size.push(length);
  else {
    for (let left = length; left > 0; left >>>= 8) size.unshift(left & 0xff);
    size.unshift(0x80 | size.length);
  }
  const out = new Uint8Array(1 + size.length + length);
  out[0] = tag;
  out.set(size, 1);
  let at = 1 + size.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const sequence = (...parts: readonly Uint8Array[]): Bytes => der(TAG.sequence, ...parts);
export const set = (...parts: readonly Uint8Array[]): Bytes => der(TAG.set, ...parts);
export const octetString = (body: Uint8Array): Bytes => der(TAG.octetString, body);
export const boolean = (value: boolean): Bytes => der(TAG.boolean, Uint8Array.of(value ? 0xff : 0));
export const utf8 = (text: string): Bytes => der(TAG.utf8, new TextEncoder().encode(text));
/** `[number]`, explicit or of a constructed implicit type. */
export const context = (number: number, ...parts: readonly Uint8Array[]): Bytes => der(0xa0 | number, ...parts);
/** `[number] IMPLICIT` of a primitive type. */
export const implicit = (number: number, body: Uint8Array): Bytes => der(0x80 | number, body);
export const bitString = (body: Uint8Array, unusedBits = 0): Bytes =>
  der(TAG.bitString, Uint8Array.of(unusedBits), body);

/** A whole number that is not negative: a small one, or big-endian bytes. */
export function integer(value: number | Uint8Array): Bytes {
  const bytes = typeof value === 'number' ? Uint8Array.of(value) : value;
  let first = 0;
  while (first < bytes.length - 1 && bytes[first] === 0) first++;
  const body = bytes.subarray(first);
  return (body[0] ?? 0) < 0x80 && body.length > 0 ? der(TAG.integer, body) : der(TAG.integer, Uint8Array.of(0), body);
}

export function oid(dotted: string): Bytes {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const body: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const groups = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80);
    body.push(...groups);
  }
  return der(TAG.oid, Uint8Array.from(body));
}

/** UTCTime up to 2049, GeneralizedTime from 2050, as RFC 5280 wants it; whole seconds. */
export function time(ms: number): Bytes {
  const date = new Date(ms);
  const text = `${date.toISOString().slice(0, 19).replace(/[-T:]/g, '')}Z`;
  const ascii = new TextEncoder().encode(text);
  return date.getUTCFullYear() < 2050 ? der(TAG.utcTime, ascii.subarray(2)) : der(TAG.generalizedTime, ascii);
}

/** What was read is no DER, or not of the shape that its place asks for. */
export class DerError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DerError';
  }
}

export interface DerValue {
  readonly tag: number;
  readonly body: Uint8Array;
  /** Tag, length and body. */
  readonly raw: Uint8Array;
}

/** Reads the one value that `bytes` are. Throws `DerError`, also when bytes are left over. */
export function readDer(bytes: Uint8Array): DerValue {
  const value = readAt(bytes, 0);
  if (value.raw.length !== bytes.length) throw new DerError('bytes are left over after the value');
  return value;
}

/** The values inside a constructed one. */
export function readChildren(value: DerValue): DerValue[] {
  if ((value.tag & 0x20) === 0) throw new DerError(`a value of tag ${value.tag} has no values inside`);
  const out: DerValue[] = [];
  for (let at = 0; at < value.body.length; ) {
    const child = readAt(value.body, at);
    out.push(child);
    at += child.raw.length;
  }
  return out;
}

/** `value`, if it is there and has `tag`; else throws and names `what`. */
export function expectTag(value: DerValue | undefined, tag: number, what: string): DerValue {
  if (value === undefined) throw new DerError(`${what} is missing`);
  if (value.tag !== tag) throw new DerError(`${what} has tag ${value.tag}, not ${tag}`);
  return value;
}

export function readOid(value: DerValue | undefined): string {
  const { body } = expectTag(value, TAG.oid, 'an object identifier');
  const arcs: number[] = [];
  let arc = 0;
  for (const [at, byte] of body.entries()) {
    if (arc > 0x1ffffff) throw new DerError('an object identifier is too large');
    arc = arc * 128 + (byte & 0x7f);
    if (byte >= 0x80) {
      if (at === body.length - 1) throw new DerError('an object identifier is cut short');
      continue;
    }
    if (arcs.length === 0) {
      const first = Math.min(2, Math.floor(arc / 40));
      arcs.push(first, arc - first * 40);
    } else arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}

/** A bit string's bytes; only whole bytes occur where we read one. */
export function readBitString(value: DerValue | undefined, what: string): Uint8Array {
  const { body } = expectTag(value, TAG.bitString, what);
  if (body[0] !== 0) throw new DerError(`${what} is not of whole bytes`);
  return body.subarray(1);
}

/** Milliseconds since 1970 of an UTCTime or GeneralizedTime. */
export function readTime(value: DerValue | undefined): number {
  const text = value === undefined ? '' : String.fromCharCode(...value.body.subarray(0, 20));
  const parts = /^(\d{2,4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const digits = value?.tag === TAG.utcTime ? 2 : value?.tag === TAG.generalizedTime ? 4 : 0;
  if (parts === null || parts[1]?.length !== digits) throw new DerError('a time is malformed');
  const [year = 0, month = 0, day, hour, minute, second] = parts.slice(1).map(Number);
  const century = digits === 4 ? 0 : year < 50 ? 2000 : 1900;
  return Date.UTC(century + year, month - 1, day, hour, minute, second);
}

/** Text of the string types that occur in names. Undefined for others. */
export function readText(value: DerValue): string | undefined {
  switch (value.tag) {
    case TAG.utf8:
    case TAG.printable:
    case TAG.ia5:
      return new TextDecoder().decode(value.body);
    case TAG.teletex:
      return Array.from(value.body, (byte) => String.fromCharCode(byte)).join('');
    case TAG.bmp:
      return new TextDecoder('utf-16be').decode(value.body);
    default:
      return undefined;
  }
}

function readAt(bytes: Uint8Array, at: number): DerValue {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw new DerError('a value is cut short');
  if ((tag & 0x1f) === 0x1f) throw new DerError('tags above 30 are not read');
  let start = at + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new DerError('a length is indefinite or too large');
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + (bytes[start++] ?? 0);
    if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError('a length is not in its shortest form');
  }
  if (start + length > bytes.length) throw new DerError('a value is cut short');
  return { tag, body: bytes.subarray(start, start + length), raw: bytes.subarray(at, start + length) };
}
