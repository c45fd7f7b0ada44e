import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import type { ApiRequest, Peer } from '../api.ts';

type Headers = ApiRequest['headers'];

/** One request and the way to answer it, over HTTP/1.1 or h2. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Headers;
  readonly peer: Peer;
  /** Where the body comes from; undefined where there is none. */
  readonly incoming: Readable | undefined;
  /** Where the answer's body goes. */
  readonly outgoing: Writable;
  /** Sends the head. With `end` there is no body. `fields` are names in lower case and values, one after the other. */
  head(code: number, fields: readonly string[], end: boolean): void;
  /** Made when it is asked for, which is once. */
  readonly watch: WatchOutput;
  /** Cuts the exchange off; on h2 the connection stays. */
  destroy(): void;
}

/** How a watch is written: whole batches, past whatever the platform would do for each write. */
export interface WatchOutput {
  write(frames: readonly Uint8Array[]): void;
  /** What has been written and not left yet. */
  readonly bufferedBytes: number;
  /** `drained` is called each time when nothing is buffered any more. */
  onDrain(drained: () => void): void;
  end(): void;
}

/** Splits `/a/b?c=d` at the first question mark. */
export function splitTarget(target: string): { path: string; query: string } {
  const at = target.indexOf('?');
  return at < 0 ? { path: target, query: '' } : { path: target.slice(0, at), query: target.slice(at + 1) };
}

/** Headers of which only the first counts: a second one must not be smuggled behind it. */
const ONCE: ReadonlySet<string> = new Set(['authorization', 'content-length', 'content-type', 'host', 'user-agent']);

/** Headers whose repetitions are separate values: who asks to be, or says to be, somebody names groups one by one. */
const isList = (name: string): boolean => name.startsWith('impersonate-') || name.startsWith('x-remote-');

/** What headers inherit from: nothing, and yet they are no dictionary to the engine, which is slow to read and to list. */
const NO_MEMBERS: object = Object.freeze(Object.create(null));

/** Joins raw header lines (name, value, …) as `ApiRequest.headers` says. */
export function collectHeaders(lines: readonly string[]): Record<string, string | readonly string[] | undefined> {
  const headers: Record<string, string | readonly string[] | undefined> = Object.create(NO_MEMBERS);
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const name = (lines[i] as string).toLowerCase();
    const value = lines[i + 1] as string;
    if (name[0] === ':') {
      if (name === ':authority') headers.host ??= value;
      continue;
    }
    const known = headers[name];
    if (known === undefined) headers[name] = isList(name) ? [value] : value;
    else if (typeof known !== 'string') headers[name] = [...known, value];
    else if (!ONCE.has(name)) headers[name] = `${known}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  return headers;
}

export class Http1Exchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Headers;
  readonly peer: Peer;
  readonly incoming: Readable | undefined;
  readonly outgoing: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse, peer: Peer) {
    this.method = request.method ?? '';
    const { path, query } = splitTarget(request.url ?? '');
    this.path = path;
    this.query = query;
    this.headers = collectHeaders(request.rawHeaders);
    this.peer = peer;
    const length = this.headers['content-length'];
    const hasBody = this.headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
    this.incoming = hasBody ? request : undefined;
    this.outgoing = response;
  }

  get watch(): WatchOutput {
    return new Http1Watch(this.outgoing);
  }

  head(code: number, fields: readonly string[], end: boolean): void {
    this.outgoing.writeHead(code, fields as string[]);
    if (end) this.outgoing.end();
  }

  destroy(): void {
    this.outgoing.destroy();
  }
}

class Http1Watch implements WatchOutput {
  readonly #response: ServerResponse;
  #chunked: boolean | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** All frames as one chunk, written to the socket itself. */
  write(frames: readonly Uint8Array[]): void {
    const { socket } = this.#response;
    if (!socket) return;
    if (this.#chunked === undefined) {
      this.#response.flushHeaders();
      this.#chunked = this.#response.chunkedEncoding;
    }
    if (!this.#chunked) {
      // A client of HTTP/1.0: the answer ends with the connection.
      for (const frame of frames) socket.write(frame);
      return;
    }
    socket.write(oneChunk(frames));
  }

  get bufferedBytes(): number {
    return this.#response.socket?.writableLength ?? 0;
  }

  onDrain(drained: () => void): void {
    const { socket } = this.#response;
    socket?.on('drain', drained);
    this.#response.on('close', () => socket?.off('drain', drained));
  }

  end(): void {
    this.#response.end();
  }
}

/** A chunk of HTTP/1.1: copying costs less than another write. */
function oneChunk(frames: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const frame of frames) length += frame.length;
  const size = length.toString(16);
  const out = Buffer.allocUnsafe(size.length + length + 4);
  let at = out.write(size, 0, 'latin1');
  out[at++] = 13;
  out[at++] = 10;
  for (const frame of frames) {
    out.set(frame, at);
    at += frame.length;
  }
  out[at++] = 13;
  out[at] = 10;
  return out;
}

export class Http2Exchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: Headers;
  readonly peer: Peer;
  readonly incoming: Readable | undefined;
  readonly outgoing: ServerHttp2Stream;

  /** `ended`: the request's head was its end. */
  constructor(
    stream: ServerHttp2Stream,
    lines: readonly string[],
    method: string,
    target: string,
    ended: boolean,
    peer: Peer,
  ) {
    this.method = method;
    const { path, query } = splitTarget(target);
    this.path = path;
    this.query = query;
    this.headers = collectHeaders(lines);
    this.peer = peer;
    this.incoming = ended ? undefined : stream;
    this.outgoing = stream;
  }

  get watch(): WatchOutput {
    return new Http2Watch(this.outgoing);
  }

  head(code: number, fields: readonly string[], end: boolean): void {
    if (this.outgoing.closed || this.outgoing.destroyed) return;
    const headers: Record<string, string | string[] | number> = { ':status': code };
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i] as string;
      const value = fields[i + 1] as string;
      const known = headers[name];
      headers[name] = known === undefined ? value : ([] as string[]).concat(known as string, value);
    }
    this.outgoing.respond(headers, { endStream: end });
  }

  destroy(): void {
    // With an error: otherwise the platform ends the stream in order, and half an answer looks like a whole one.
    this.outgoing.destroy(new Error('cut off'));
  }
}

class Http2Watch implements WatchOutput {
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
  }

  write(frames: readonly Uint8Array[]): void {
    const stream = this.#stream;
    if (stream.destroyed || stream.writableEnded) return;
    if (frames.length === 1) stream.write(frames[0]);
    else stream.write(Buffer.concat(frames));
  }

  get bufferedBytes(): number {
    return this.#stream.writableLength;
  }

  onDrain(drained: () => void): void {
    this.#stream.on('drain', drained);
  }

  end(): void {
    this.#stream.end();
  }
}
