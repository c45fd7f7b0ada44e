import type { ClientHttp2Stream } from 'node:http2';
import { TransportError } from '../../kind/client.ts';
import type { ApiObject, DeepReadonly } from '../../kind/object.ts';
import { decodeAny } from '../../machinery/codec/json.ts';
import { deepFreeze } from '../../machinery/freeze.ts';
import type { TransportWatch, TransportWatchSink } from '../transport.ts';

const NEWLINE = 10;
const CANCEL = 8;
/** A single event larger than this is no event. */
const LINE_BYTES_MAX = 64 * 1024 * 1024;

/** Reads the lines of a watch from a stream and tells a sink, no faster than that has room. */
export class WatchReader implements TransportWatch {
  readonly #stream: ClientHttp2Stream;
  readonly #sink: TransportWatchSink;
  /** What has come of a line that is not complete. */
  #partial: Uint8Array[] = [];
  #partialBytes = 0;
  /** Lines that wait for room. */
  #lines: Uint8Array[] = [];
  #telling = false;
  #over = false;
  #finished: { readonly error: Error | undefined } | undefined;

  constructor(stream: ClientHttp2Stream, sink: TransportWatchSink) {
    this.#stream = stream;
    this.#sink = sink;
    stream.on('data', (chunk: Uint8Array) => this.#take(chunk));
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#lines = [];
    this.#partial = [];
    this.#stream.close(CANCEL);
    // So that it comes to its end.
    this.#stream.resume();
  }

  /** Ends the watch from this side, or because of what came. */
  end(error: Error | undefined): void {
    if (this.#over) return;
    this.close();
    this.#sink.ended(error);
  }

  /** The stream has ended; what came before is told first. */
  finish(error: Error | undefined): void {
    if (this.#over) return;
    if (this.#telling) this.#finished = { error };
    else this.end(error);
  }

  #take(chunk: Uint8Array): void {
    if (this.#over) return;
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      this.#partial.push(chunk.subarray(from, at));
      this.#lines.push(this.#partial.length === 1 ? (this.#partial[0] as Uint8Array) : Buffer.concat(this.#partial));
      this.#partial = [];
      this.#partialBytes = 0;
      from = at + 1;
    }
    if (from < chunk.length) {
      this.#partial.push(chunk.subarray(from));
      this.#partialBytes += chunk.length - from;
      if (this.#partialBytes > LINE_BYTES_MAX)
        return this.end(new TransportError('an event without an end', { sent: true }));
    }
    if (!this.#telling) void this.#tell();
  }

  async #tell(): Promise<void> {
    this.#telling = true;
    for (let next = 0; next < this.#lines.length && !this.#over; next++) {
      const room = this.#sink.room?.();
      if (room) {
        this.#stream.pause();
        await room;
        if (!this.#over) this.#stream.resume();
      }
      this.#event(this.#lines[next] as Uint8Array);
    }
    this.#lines = [];
    this.#telling = false;
    if (this.#finished) this.end(this.#finished.error);
  }

  #event(line: Uint8Array): void {
    if (this.#over || line.length === 0) return;
    let event: { type?: unknown; object?: unknown };
    try {
      event = decodeAny(line) as typeof event;
    } catch (error) {
      return this.end(new TransportError('an event that is no JSON', { sent: true, cause: error }));
    }
    if (typeof event.type !== 'string' || typeof event.object !== 'object' || event.object === null) {
      return this.end(new TransportError('an event of no known form', { sent: true }));
    }
    this.#sink.event(event.type, deepFreeze(event.object) as DeepReadonly<ApiObject>);
  }
}
