/**
 * Calls of a gRPC server as bytes: what a typed client is built on. `node/http2-channel.ts` speaks it over a socket.
 */
export interface GrpcChannel {
  /**
   * One request, one answer. Rejects with `GrpcError`: the server's status, or `UNAVAILABLE` when it cannot be reached,
   * `DEADLINE_EXCEEDED` after `timeoutMs`, `CANCELLED` when `signal` is aborted.
   */
  unary(path: string, request: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  /**
   * One request, many answers, read by demand: a reader that stops slows the server down. Ending the iteration early
   * cancels the call. Errors as `unary`.
   */
  serverStream(path: string, request: Uint8Array, options?: CallOptions): AsyncIterable<Uint8Array>;
  /**
   * Many requests, many answers, in any order. Nothing is sent before the answers are read. Errors come from reading
   * them, as with `unary`.
   */
  duplexStream(path: string, options?: CallOptions): GrpcDuplex;
  /** Ends what is under way with `CANCELLED` and closes the connection. Later calls reject. */
  close(): Promise<void>;
}

export interface GrpcDuplex {
  /** Sends a request, or keeps it until there is a connection; after the end of the answers it goes nowhere. */
  send(request: Uint8Array): void;
  /** To be read once, and by demand. Ending the iteration early cancels the call. */
  readonly answers: AsyncIterable<Uint8Array>;
}

export interface CallOptions {
  /** For a stream: until its end. Absent: no deadline. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** gRPC's status codes by name (https://grpc.io/docs/guides/status-codes/). */
export const GRPC_CODES = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
] as const;
export type GrpcCode = (typeof GRPC_CODES)[number];

/** A call that failed. `message` is the server's own text where it gave one. */
export class GrpcError extends Error {
  readonly code: GrpcCode;
  /** The server cannot have seen the call: there was no connection, or it said so. False: nobody knows, or it has. */
  readonly unsent: boolean;
  constructor(code: GrpcCode, message: string, options: ErrorOptions & { unsent?: boolean } = {}) {
    super(message, options);
    this.name = 'GrpcError';
    this.code = code;
    this.unsent = options.unsent ?? false;
  }
}

/** The code of a `grpc-status` header; anything else is `UNKNOWN`. */
export function grpcCode(status: string | undefined): GrpcCode {
  return (status !== undefined && /^\d+$/.test(status) ? GRPC_CODES[Number(status)] : undefined) ?? 'UNKNOWN';
}

/** `grpc-message` is percent-encoded UTF-8; what cannot be decoded stays as it is. */
export function grpcMessage(text: string | undefined): string {
  try {
    return decodeURIComponent(text ?? '');
  } catch {
    return text ?? '';
  }
}

/** A message on the wire: a flag for compression (never used here), the length, the bytes. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const out = new Uint8Array(5 + message.length);
  new DataView(out.buffer).setUint32(1, message.length);
  out.set(message, 5);
  return out;
}

/** Cuts the bytes of a call into messages. */
export class MessageParser {
  readonly #bytesMax: number;
  #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** True between two messages. */
  get atBoundary(): boolean {
    return this.#size === 0;
  }

  /** The messages that `chunk` completes. Throws `GrpcError` for one that is too long or compressed. */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    const messages: Uint8Array[] = [];
    while (this.#size >= 5) {
      const head = this.#peek(5);
      const length = new DataView(head.buffer, head.byteOffset).getUint32(1);
      if (head[0] !== 0)
        throw new GrpcError('INTERNAL', 'the server sent a compressed message, which nobody asked for');
      if (length > this.#bytesMax)
        throw new GrpcError(
          'RESOURCE_EXHAUSTED',
          `the server sent a message of ${length} bytes; at most ${this.#bytesMax} are taken`,
        );
      if (this.#size < 5 + length) break;
      messages.push(this.#peek(5 + length).subarray(5));
      this.#drop(5 + length);
    }
    return messages;
  }

  #peek(length: number): Uint8Array {
    const [first] = this.#chunks as [Uint8Array];
    if (first.length >= length) return first.subarray(0, length);
    const joined = new Uint8Array(this.#size);
    let at = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [joined];
    return joined.subarray(0, length);
  }

  #drop(length: number): void {
    this.#size -= length;
    const [first, ...rest] = this.#chunks as [Uint8Array, ...Uint8Array[]];
    const left = first.subarray(length);
    this.#chunks = left.length > 0 ? [left, ...rest] : rest;
  }
}
