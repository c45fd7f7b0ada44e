/**
 * One direction of a stream, as two ends: a `Sink` that is written to and a `Source` that is read from. Exec, attach and
 * port-forward carry bytes and terminal sizes through them, whatever the transport below.
 *
 * Promises of every pair:
 * - Items arrive in the order in which they were written, each once, none after the end.
 * - `write` resolves when there is room for more. A writer that waits for it is slowed down to the reader's pace; what
 *   was written is kept within the pair's bound plus the one item that went over it.
 * - `end` is the half-close: the reader gets what is left, then `undefined` for ever. The other direction is untouched.
 * - `abort` (writer) and `cancel` (reader) break the direction at once: what is left is dropped, the other end fails with
 *   the given error.
 *
 *     await stdin.write(bytes);
 *     await stdin.end();                          // `cat` sees the end of its input
 *     for (let c; (c = await stdout.read()); ) …  // and this loop ends when `cat` does
 */
export interface Source<T> {
  /** The next item, or undefined after the end. Rejects when the direction is broken. One read at a time. */
  read(): Promise<T | undefined>;
  /** The reader wants no more. Idempotent; without effect after the end. */
  cancel(reason?: Error): void;
}

export interface Sink<T> {
  /** Rejects when the reader has gone or after `end`. The item belongs to the sink from now on. */
  write(item: T): Promise<void>;
  /** Resolves when the end was handed over; later writes reject. Idempotent. */
  end(): Promise<void>;
  /** Idempotent; without effect after `end`. */
  abort(reason: Error): void;
}

export type ByteSource = Source<Uint8Array>;
export type ByteSink = Sink<Uint8Array>;

/** Two directions that belong together: a socket, a SPDY stream, one forwarded connection. */
export interface ByteDuplex {
  readonly source: ByteSource;
  readonly sink: ByteSink;
  /** Breaks both directions and frees what lies below. Idempotent. */
  destroy(reason?: Error): void;
}

/** A stream ended in a way that neither end asked for, or was given up. */
export class StreamClosedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StreamClosedError';
  }
}

/** How much a pipe of bytes holds before `write` waits. */
export const PIPE_BYTES_MAX = 64 * 1024;

/**
 * A direction inside the process: what is written to `sink` is read from `source`.
 *
 * `sizeOf` weighs an item, `sizeMax` is the weight beyond which writers wait. `taken` is told the weight of each item
 * when it has been read, which is what flow control of a transport hangs on.
 */
export class Pipe<T> implements Source<T>, Sink<T> {
  readonly #sizeOf: (item: T) => number;
  readonly #sizeMax: number;
  readonly #taken: ((size: number) => void) | undefined;
  #items: T[] = [];
  #head = 0;
  #size = 0;
  #ended = false;
  #endError: Error | undefined;
  #error: Error | undefined;
  #reader: { resolve: (item: T | undefined) => void; reject: (error: Error) => void } | undefined;
  #writers: { resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(options: { sizeOf: (item: T) => number; sizeMax: number; taken?: (size: number) => void }) {
    this.#sizeOf = options.sizeOf;
    this.#sizeMax = options.sizeMax;
    this.#taken = options.taken;
  }

  /** The weight of what was written and not yet read. */
  get size(): number {
    return this.#size;
  }

  read(): Promise<T | undefined> {
    if (this.#reader) return Promise.reject(new StreamClosedError('the stream is being read already'));
    if (this.#head < this.#items.length) return Promise.resolve(this.#shift());
    if (this.#error) return Promise.reject(this.#error);
    if (this.#endError) return Promise.reject(this.#endError);
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  write(item: T): Promise<void> {
    if (this.#error) return Promise.reject(this.#error);
    if (this.#ended) return Promise.reject(new StreamClosedError('the stream was ended by its writer'));
    const size = this.#sizeOf(item);
    const reader = this.#reader;
    if (reader) {
      this.#reader = undefined;
      reader.resolve(item);
      this.#taken?.(size);
      return Promise.resolve();
    }
    this.#items.push(item);
    this.#size += size;
    if (this.#size <= this.#sizeMax) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#writers.push({ resolve, reject });
    });
  }

  end(): Promise<void> {
    if (!this.#ended && !this.#error) {
      this.#ended = true;
      this.#reader?.resolve(undefined);
      this.#reader = undefined;
    }
    return Promise.resolve();
  }

  /** As `end`, but after what is left the reader meets `error`: the writer was cut off, its words were not. */
  endWith(error: Error): void {
    if (this.#ended || this.#error) return;
    this.#ended = true;
    this.#endError = error;
    this.#reader?.reject(error);
    this.#reader = undefined;
  }

  abort(reason: Error): void {
    if (!this.#ended) this.#break(reason);
  }

  cancel(reason: Error = new StreamClosedError('the reader has gone')): void {
    if (this.#ended && this.#head === this.#items.length) return;
    this.#break(reason);
  }

  #break(reason: Error): void {
    if (this.#error) return;
    this.#error = reason;
    const dropped = this.#size;
    this.#items = [];
    this.#head = 0;
    this.#size = 0;
    if (dropped > 0) this.#taken?.(dropped);
    this.#reader?.reject(reason);
    this.#reader = undefined;
    for (const writer of this.#writers.splice(0)) writer.reject(reason);
  }

  #shift(): T {
    const item = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined as T;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    }
    const size = this.#sizeOf(item);
    this.#size -= size;
    if (this.#size <= this.#sizeMax) for (const writer of this.#writers.splice(0)) writer.resolve();
    this.#taken?.(size);
    return item;
  }
}

/** A pipe of bytes that holds `sizeMax` bytes. */
export function bytePipe(sizeMax = PIPE_BYTES_MAX, taken?: (size: number) => void): Pipe<Uint8Array> {
  return new Pipe({ sizeOf: (chunk) => chunk.length, sizeMax, taken });
}

/** Two joined ends: what one writes the other reads. */
export function duplexPair(sizeMax = PIPE_BYTES_MAX): [ByteDuplex, ByteDuplex] {
  const there = bytePipe(sizeMax);
  const back = bytePipe(sizeMax);
  const end = (source: Pipe<Uint8Array>, sink: Pipe<Uint8Array>): ByteDuplex => ({
    source,
    sink,
    // What was ended before is still delivered, as by a socket.
    destroy(reason: Error = new StreamClosedError('the connection was closed')) {
      sink.abort(reason);
      source.cancel(reason);
    },
  });
  return [end(back, there), end(there, back)];
}

/**
 * Carries everything from `source` to `sink` and then ends it. When one side breaks, the other is broken with the same
 * error and the promise rejects with it.
 */
export async function pump<T>(source: Source<T>, sink: Sink<T>): Promise<void> {
  try {
    for (let item = await source.read(); item !== undefined; item = await source.read()) await sink.write(item);
    await sink.end();
  } catch (error) {
    const reason = asError(error);
    sink.abort(reason);
    source.cancel(reason);
    throw reason;
  }
}

/**
 * Reads to the end and joins. Beyond `sizeMax` bytes the rest is read and dropped, so that the writer is never stuck.
 */
export async function readAll(source: ByteSource, sizeMax = 1024 * 1024): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let chunk = await source.read(); chunk !== undefined; chunk = await source.read()) {
    const part = chunk.subarray(0, sizeMax - size);
    if (part.length > 0) chunks.push(part);
    size += part.length;
  }
  return concat(chunks);
}

export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0] as Uint8Array;
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

export function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}
