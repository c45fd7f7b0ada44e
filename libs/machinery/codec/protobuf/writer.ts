/**
 * Writes protobuf from the end to the start, so that a nested message's length is known when its head is written and
 * nothing is measured twice. Fields must therefore be written in falling order.
 */

const encoder = new TextEncoder();

export class ProtobufWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  /** Index of the first byte written so far. */
  #at: number;

  constructor(bytesExpected = 1024) {
    this.#bytes = new Uint8Array(bytesExpected);
    this.#view = new DataView(this.#bytes.buffer);
    this.#at = bytesExpected;
  }

  /** Bytes written so far; the difference of two is the length of what was written between. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** The bytes, without a copy: writing on makes them stale. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(this.#at);
  }

  #reserve(count: number): void {
    if (this.#at >= count) return;
    const used = this.length;
    const bytes = new Uint8Array(Math.max(this.#bytes.length * 2, used + count));
    bytes.set(this.#bytes.subarray(this.#at), bytes.length - used);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#at = bytes.length - used;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[--this.#at] = value;
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#at -= value.length;
    this.#bytes.set(value, this.#at);
  }

  /** UTF-8 without a length. */
  text(value: string): void {
    const length = value.length;
    if (length < 64) {
      this.#reserve(length);
      let at = this.#at;
      for (let i = length - 1; i >= 0; i--) {
        const unit = value.charCodeAt(i);
        if (unit > 127) return this.bytes(encoder.encode(value));
        this.#bytes[--at] = unit;
      }
      this.#at = at;
      return;
    }
    this.bytes(encoder.encode(value));
  }

  /** An unsigned varint below 2^32: tags and lengths. */
  varint(value: number): void {
    if (value < 128) {
      this.byte(value);
      return;
    }
    let size = 1;
    for (let rest = value >>> 7; rest > 0; rest >>>= 7) size++;
    this.#reserve(size);
    this.#at -= size;
    let at = this.#at;
    for (let rest = value; ; rest >>>= 7) {
      if (rest < 128) {
        this.#bytes[at] = rest;
        return;
      }
      this.#bytes[at++] = (rest & 127) | 128;
    }
  }

  /** A signed integer as two's complement of 64 bits, in one to ten bytes. */
  integer(value: number | bigint): void {
    if (typeof value === 'number' && value >= 0 && value <= 0x7fffffff) {
      this.varint(value);
      return;
    }
    const septets: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    do {
      septets.push(Number(rest & 127n));
      rest >>= 7n;
    } while (rest > 0n);
    for (let i = septets.length - 1; i >= 0; i--)
      this.byte((septets[i] as number) | (i === septets.length - 1 ? 0 : 128));
  }

  double(value: number): void {
    this.#reserve(8);
    this.#at -= 8;
    this.#view.setFloat64(this.#at, value, true);
  }
}
