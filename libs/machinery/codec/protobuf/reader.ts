/** Reads protobuf. Every error is a DecodeError in upstream's words; nothing is read beyond the end. */
import { DecodeError } from '../errors.ts';
import { fits } from '../values.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export class ProtobufReader {
  readonly #bytes: Uint8Array;
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  #cut(): never {
    throw new DecodeError('unexpected EOF');
  }

  /**
   * The next field's number and wire type.
   *
   * @throws DecodeError for a number that cannot be, naming the message
   */
  tag(message: string): { number: number; wire: number } {
    const byte = this.#bytes[this.#at] as number;
    if (byte < 128 && byte > 7 && (byte & 7) !== 4 && this.#at < this.#end) {
      this.#at++;
      return { number: byte >> 3, wire: byte & 7 };
    }
    const value = this.varint();
    const number = Number(value >> 3n);
    const wire = Number(value & 7n);
    if (wire === 4) throw new DecodeError(`proto: ${message}: wiretype end group for non-group`);
    if (number <= 0 || number > 0x7fffffff) {
      throw new DecodeError(`proto: ${message}: illegal tag ${BigInt.asIntN(32, value >> 3n)} (wire type ${value})`);
    }
    return { number, wire };
  }

  /** Unsigned, up to 64 bits. */
  varint(): bigint {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (this.#at >= this.#end) this.#cut();
      const byte = this.#bytes[this.#at++] as number;
      low |= (byte & 127) << shift;
      if (byte < 128) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; ; shift += 7n) {
      if (shift >= 64n) throw new DecodeError('proto: integer overflow');
      if (this.#at >= this.#end) this.#cut();
      const byte = this.#bytes[this.#at++] as number;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
  }

  /** A varint of up to four bytes, as most are; −1, with nothing read, where it is longer or cut off. */
  #short(): number {
    let value = 0;
    let at = this.#at;
    for (let shift = 0; shift < 28 && at < this.#end; shift += 7) {
      const byte = this.#bytes[at++] as number;
      value |= (byte & 127) << shift;
      if (byte < 128) {
        this.#at = at;
        return value;
      }
    }
    return -1;
  }

  /** Signed 64 bits: a number where exact, else a bigint. */
  integer(): number | bigint {
    const short = this.#short();
    return short >= 0 ? short : (fits(BigInt.asIntN(64, this.varint())) as number | bigint);
  }

  int32(): number {
    const short = this.#short();
    return short >= 0 ? short : Number(BigInt.asIntN(32, this.varint()));
  }

  double(): number {
    const at = this.#take(8);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, 8).getFloat64(0, true);
  }

  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#end) this.#cut();
    this.#at += length;
    return at;
  }

  #length(): number {
    const short = this.#short();
    if (short >= 0) return short;
    const length = this.varint();
    if (length >= 1n << 63n) throw new DecodeError('proto: negative length found during unmarshaling');
    return Number(length);
  }

  /** A length and that many bytes; a view, not a copy. */
  bytes(): Uint8Array {
    const length = this.#length();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(): string {
    const length = this.#length();
    const at = this.#take(length);
    if (length < 24) {
      let out = '';
      for (let i = at; i < at + length; i++) {
        const byte = this.#bytes[i] as number;
        if (byte > 127) return decoder.decode(this.#bytes.subarray(at, at + length));
        out += String.fromCharCode(byte);
      }
      return out;
    }
    return decoder.decode(this.#bytes.subarray(at, at + length));
  }

  /** A length, and a reader over that many bytes. */
  nested(): ProtobufReader {
    const length = this.#length();
    const at = this.#take(length);
    return new ProtobufReader(this.#bytes, at, at + length);
  }

  /** Passes over a field that is not known; a group with all that is in it, however deep. */
  skip(wire: number): void {
    let groups = 0;
    for (let type = wire; ; type = Number(this.varint() & 7n)) {
      if (type === 3) groups++;
      else if (type === 4 && groups > 0) groups--;
      else this.#skipPlain(type);
      if (groups === 0) return;
    }
  }

  #skipPlain(wire: number): void {
    switch (wire) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#take(8);
        return;
      case 2:
        this.#take(this.#length());
        return;
      case 5:
        this.#take(4);
        return;
      default:
        throw new DecodeError(`proto: illegal wireType ${wire}`);
    }
  }
}
