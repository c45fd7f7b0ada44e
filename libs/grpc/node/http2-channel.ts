import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import { connect as connectSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../base/clock.ts';
import {
  type CallOptions,
  frameMessage,
  type GrpcChannel,
  type GrpcDuplex,
  GrpcError,
  grpcCode,
  grpcMessage,
  MessageParser,
} from '../channel.ts';

export interface Http2ChannelOptions {
  /** `unix:///run/containerd/containerd.sock`, `http://host:port`, or `https://host:port`. */
  readonly endpoint: string;
  /** For `https`: PEM of whom to trust (default: the system's authorities) and of what to show to the server. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string; readonly serverName?: string };
  /** Sent with every call, as `hasleader: true`. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Longer answers are refused with `RESOURCE_EXHAUSTED`. Default 16 MiB, as upstream. */
  readonly messageBytesMax?: number;
  /** Makes the connection, for endpoints that are reached in another way. Must not take long: no deadline runs yet. */
  readonly connect?: () => Promise<Duplex>;
}

interface Connection {
  readonly session: ClientHttp2Session;
  /** How many are under way. */
  calls: number;
  /** The server has been reached: a call may have got there. */
  connected: boolean;
}

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;
const WINDOW_BYTES = 1024 * 1024;

/**
 * gRPC over one HTTP/2 connection: what the sockets of a node speak, and etcd, over TLS as well.
 *
 * The connection is made by the first call and made anew by the next call after it broke; a call that was under way then
 * fails with `UNAVAILABLE` and is not repeated, since nobody knows how far it came. Only a call that the server says it
 * has not seen (`REFUSED_STREAM`) is sent once more. While no call is under way the connection does not keep the process
 * alive.
 */
export class Http2Channel implements GrpcChannel {
  readonly #options: Http2ChannelOptions;
  #connection: Connection | undefined;
  #connecting: Promise<void> | undefined;
  #closed = false;

  constructor(options: Http2ChannelOptions) {
    this.#options = options;
  }

  async unary(path: string, request: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    for (let again = true; ; again = false) {
      const call = await this.#start(path, request, options);
      try {
        return await call.answer();
      } catch (error) {
        if (!again || !call.refused || options.signal?.aborted) throw error;
      }
    }
  }

  async *serverStream(path: string, request: Uint8Array, options: CallOptions = {}): AsyncIterable<Uint8Array> {
    yield* (await this.#start(path, request, options)).messages();
  }

  duplexStream(path: string, options: CallOptions = {}): GrpcDuplex {
    const early: Uint8Array[] = [];
    let call: Call | undefined;
    const start = () => this.#start(path, undefined, options);
    return {
      send: (request) => void (call ? call.send(request) : early.push(request)),
      answers: (async function* () {
        call = await start();
        for (const request of early) call.send(request);
        yield* call.messages();
      })(),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const session = this.#connection?.session;
    this.#connection = undefined;
    if (!session || session.destroyed) return;
    await new Promise<void>((done) => {
      session.once('close', done);
      session.destroy(new GrpcError('CANCELLED', 'the channel was closed'));
    });
  }

  /** Without a request the call stays open for more. */
  async #start(path: string, request: Uint8Array | undefined, options: CallOptions): Promise<Call> {
    if (options.signal?.aborted) {
      throw new GrpcError('CANCELLED', 'the call was cancelled', { cause: options.signal.reason });
    }
    if (this.#connection?.session.closed || this.#connection?.session.destroyed) this.#connection = undefined;
    if (!this.#connection) await (this.#connecting ??= this.#connect());
    const connection = this.#connection;
    if (this.#closed) throw new GrpcError('CANCELLED', 'the channel was closed');
    if (!connection) throw new GrpcError('UNAVAILABLE', 'the connection broke at once', { unsent: true });
    const { session } = connection;
    if (connection.calls++ === 0) session.ref();
    return new Call(connection, path, request, options, this.#options, () => {
      if (--connection.calls === 0 && !session.destroyed) session.unref();
    });
  }

  async #connect(): Promise<void> {
    try {
      const { endpoint } = this.#options;
      const unix = endpoint.startsWith('unix:');
      const path = endpoint.replace(/^unix:(\/\/)?/, '');
      const socket = this.#closed ? undefined : await this.#options.connect?.();
      if (this.#closed) return void socket?.destroy();
      // A server that was killed ends the stream without a word of HTTP/2; a socket that may be half open would stay.
      socket?.once('end', () => socket.destroy());
      const createConnection = socket ? () => socket : unix ? () => connectSocket(path) : undefined;
      this.#connection = this.#open(unix ? 'http://localhost' : endpoint, createConnection);
    } catch (cause) {
      const message = `the connection failed: ${(cause as Error).message}`;
      throw new GrpcError('UNAVAILABLE', message, { cause, unsent: true });
    } finally {
      this.#connecting = undefined;
    }
  }

  #open(authority: string, createConnection: (() => Duplex) | undefined): Connection {
    const { tls } = this.#options;
    const session = connect(authority, {
      ...(createConnection && { createConnection }),
      ...(tls && { ca: tls.ca, cert: tls.cert, key: tls.key, servername: tls.serverName }),
      settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
      maxSessionMemory: 64,
    });
    const connection: Connection = { session, calls: 0, connected: false };
    // One for each call under way.
    session.setMaxListeners(0);
    const forget = () => {
      if (this.#connection === connection) this.#connection = undefined;
    };
    // Each call tells its own error; here it would only end the process.
    session.on('error', forget);
    session.on('close', forget);
    session.on('goaway', forget);
    session.on('connect', () => {
      connection.connected = true;
      session.setLocalWindowSize(WINDOW_BYTES * 4);
    });
    return connection;
  }
}

/** One call: an HTTP/2 stream, its deadline, and the status at its end. */
class Call {
  /** The server has not looked at the call. */
  refused = false;
  readonly #connection: Connection;
  readonly #stream: ClientHttp2Stream;
  readonly #parser: MessageParser;
  readonly #options: CallOptions;
  readonly #finished: () => void;
  readonly #timer: Timer | undefined;
  #sessionError: Error | undefined;
  #given: GrpcError | undefined;
  #headers: IncomingHttpHeaders | undefined;
  #trailers: IncomingHttpHeaders | undefined;

  constructor(
    connection: Connection,
    path: string,
    request: Uint8Array | undefined,
    options: CallOptions,
    channel: Http2ChannelOptions,
    finished: () => void,
  ) {
    const { session } = connection;
    this.#connection = connection;
    this.#options = options;
    this.#finished = finished;
    this.#parser = new MessageParser(channel.messageBytesMax ?? MESSAGE_BYTES_MAX);
    const { timeoutMs } = options;
    this.#stream = session.request({
      ':method': 'POST',
      ':path': path,
      ...(channel.endpoint.startsWith('unix:') && { ':authority': 'localhost' }),
      'content-type': 'application/grpc',
      te: 'trailers',
      ...channel.metadata,
      ...(timeoutMs !== undefined && { 'grpc-timeout': `${Math.min(99_999_999, Math.max(1, Math.ceil(timeoutMs)))}m` }),
    });
    session.once('error', this.#keepSessionError);
    this.#stream.on('response', (headers) => {
      this.#headers = headers;
    });
    this.#stream.on('trailers', (trailers) => {
      this.#trailers = trailers;
    });
    // The reader of `messages` is told; one that has left already must not end the process.
    this.#stream.on('error', () => {});
    this.#stream.once('close', () => session.off('error', this.#keepSessionError));
    this.#timer =
      timeoutMs === undefined
        ? undefined
        : channel.clock.setTimer(
            () => this.#give(new GrpcError('DEADLINE_EXCEEDED', `no answer within ${timeoutMs} ms`)),
            timeoutMs,
          );
    options.signal?.addEventListener('abort', this.#abort, { once: true });
    if (request) this.#stream.end(frameMessage(request));
  }

  /** One more request of a call that was begun without one. */
  send(request: Uint8Array): void {
    if (!this.#stream.destroyed && !this.#stream.writableEnded) this.#stream.write(frameMessage(request));
  }

  async *messages(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of this.#stream) yield* this.#parser.push(chunk as Uint8Array);
      this.#check();
    } catch (error) {
      throw this.#errorOf(error as Error);
    } finally {
      this.#end();
    }
  }

  /** The one message of an answer, read as it comes: a stream's iterator costs a third of a call. */
  async answer(): Promise<Uint8Array> {
    const messages: Uint8Array[] = [];
    try {
      await new Promise<void>((done, failed) => {
        this.#stream.on('data', (chunk: Uint8Array) => {
          try {
            messages.push(...this.#parser.push(chunk));
            if (messages.length > 1) throw new GrpcError('INTERNAL', 'the server gave two answers to one request');
          } catch (error) {
            failed(error);
          }
        });
        this.#stream.once('end', done);
        this.#stream.once('error', failed);
        // Nobody says why where the connection is given up.
        this.#stream.once('close', () => failed(new Error('the stream was closed')));
      });
      this.#check();
      const [answer] = messages;
      if (!answer) throw new GrpcError('INTERNAL', 'the server said OK and gave no answer');
      return answer;
    } catch (error) {
      throw this.#errorOf(error as Error);
    } finally {
      this.#end();
    }
  }

  #errorOf(error: Error): Error {
    return this.#given ?? (error instanceof GrpcError ? error : this.#transportError(error));
  }

  #end(): void {
    this.#timer?.cancel();
    this.#options.signal?.removeEventListener('abort', this.#abort);
    if (!this.#stream.closed) this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#finished();
  }

  readonly #abort = () =>
    this.#give(new GrpcError('CANCELLED', 'the call was cancelled', { cause: this.#options.signal?.reason }));
  readonly #keepSessionError = (error: Error) => {
    this.#sessionError = error;
  };

  #give(error: GrpcError): void {
    this.#given ??= error;
    this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#stream.destroy(error);
  }

  /** After the last byte: throws unless the server said OK. */
  #check(): void {
    if (this.#given) throw this.#given;
    const status = this.#trailers?.['grpc-status'] ?? this.#headers?.['grpc-status'];
    if (status === undefined) {
      const http = this.#headers && Number(this.#headers[':status']);
      if (http === undefined || http === 200)
        throw new GrpcError('UNAVAILABLE', 'the connection broke before the server gave a status');
      throw new GrpcError(
        http === 404 ? 'UNIMPLEMENTED' : 'UNKNOWN',
        `the server answered with the HTTP status ${http}`,
      );
    }
    const code = grpcCode(String(status));
    if (code !== 'OK')
      throw new GrpcError(
        code,
        grpcMessage(String(this.#trailers?.['grpc-message'] ?? this.#headers?.['grpc-message'] ?? '')),
      );
    if (!this.#parser.atBoundary) throw new GrpcError('INTERNAL', 'the server ended within a message');
  }

  #transportError(error: Error): GrpcError {
    this.refused = this.#stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    const cause = this.#sessionError ?? error;
    if (cause instanceof GrpcError) return cause;
    const unsent = this.refused || !this.#connection.connected;
    return new GrpcError('UNAVAILABLE', `the connection failed: ${cause.message}`, { cause, unsent });
  }
}
