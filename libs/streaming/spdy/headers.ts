import { adler32, SPDY_DICTIONARY } from './dictionary.ts';
import { SpdyError } from './frames.ts';

/**
 * Name/value blocks and their compression (SPDY draft 3.1, section 2.6.10).
 *
 * All header blocks of one direction are one zlib stream, cut at a sync flush after each block. Node's one-shot functions
 * cannot hold a stream open, but they take a dictionary: each block is compressed alone with the last 32 KiB of what went
 * before as its dictionary, which is exactly the window that an open stream would have. So compression is synchronous, a
 * frame is one `Uint8Array`, and streams are opened in the order in which they were asked for.
 */

/** Names in lower case. A name that was sent with several values has them joined by NUL. */
export type SpdyHeaders = Readonly<Record<string, string>>;

/** The two functions of zlib that SPDY needs; `node/zlib.ts` has them from Node. */
export interface RawDeflate {
  /** Raw deflate of `data`, ended by a sync flush, with references into `dictionary` allowed. */
  deflate(data: Uint8Array, dictionary: Uint8Array): Uint8Array;
  /** The reverse. Throws for broken data and for more than `outputBytesMax`. */
  inflate(data: Uint8Array, dictionary: Uint8Array, outputBytesMax: number): Uint8Array;
}

const WINDOW_BYTES = 32 * 1024;

/** Beyond this a block is refused: the streams of exec and port-forward need fewer than 100 bytes. */
const BLOCK_BYTES_MAX = 64 * 1024;

/** What was said so far in one direction, as far back as deflate can see. */
class Window {
  #bytes: Uint8Array = SPDY_DICTIONARY;

  get bytes(): Uint8Array {
    return this.#bytes;
  }

  add(block: Uint8Array): void {
    const keep = this.#bytes.subarray(Math.max(0, this.#bytes.length + block.length - WINDOW_BYTES));
    const next = new Uint8Array(keep.length + Math.min(block.length, WINDOW_BYTES));
    next.set(keep);
    next.set(block.subarray(Math.max(0, block.length - WINDOW_BYTES)), keep.length);
    this.#bytes = next;
  }
}

export class HeaderCompressor {
  readonly #zlib: RawDeflate;
  readonly #window = new Window();
  #started = false;

  constructor(zlib: RawDeflate) {
    this.#zlib = zlib;
  }

  compress(headers: SpdyHeaders): Uint8Array {
    const block = encodeBlock(headers);
    const body = this.#zlib.deflate(block, this.#window.bytes);
    this.#window.add(block);
    if (this.#started) return body;
    this.#started = true;
    // zlib's own header: deflate with a 32 KiB window, best compression, a dictionary, and which one.
    const out = new Uint8Array(6 + body.length);
    out.set([0x78, 0xf9]);
    new DataView(out.buffer).setUint32(2, adler32(SPDY_DICTIONARY));
    out.set(body, 6);
    return out;
  }
}

export class HeaderDecompressor {
  readonly #zlib: RawDeflate;
  readonly #window = new Window();
  #started = false;

  constructor(zlib: RawDeflate) {
    this.#zlib = zlib;
  }

  /** Throws `SpdyError`; the direction cannot be read on after that, since the window is lost. */
  decompress(data: Uint8Array): SpdyHeaders {
    let body = data;
    if (!this.#started) {
      this.#started = true;
      const start = data.length < 6 ? 0 : new DataView(data.buffer, data.byteOffset).getUint16(0);
      if ((start & 0x0f20) !== 0x0820 || start % 31 !== 0)
        throw new SpdyError('the header block is not a zlib stream with a dictionary');
      body = data.subarray(6);
    }
    let block: Uint8Array;
    try {
      block = this.#zlib.inflate(body, this.#window.bytes, BLOCK_BYTES_MAX);
    } catch (cause) {
      throw new SpdyError(`the header block cannot be decompressed: ${(cause as Error).message}`);
    }
    this.#window.add(block);
    return decodeBlock(block);
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function encodeBlock(headers: SpdyHeaders): Uint8Array {
  const texts = Object.entries(headers).flatMap(([name, value]) => [
    encoder.encode(name.toLowerCase()),
    encoder.encode(value),
  ]);
  const out = new Uint8Array(4 + texts.reduce((sum, text) => sum + 4 + text.length, 0));
  const view = new DataView(out.buffer);
  view.setUint32(0, texts.length / 2);
  let at = 4;
  for (const text of texts) {
    view.setUint32(at, text.length);
    out.set(text, at + 4);
    at += 4 + text.length;
  }
  return out;
}

function decodeBlock(block: Uint8Array): SpdyHeaders {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  let at = 0;
  const number = (): number => {
    if (at + 4 > block.length) throw new SpdyError('the header block is cut short');
    at += 4;
    return view.getUint32(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (length > block.length - at) throw new SpdyError('the header block is cut short');
    at += length;
    return decoder.decode(block.subarray(at - length, at));
  };
  const headers: Record<string, string> = Object.create(null);
  const count = number();
  for (let i = 0; i < count; i++) {
    const name = text();
    const value = text();
    if (name.length === 0) throw new SpdyError('the header block has an empty name');
    if (name !== name.toLowerCase())
      throw new SpdyError(`the header name ${JSON.stringify(name)} is not in lower case`);
    if (Object.hasOwn(headers, name)) throw new SpdyError(`the header ${JSON.stringify(name)} was sent twice`);
    headers[name] = value;
  }
  return headers;
}
