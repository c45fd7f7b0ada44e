import type { IncomingMessage, ServerResponse } from 'node:http';
import * as http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { LazyAbort } from '../../../libs/base/abort.ts';
import type { Clock, Timer } from '../../../libs/base/clock.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { Random } from '../../../libs/base/random.ts';
import { Linked, Ring } from '../../../libs/base/ring.ts';
import { type ApiError, requestEntityTooLarge, tooManyRequests, unclassified } from '../../../libs/machinery/errors.ts';
import {
  type ApiRequest,
  type ApiRequestBody,
  type ApiResponse,
  NoAnswerError,
  type Peer,
  type WatchBody,
  type WatchHandle,
} from '../api.ts';
import { type AnswerContext, answerStream, answerWhole, headFields } from './answer.ts';
import { BodyIncompleteError, BodyTooLargeError, readBody } from './body.ts';
import { type Awaited, Deadlines } from './deadlines.ts';
import { type Exchange, Http1Exchange, Http2Exchange } from './exchange.ts';
import { DEFAULT_LIMITS, InFlight, isLongRunning, type ServeLimits } from './limits.ts';
import { ServedWatch, WatchFlusher } from './served-watch.ts';
import { Turns } from './turns.ts';

export interface ServeOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly tls: TlsMaterial;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly limits?: Partial<ServeLimits>;
  /** Whether the process lives on while this listens. Default true. */
  readonly keepAlive?: boolean;
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** Takes over connections that want to be something else (WebSocket, SPDY). Without it such a wish is ignored. */
  readonly upgrade?: UpgradeHook;
}

export interface TlsMaterial {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Whose client certificates to ask for; authentication verifies them. Empty: none are asked for. */
  readonly clientAuthoritiesPem: string;
}

export interface UpgradeHook {
  /** Whether the request is one to take over; otherwise it is answered as if it had not asked. */
  accepts(request: {
    readonly method: string;
    readonly path: string;
    readonly query: string;
    readonly headers: ApiRequest['headers'];
  }): boolean;
  /** The socket is the hook's from here on: it answers, and it closes. `head`: what the client sent already. */
  handle(request: ApiRequest, socket: Duplex, head: Uint8Array): void;
}

export interface Serving {
  readonly host: string;
  readonly port: number;
  /** Requests under way (long-running ones aside) and open watches. */
  readonly counts: {
    readonly mutating: number;
    readonly reading: number;
    readonly watches: number;
    readonly connections: number;
  };
  /** Certificates for connections from now on. */
  renew(tls: TlsMaterial): void;
  /**
   * Takes no more connections, ends watches cleanly, lets requests under way come to their end, and cuts off what is
   * left after `deadlineMs`. Idempotent.
   */
  close(deadlineMs: number): Promise<void>;
}

/** An end-of-stream mark on an HTTP/2 frame. */
const END_STREAM = 0x1;
const HANDSHAKE_MS = 10_000;
/** How long connections may still take to end, once everything on them has. */
const LAST_MS = 250;
const DROPS_TOLD_MS = 1000;

/** Puts an API on the network: HTTP/1.1 and HTTP/2 on one TLS port. Resolves when it listens; rejects when it cannot. */
export async function serve(options: ServeOptions): Promise<Serving> {
  const server = new ApiListener(options);
  await server.listen();
  return server;
}

class ApiListener implements Serving {
  readonly #options: ServeOptions;
  readonly #limits: ServeLimits;
  readonly #server: http2.Http2SecureServer;
  readonly #inFlight: InFlight;
  readonly #context: AnswerContext;
  readonly #flusher: WatchFlusher;
  readonly #turns: Turns;
  readonly #bodies: Deadlines;
  readonly #peers = new WeakMap<object, Peer>();
  readonly #loads = new WeakMap<object, SessionLoad>();
  readonly #watches = new Set<ServedWatch>();
  readonly #connections = new Set<TLSSocket>();
  readonly #sessions = new Set<http2.ServerHttp2Session>();
  readonly #exchanges = new Ring<Ends>();
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;
  #drops = 0;
  #dropTimer: Timer | undefined;

  constructor(options: ServeOptions) {
    this.#options = options;
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#limits = limits;
    this.#inFlight = new InFlight(limits);
    this.#context = { limits, stalled: new Deadlines(options.clock, limits.stalledMs) };
    this.#bodies = new Deadlines(options.clock, limits.requestMs);
    this.#flusher = new WatchFlusher(options.clock);
    this.#turns = new Turns(options.clock);
    this.#server = http2.createSecureServer({
      allowHTTP1: true,
      ...tlsOptions(options.tls),
      // With names of authorities even where none are trusted: else the platform's hundred would be listed.
      requestCert: options.tls.clientAuthoritiesPem !== '',
      rejectUnauthorized: false,
      handshakeTimeout: HANDSHAKE_MS,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 30_000,
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: Math.min(limits.headersMs, limits.requestMs),
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.min(5000, limits.headersMs),
      maxSessionMemory: 64,
      // Clients that end many watches at once are no attack.
      streamResetBurst: 2 * limits.streamsPerConnectionMax,
      streamResetRate: limits.streamsPerConnectionMax,
      settings: {
        maxConcurrentStreams: limits.streamsPerConnectionMax,
        maxHeaderListSize: limits.headerBytesMax,
        initialWindowSize: 256 * 1024,
      },
    } as http2.SecureServerOptions);
    this.#attach();
  }

  get host(): string {
    return this.#options.host;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  get counts(): Serving['counts'] {
    const { mutating, reading } = this.#inFlight;
    return { mutating, reading, watches: this.#watches.size, connections: this.#connections.size };
  }

  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      if (this.#options.keepAlive === false) this.#server.unref();
      this.#server.listen({ host: this.#options.host, port: this.#options.port, backlog: 4096 }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (error) => this.#options.log.error('the listener failed', { error }));
        resolve();
      });
    });
  }

  renew(tls: TlsMaterial): void {
    this.#server.setSecureContext(tlsOptions(tls));
  }

  close(deadlineMs: number): Promise<void> {
    this.#closing ??= this.#close(deadlineMs);
    return this.#closing;
  }

  async #close(deadlineMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.once('close', resolve));
    // Sends GOAWAY on h2 and closes idle connections of HTTP/1.1.
    this.#server.close();
    for (const watch of this.#watches) watch.end();
    if (this.#exchanges.size > 0) {
      await new Promise<void>((resolve) => {
        const late = this.#options.clock.setTimer(resolve, deadlineMs, { keepAlive: true });
        this.#idle = () => (late.cancel(), resolve());
      });
    }
    for (const { served, exchange } of this.#exchanges.all()) {
      served?.abort();
      exchange.destroy();
    }
    // What has been answered may still be on its way out, and clients may take a moment to hang up.
    const cut = this.#options.clock.setTimer(() => this.#cutOff(), LAST_MS, { keepAlive: true });
    await closed;
    cut.cancel();
    this.#dropTimer?.cancel();
    this.#bodies.stop();
    this.#context.stalled.stop();
  }

  #cutOff(): void {
    for (const session of this.#sessions) session.destroy();
    for (const socket of this.#connections) socket.destroy();
  }

  #attach(): void {
    const server = this.#server;
    server.on('secureConnection', (socket: TLSSocket) => {
      this.#connections.add(socket);
      socket.once('close', () => this.#connections.delete(socket));
      socket.on('error', ignore);
    });
    server.maxConnections = this.#limits.connectionsMax;
    server.on('drop', () => this.#dropped());
    server.on('session', (session: http2.ServerHttp2Session) => this.#session(session));
    server.on('sessionError', ignore);
    server.on('request', (request: IncomingMessage, response: ServerResponse) => this.#http1(request, response));
    // The platform answers h2 streams by the same event; here they have a way of their own.
    server.removeAllListeners('stream');
    server.on('stream', (stream, _headers, flags, lines) => {
      this.#http2(stream as http2.ServerHttp2Stream, lines as unknown as string[], flags);
    });
    if (!this.#options.upgrade) return;
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Uint8Array) =>
      this.#upgrade(request, socket, head),
    );
    Object.assign(server, { shouldUpgradeCallback: (request: IncomingMessage) => this.#acceptsUpgrade(request) });
  }

  /** Told of once in a while: whoever floods a server must not flood its log. */
  #dropped(): void {
    this.#drops++;
    if (this.#dropTimer) return;
    this.#dropTimer = this.#options.clock.setTimer(() => {
      this.#dropTimer = undefined;
      const { connectionsMax } = this.#limits;
      this.#options.log.warn('connections were refused: there are too many', { refused: this.#drops, connectionsMax });
      this.#drops = 0;
    }, DROPS_TOLD_MS);
  }

  #session(session: http2.ServerHttp2Session): void {
    session.on('error', ignore);
    this.#sessions.add(session);
    session.once('close', () => this.#sessions.delete(session));
    const load: SessionLoad = { requests: 0, longRunning: 0 };
    this.#loads.set(session, load);
    session.setTimeout(this.#limits.idleMs, () => {
      if (load.requests === 0) session.close();
      // Only what waits for events may be silent for long.
      else if (load.longRunning === 0) session.destroy();
    });
  }

  /** Looked at with the first request: certificates of connections on which nothing is asked would only take memory. */
  #peer(connection: object, socket: TLSSocket): Peer {
    let peer = this.#peers.get(connection);
    if (!peer) this.#peers.set(connection, (peer = peerOf(socket)));
    return peer;
  }

  #http1(request: IncomingMessage, response: ServerResponse): void {
    const peer = this.#peer(request.socket, request.socket as TLSSocket);
    this.#begin(new Http1Exchange(request, response, peer));
  }

  #http2(stream: http2.ServerHttp2Stream, lines: readonly string[], flags: number): void {
    stream.on('error', ignore);
    let method = '';
    let target = '';
    let bytes = 0;
    for (let i = 0; i < lines.length; i += 2) {
      bytes += (lines[i] as string).length + (lines[i + 1] as string).length;
      if (lines[i] === ':method') method = lines[i + 1] as string;
      else if (lines[i] === ':path') target = lines[i + 1] as string;
    }
    // The platform only tells clients of the bound.
    if (bytes > this.#limits.headerBytesMax) return stream.respond({ ':status': 431 }, { endStream: true });
    const { session } = stream;
    const peer = session ? this.#peer(session, session.socket as TLSSocket) : NOBODY;
    const ended = (flags & END_STREAM) !== 0;
    const load = session && this.#loads.get(session);
    this.#begin(new Http2Exchange(stream, lines, method, target, ended, peer), load);
  }

  #acceptsUpgrade(request: IncomingMessage): boolean {
    const exchange = new Http1Exchange(request, undefined as unknown as ServerResponse, { address: '' });
    return this.#options.upgrade?.accepts(exchange) ?? false;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    const peer = this.#peer(request.socket, request.socket as TLSSocket);
    const exchange = new Http1Exchange(request, undefined as unknown as ServerResponse, peer);
    const served = new ServedRequest(exchange, this.#auditId(exchange), undefined);
    socket.once('close', () => served.abort());
    socket.on('error', ignore);
    this.#options.upgrade?.handle(served, socket, head);
  }

  #auditId(exchange: Exchange): string {
    const given = exchange.headers['audit-id'];
    return typeof given === 'string' && given !== '' && given.length <= 64 ? given : this.#options.random.uuid();
  }

  #begin(exchange: Exchange, load?: SessionLoad): void {
    const auditId = this.#auditId(exchange);
    const long = isLongRunning(exchange.path, exchange.query);
    const counted = long ? undefined : this.#inFlight.enter(exchange.method);
    if (load) load.requests++;
    if (load && long) load.longRunning++;
    const ends = new Ends(exchange);
    this.#exchanges.add(ends);
    // It comes once; `once` would cost a function more.
    exchange.outgoing.on('close', () => {
      if (counted) this.#inFlight.leave(counted);
      if (load) load.requests--;
      if (load && long) load.longRunning--;
      this.#exchanges.remove(ends);
      // Whoever has had the whole answer has not gone away.
      if (!exchange.outgoing.writableFinished) ends.served?.abort();
      ends.closed?.();
      if (this.#exchanges.size === 0) this.#idle?.();
    });
    if (!long && !counted) {
      const refusal = tooManyRequests('too many requests, please try again later', 1);
      this.#answer(exchange, auditId, errorAnswer(refusal), ends, exchange.incoming !== undefined);
      return;
    }
    this.#turns.take(() => void this.#run(exchange, auditId, ends));
  }

  async #run(exchange: Exchange, auditId: string, ends: Ends): Promise<void> {
    let response: ApiResponse;
    let unread = false;
    if (exchange.outgoing.destroyed) return;
    try {
      const { incoming } = exchange;
      const body = incoming ? { bytes: await this.#readBody(exchange, incoming) } : undefined;
      ends.served = new ServedRequest(exchange, auditId, body);
      response = await this.#options.handle(ends.served);
    } catch (error) {
      if (error instanceof BodyIncompleteError || error instanceof NoAnswerError) return exchange.destroy();
      unread = error instanceof BodyTooLargeError;
      if (error instanceof BodyTooLargeError) response = errorAnswer(requestEntityTooLarge(this.#limits.bodyBytesMax));
      else {
        this.#options.log.error('a request failed', { method: exchange.method, path: exchange.path, error });
        response = errorAnswer(unclassified(error instanceof Error ? error.message : String(error)));
      }
    }
    try {
      const writing = this.#answer(exchange, auditId, response, ends, unread);
      if (writing) await writing;
    } catch (error) {
      this.#options.log.error('an answer failed', { method: exchange.method, path: exchange.path, error });
      exchange.destroy();
    }
  }

  #readBody(exchange: Exchange, incoming: Readable): Promise<Uint8Array> {
    const declared = exchange.headers['content-length'];
    const { bodyBytesMax } = this.#limits;
    const awaited = this.#bodies.begin(() => exchange.destroy());
    return readBody(incoming, bodyBytesMax, typeof declared === 'string' ? declared : undefined, () =>
      this.#bodies.met(awaited),
    );
  }

  /**
   * `unread`: some of the request's body still comes in, so an HTTP/1.1 connection cannot go on. A promise only where the
   * answer is more than can be handed over at once.
   */
  #answer(
    exchange: Exchange,
    auditId: string,
    response: ApiResponse,
    ends: Ends,
    unread: boolean,
  ): Promise<void> | undefined {
    const { outgoing } = exchange;
    if (outgoing.destroyed || outgoing.closed) return undefined;
    const isHttp1 = exchange instanceof Http1Exchange;
    const fields = headFields(response, auditId, isHttp1 && (unread || this.#closing !== undefined));
    if (unread && exchange instanceof Http2Exchange) outgoing.once('finish', () => exchange.outgoing.close());
    const { body } = response;
    switch (body.form) {
      case 'empty':
        fields.push('content-length', '0');
        exchange.head(response.code, fields, true);
        return undefined;
      case 'whole':
        return answerWhole(exchange, response.code, fields, body, this.#context, response.sized);
      case 'stream':
        return answerStream(exchange, response.code, fields, body, this.#context);
      case 'watch':
        this.#answerWatch(exchange, response.code, fields, body, ends);
        return undefined;
    }
  }

  #answerWatch(exchange: Exchange, code: number, fields: string[], body: WatchBody, ends: Ends): void {
    fields.push('content-type', body.contentType);
    exchange.head(code, fields, false);
    // So that a client sees at once that its watch stands.
    if (exchange instanceof Http1Exchange) exchange.outgoing.flushHeaders();
    const { stalled } = this.#context;
    let handle: WatchHandle | undefined;
    let ending: Awaited | undefined;
    const watch = new ServedWatch(exchange.watch, this.#flusher, this.#limits.watchBufferBytes, () => {
      // A reader that does not take the end either is cut off.
      ending ??= stalled.begin(() => exchange.destroy());
      handle?.close();
    });
    this.#watches.add(watch);
    // By its name: a function that is written right into a property is made old at once, and keeps all that it sees.
    const closed = () => {
      if (ending) stalled.met(ending);
      this.#watches.delete(watch);
      watch.gone();
      handle?.close();
    };
    ends.closed = closed;
    handle = body.open(watch);
    if (this.#closing) watch.end();
  }
}

/** What must be told when the exchange has ended, as far as it has come. */
class Ends extends Linked {
  readonly exchange: Exchange;
  served: ServedRequest | undefined;
  closed: (() => void) | undefined;

  constructor(exchange: Exchange) {
    super();
    this.exchange = exchange;
  }
}

/** Requests under way on one HTTP/2 connection. */
interface SessionLoad {
  requests: number;
  longRunning: number;
}

/** Made once: an error with its stack for each client that goes is dear. */
const GONE = Object.freeze(new Error('the client has gone'));
const hasGone = () => GONE;

class ServedRequest implements ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: ApiRequest['headers'];
  readonly body: ApiRequestBody | undefined;
  readonly peer: Peer;
  readonly #gone = new LazyAbort(hasGone);

  constructor(exchange: Exchange, auditId: string, body: ApiRequestBody | undefined) {
    this.method = exchange.method;
    this.path = exchange.path;
    this.query = exchange.query;
    (exchange.headers as Record<string, unknown>)['audit-id'] = auditId;
    this.headers = exchange.headers;
    this.body = body;
    this.peer = exchange.peer;
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  abort(): void {
    this.#gone.abort();
  }
}

const NOBODY: Peer = Object.freeze({ address: '' });

function errorAnswer(error: ApiError): ApiResponse {
  const bytes = [new TextEncoder().encode(JSON.stringify(error.status))];
  const { retryAfterSeconds } = error.status.details ?? {};
  return {
    code: error.code,
    headers: retryAfterSeconds ? { 'retry-after': String(retryAfterSeconds) } : {},
    warnings: [],
    body: { form: 'whole', contentType: 'application/json', bytes: () => bytes, value: () => error.status },
  };
}

function tlsOptions(tls: TlsMaterial): { key: string; cert: string; ca: string; minVersion: 'TLSv1.2' } {
  return { key: tls.privateKeyPem, cert: tls.certificatePem, ca: tls.clientAuthoritiesPem, minVersion: 'TLSv1.2' };
}

function peerOf(socket: TLSSocket): Peer {
  const certificate = socket.getPeerX509Certificate?.();
  const address = socket.remoteAddress ?? '';
  return certificate ? { address, certificateDer: certificate.raw } : { address };
}

/** Errors of connections are the client's; what was under way on them ends by `close`. */
function ignore(): void {}
