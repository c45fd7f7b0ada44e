import { type ByteDuplex, type ByteSink, type ByteSource, bytePipe, type Pipe, StreamClosedError } from '../channel.ts';
import { RST } from './frames.ts';
import type { SpdyHeaders } from './headers.ts';
import type { SendWindow } from './window.ts';

/** The peer reset a stream. `status` is SPDY's code (3: refused, 5: cancelled). */
export class StreamResetError extends StreamClosedError {
  readonly status: number;
  constructor(status: number) {
    super(`the peer reset the stream (status ${status})`);
    this.name = 'StreamResetError';
    this.status = status;
  }
}

/** What a stream needs from its connection. */
export interface StreamWire {
  sendData(stream: SpdyStream, data: Uint8Array, fin: boolean): Promise<void>;
  sendReply(stream: SpdyStream, headers: SpdyHeaders, fin: boolean): Promise<void>;
  sendReset(stream: SpdyStream, status: number): Promise<void>;
  taken(stream: SpdyStream, bytes: number): void;
  done(stream: SpdyStream): void;
}

/**
 * One stream of a SPDY connection: two directions that end one by one. It is over when both have ended, or at a reset.
 *
 * On an accepted stream nothing may be written before `reply`: peers drop data that comes before the answer.
 */
export class SpdyStream implements ByteDuplex {
  readonly id: number;
  /** What the stream was opened with. */
  readonly headers: SpdyHeaders;
  /** True when this end opened the stream. */
  readonly isLocal: boolean;
  readonly window: SendWindow;
  readonly sink: ByteSink;
  /** Bytes read by our side that the peer has not been told of. The connection's account. */
  unacknowledged = 0;
  readonly #wire: StreamWire;
  readonly #received: Pipe<Uint8Array>;
  readonly #replied = Promise.withResolvers<SpdyHeaders>();
  #isReplied = false;
  #localEnded = false;
  #endSent = false;
  #remoteEnded = false;
  #error: Error | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(wire: StreamWire, id: number, headers: SpdyHeaders, window: SendWindow, isLocal: boolean) {
    this.#wire = wire;
    this.id = id;
    this.headers = headers;
    this.window = window;
    this.isLocal = isLocal;
    this.#replied.promise.catch(() => {});
    // The bound is the connection's: it stops reading the socket, or the peer stops at its window.
    this.#received = bytePipe(Number.POSITIVE_INFINITY, (bytes) => wire.taken(this, bytes));
    this.sink = {
      write: (chunk) => this.#write(chunk, false),
      end: () => this.#end(),
      abort: (reason) => {
        if (!this.#localEnded) this.#reset(RST.cancel, reason);
      },
    };
  }

  get source(): ByteSource {
    return {
      read: () => this.#received.read(),
      // The peer learns of it by a reset only when nothing else is left to do on the stream.
      cancel: (reason) => {
        if (this.#remoteEnded) this.#received.cancel(reason);
        else this.#reset(RST.cancel, reason ?? new StreamClosedError('the reader has gone'));
      },
    };
  }

  /** The peer's answer to a stream that we opened; rejects when it refuses or the connection breaks. */
  get replied(): Promise<SpdyHeaders> {
    return this.#replied.promise;
  }

  get isReplied(): boolean {
    return this.#isReplied;
  }

  get isRemoteEnded(): boolean {
    return this.#remoteEnded;
  }

  /** Accepts a stream that the peer opened. */
  async reply(headers: SpdyHeaders = {}): Promise<void> {
    if (this.isLocal || this.#isReplied || this.#error) return;
    this.#isReplied = true;
    await this.#wire.sendReply(this, headers, false);
  }

  /** Refuses the stream, or gives it up. */
  reset(status: number = RST.cancel): void {
    this.#reset(status, new StreamClosedError('the stream was given up'));
  }

  destroy(reason?: Error): void {
    this.#reset(RST.cancel, reason ?? new StreamClosedError('the stream was given up'));
  }

  // What the connection tells the stream.

  receiveData(data: Uint8Array): void {
    if (this.#error || this.#remoteEnded) {
      this.#wire.taken(this, data.length);
      return;
    }
    this.#received.write(data).catch(() => {});
  }

  receiveEnd(): void {
    if (this.#error || this.#remoteEnded) return;
    this.#remoteEnded = true;
    void this.#received.end();
    this.#doneWhenBoth();
  }

  receiveReply(headers: SpdyHeaders): void {
    this.#isReplied = true;
    this.#replied.resolve(headers);
  }

  receiveReset(status: number): void {
    this.fail(new StreamResetError(status));
  }

  localEnded(): void {
    this.#localEnded = true;
    this.#endSent = true;
  }

  /** Breaks both directions without telling the peer. What was received before stays readable. */
  fail(reason: Error): void {
    if (this.#error) return;
    this.#error = reason;
    this.window.fail(reason);
    this.#received.endWith(reason);
    this.#replied.reject(reason);
    this.#wire.done(this);
  }

  #reset(status: number, reason: Error): void {
    if (this.#error) return;
    const open = !(this.#localEnded && this.#remoteEnded);
    if (open) this.#wire.sendReset(this, status).catch(() => {});
    this.#received.cancel(reason);
    this.fail(reason);
  }

  #write(chunk: Uint8Array, fin: boolean): Promise<void> {
    if (this.#error) return Promise.reject(this.#error);
    if (this.#localEnded) return Promise.reject(new StreamClosedError('the stream was ended by its writer'));
    if (fin) this.#localEnded = true;
    // One after the other: a write that waits for the window must not be overtaken by the next.
    const sent = this.#writing.then(() => {
      if (this.#error) throw this.#error;
      const sending = this.#wire.sendData(this, chunk, fin);
      // An empty frame waits for no window: it is on its way already, and the peer may answer it with its own end.
      if (fin) {
        this.#endSent = true;
        this.#doneWhenBoth();
      }
      return sending;
    });
    this.#writing = sent.catch(() => {});
    return sent;
  }

  async #end(): Promise<void> {
    if (this.#localEnded || this.#error) return;
    await this.#write(new Uint8Array(0), true);
  }

  #doneWhenBoth(): void {
    if (this.#endSent && this.#remoteEnded && !this.#error) this.#wire.done(this);
  }
}
