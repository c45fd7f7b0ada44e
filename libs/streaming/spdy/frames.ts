/**
 * SPDY/3.1 frames as bytes (draft-mbelshe-httpbis-spdy-00 and its 3.1 revision): an 8-byte head, then a payload.
 *
 *     control  1 version:15 type:16 | flags:8 length:24 | payload
 *     data     0 streamId:31        | flags:8 length:24 | payload
 */
export type FrameType =
  | 'SYN_STREAM'
  | 'SYN_REPLY'
  | 'RST_STREAM'
  | 'SETTINGS'
  | 'PING'
  | 'GOAWAY'
  | 'HEADERS'
  | 'WINDOW_UPDATE';

const TYPES: Readonly<Record<FrameType, number>> = {
  SYN_STREAM: 1,
  SYN_REPLY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PING: 6,
  GOAWAY: 7,
  HEADERS: 8,
  WINDOW_UPDATE: 9,
};
const NAMES: ReadonlyMap<number, FrameType> = new Map(
  Object.entries(TYPES).map(([name, code]) => [code, name as FrameType]),
);

export const VERSION = 3;
export const FLAG_FIN = 1;

export const RST = Object.freeze({
  protocolError: 1,
  invalidStream: 2,
  refusedStream: 3,
  cancel: 5,
  internalError: 6,
  flowControlError: 7,
  streamAlreadyClosed: 9,
});
export const GOAWAY = Object.freeze({ ok: 0, protocolError: 1, internalError: 2 });
export const SETTINGS_INITIAL_WINDOW_SIZE = 7;

/** Control frames are small; only data may be long, and that is passed on in parts. */
const CONTROL_BYTES_MAX = 128 * 1024;

/** The peer broke the protocol. The connection ends with GOAWAY. */
export class SpdyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SpdyError';
  }
}

/** One frame as it was read. Header blocks are still compressed: they must be opened in the order of arrival. */
export type Frame =
  | { readonly type: 'DATA'; readonly streamId: number; readonly data: Uint8Array; readonly fin: boolean }
  | {
      readonly type: 'SYN_STREAM';
      readonly streamId: number;
      readonly associatedStreamId: number;
      readonly priority: number;
      readonly block: Uint8Array;
      readonly fin: boolean;
      readonly unidirectional: boolean;
    }
  | {
      readonly type: 'SYN_REPLY' | 'HEADERS';
      readonly streamId: number;
      readonly block: Uint8Array;
      readonly fin: boolean;
    }
  | { readonly type: 'RST_STREAM'; readonly streamId: number; readonly status: number }
  | { readonly type: 'SETTINGS'; readonly values: ReadonlyMap<number, number> }
  | { readonly type: 'PING'; readonly id: number }
  | { readonly type: 'GOAWAY'; readonly lastStreamId: number; readonly status: number }
  | { readonly type: 'WINDOW_UPDATE'; readonly streamId: number; readonly delta: number };

function control(type: FrameType, flags: number, length: number): { out: Uint8Array; view: DataView } {
  const out = new Uint8Array(8 + length);
  const view = new DataView(out.buffer);
  view.setUint16(0, 0x8000 | VERSION);
  view.setUint16(2, TYPES[type]);
  view.setUint32(4, length);
  out[4] = flags;
  return { out, view };
}

/** Head of a data frame, to be followed by `length` bytes. */
export function dataHead(streamId: number, length: number, fin: boolean): Uint8Array {
  const out = new Uint8Array(8);
  const view = new DataView(out.buffer);
  view.setUint32(0, streamId);
  view.setUint32(4, length);
  out[4] = fin ? FLAG_FIN : 0;
  return out;
}

export function synStream(streamId: number, priority: number, block: Uint8Array, fin: boolean): Uint8Array {
  const { out, view } = control('SYN_STREAM', fin ? FLAG_FIN : 0, 10 + block.length);
  view.setUint32(8, streamId);
  out[16] = priority << 5;
  out.set(block, 18);
  return out;
}

export function headersFrame(
  type: 'SYN_REPLY' | 'HEADERS',
  streamId: number,
  block: Uint8Array,
  fin: boolean,
): Uint8Array {
  const { out, view } = control(type, fin ? FLAG_FIN : 0, 4 + block.length);
  view.setUint32(8, streamId);
  out.set(block, 12);
  return out;
}

function pair(type: FrameType, first: number, second: number): Uint8Array {
  const { out, view } = control(type, 0, 8);
  view.setUint32(8, first);
  view.setUint32(12, second);
  return out;
}

export const rstStream = (streamId: number, status: number): Uint8Array => pair('RST_STREAM', streamId, status);
export const goAway = (lastStreamId: number, status: number): Uint8Array => pair('GOAWAY', lastStreamId, status);
export const windowUpdate = (streamId: number, delta: number): Uint8Array => pair('WINDOW_UPDATE', streamId, delta);

export function ping(id: number): Uint8Array {
  const { out, view } = control('PING', 0, 4);
  view.setUint32(8, id);
  return out;
}

export function settings(values: ReadonlyMap<number, number>): Uint8Array {
  const { out, view } = control('SETTINGS', 0, 4 + values.size * 8);
  view.setUint32(8, values.size);
  let at = 12;
  for (const [id, value] of values) {
    view.setUint32(at, id);
    view.setUint32(at + 4, value);
    at += 8;
  }
  return out;
}

/**
 * Cuts a byte stream into frames. The payload of a data frame is handed on as it comes in, as several `DATA` frames of
 * which only the last can carry `fin`, so that a frame of 16 MiB needs no buffer of that size.
 */
export class FrameParser {
  #rest: Uint8Array = new Uint8Array(0);
  #data: { streamId: number; left: number; fin: boolean } | undefined;

  /** True between two frames: the only place where a byte stream may end without something being lost. */
  get atBoundary(): boolean {
    return this.#data === undefined && this.#rest.length === 0;
  }

  /** The frames that `chunk` completes. Throws `SpdyError`; the parser is of no use after that. */
  *push(chunk: Uint8Array): Generator<Frame> {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
      this.#rest = new Uint8Array(0);
    }
    let at = 0;
    for (;;) {
      if (this.#data) {
        const data = this.#data;
        const part = bytes.subarray(at, at + data.left);
        if (part.length === 0 && data.left > 0) return;
        at += part.length;
        data.left -= part.length;
        if (data.left === 0) this.#data = undefined;
        yield { type: 'DATA', streamId: data.streamId, data: part, fin: data.left === 0 && data.fin };
        continue;
      }
      const left = bytes.length - at;
      if (left === 0) return;
      if (left < 8) break;
      const view = new DataView(bytes.buffer, bytes.byteOffset + at, left);
      const flags = view.getUint8(4);
      const length = view.getUint32(4) & 0xffffff;
      if ((view.getUint8(0) & 0x80) === 0) {
        const streamId = view.getUint32(0);
        if (streamId === 0) throw new SpdyError('a data frame names stream 0');
        this.#data = { streamId, left: length, fin: (flags & FLAG_FIN) !== 0 };
        at += 8;
        continue;
      }
      const version = view.getUint16(0) & 0x7fff;
      if (version !== VERSION) throw new SpdyError(`the peer speaks SPDY/${version}, not SPDY/${VERSION}`);
      if (length > CONTROL_BYTES_MAX) throw new SpdyError(`a control frame of ${length} bytes is too long`);
      if (left < 8 + length) break;
      const frame = parseControl(view.getUint16(2), flags, bytes.subarray(at + 8, at + 8 + length));
      at += 8 + length;
      if (frame) yield frame;
    }
    this.#rest = bytes.slice(at);
  }
}

/** Undefined for a type that is not known, which the protocol says to skip. */
function parseControl(code: number, flags: number, payload: Uint8Array): Frame | undefined {
  const type = NAMES.get(code);
  if (!type) return undefined;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const need = (bytes: number, exact = true) => {
    if (exact ? payload.length !== bytes : payload.length < bytes) {
      throw new SpdyError(
        `a ${type} frame of ${payload.length} bytes where ${exact ? '' : 'at least '}${bytes} are needed`,
      );
    }
  };
  const fin = (flags & FLAG_FIN) !== 0;
  switch (type) {
    case 'SYN_STREAM': {
      need(10, false);
      const streamId = nonZero(type, view.getUint32(0) & 0x7fffffff);
      const associatedStreamId = view.getUint32(4) & 0x7fffffff;
      const unidirectional = (flags & 2) !== 0;
      return {
        type,
        streamId,
        associatedStreamId,
        priority: view.getUint8(8) >> 5,
        block: payload.slice(10),
        fin,
        unidirectional,
      };
    }
    case 'SYN_REPLY':
    case 'HEADERS':
      need(4, false);
      return { type, streamId: nonZero(type, view.getUint32(0) & 0x7fffffff), block: payload.slice(4), fin };
    case 'RST_STREAM':
      need(8);
      return { type, streamId: nonZero(type, view.getUint32(0) & 0x7fffffff), status: view.getUint32(4) };
    case 'SETTINGS': {
      need(4, false);
      const count = view.getUint32(0);
      need(4 + count * 8);
      const values = new Map<number, number>();
      for (let i = 0; i < count; i++) values.set(view.getUint32(4 + i * 8) & 0xffffff, view.getUint32(8 + i * 8));
      return { type, values };
    }
    case 'PING':
      need(4);
      return { type, id: view.getUint32(0) };
    case 'GOAWAY':
      need(8);
      return { type, lastStreamId: view.getUint32(0) & 0x7fffffff, status: view.getUint32(4) };
    case 'WINDOW_UPDATE': {
      need(8);
      const delta = view.getUint32(4) & 0x7fffffff;
      if (delta === 0) throw new SpdyError('a WINDOW_UPDATE of 0 bytes');
      return { type, streamId: view.getUint32(0) & 0x7fffffff, delta };
    }
  }
}

function nonZero(type: FrameType, streamId: number): number {
  if (streamId === 0) throw new SpdyError(`a ${type} frame names stream 0`);
  return streamId;
}
