import * as http2 from 'node:http2';
import { unlessAborted } from '../../base/abort.ts';
import type { Clock, Timer } from '../../base/clock.ts';
import { TransportError } from '../../kind/client.ts';
import type { HttpsTransportOptions } from './https-transport.ts';

/** How long a connection may take to be there. */
const CONNECT_MS = 30_000;
/** A connection on which nothing came for this long is asked whether it lives, and has so long to answer. */
const SILENT_MS = 30_000;
const PING_MS = 15_000;
/** Streams of one connection, where the server allows more. */
const STREAMS_MAX = 250;
const RECEIVE_WINDOW_BYTES = 16 * 1024 * 1024;
const STREAM_WINDOW_BYTES = 4 * 1024 * 1024;

/** One HTTP/2 connection, and how many streams it has. */
export class Connection {
  readonly #session: http2.ClientHttp2Session;
  readonly #clock: Clock;
  readonly #gone: (connection: Connection) => void;
  #streams = 0;
  #leaving = false;
  #lastStreamId = Number.POSITIVE_INFINITY;
  #heardBytes = 0;
  #timer: Timer | undefined;

  constructor(session: http2.ClientHttp2Session, clock: Clock, gone: (connection: Connection) => void) {
    this.#session = session;
    this.#clock = clock;
    this.#gone = gone;
    session.setLocalWindowSize(RECEIVE_WINDOW_BYTES);
    session.on('goaway', (_code, lastStreamId) => {
      this.#lastStreamId = lastStreamId;
      this.leave();
    });
    session.once('close', () => {
      this.#leaving = true;
      this.#timer?.cancel();
      gone(this);
    });
  }

  get hasRoom(): boolean {
    return !this.#leaving && !this.#session.closed && this.#streams < this.#streamsMax;
  }

  /** Keeps room for one request, which must follow. */
  reserve(): void {
    this.#streams++;
  }

  /** Sends a request for which room was kept. */
  request(headers: http2.OutgoingHttpHeaders, endStream: boolean): http2.ClientHttp2Stream {
    const ended = () => {
      this.#streams--;
      if (this.#streams === 0 && this.#leaving) this.#session.close();
    };
    let stream: http2.ClientHttp2Stream;
    try {
      stream = this.#session.request(headers, { endStream });
    } catch (error) {
      ended();
      throw new TransportError('the connection has just been closed', { sent: false, cause: error });
    }
    stream.once('close', ended);
    if (!this.#timer) this.#lookLater();
    return stream;
  }

  /** Whether the server has said that it will not look at the stream. */
  refused(stream: http2.ClientHttp2Stream): boolean {
    return (stream.id ?? 0) > this.#lastStreamId;
  }

  /** Takes no more requests; ends with the last of those under way. */
  leave(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    this.#gone(this);
    if (this.#streams === 0) this.#session.close();
  }

  destroy(): void {
    this.#leaving = true;
    this.#session.destroy();
  }

  get #streamsMax(): number {
    return Math.min(STREAMS_MAX, this.#session.remoteSettings?.maxConcurrentStreams ?? STREAMS_MAX);
  }

  /** Asks a silent connection whether it lives: one that was cut looks like one on which nothing happens. */
  #look(): void {
    this.#timer = undefined;
    if (this.#streams === 0 || this.#session.destroyed) return;
    const { bytesRead = 0 } = this.#session.socket;
    const heard = bytesRead > this.#heardBytes;
    this.#heardBytes = bytesRead;
    if (heard) return this.#lookLater();
    const late = this.#clock.setTimer(() => {
      this.#session.destroy(new Error(`no sign of life for ${SILENT_MS + PING_MS} ms`));
    }, PING_MS);
    this.#timer = late;
    this.#session.ping((error) => {
      late.cancel();
      if (!error) this.#lookLater();
    });
  }

  #lookLater(): void {
    this.#timer = this.#clock.setTimer(() => this.#look(), SILENT_MS);
  }
}

/** The connections of one transport: as many as its streams want. */
export class Connections {
  readonly #options: HttpsTransportOptions;
  readonly #live = new Set<Connection>();
  readonly #all = new Set<Connection>();
  #connecting: Promise<Connection> | undefined;
  #generation = 0;
  #closed = false;

  constructor(options: HttpsTransportOptions) {
    this.#options = options;
  }

  /** One with room kept for a request. Throws `TransportError` (not sent) where none can be made. */
  async get(signal?: AbortSignal): Promise<Connection> {
    for (;;) {
      if (this.#closed) throw new TransportError('the transport is closed', { sent: false });
      for (const connection of this.#live) {
        if (!connection.hasRoom) continue;
        connection.reserve();
        return connection;
      }
      this.#connecting ??= this.#connect().finally(() => {
        this.#connecting = undefined;
      });
      await unlessAborted(this.#connecting, signal);
    }
  }

  renew(): void {
    this.#generation++;
    for (const connection of this.#live) connection.leave();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const connection of this.#all) connection.destroy();
    await this.#connecting?.catch(() => {});
  }

  async #connect(): Promise<Connection> {
    const generation = this.#generation;
    const session = await this.#handshake();
    const connection: Connection = new Connection(session, this.#options.clock, (gone) => {
      this.#live.delete(gone);
      if (session.closed) this.#all.delete(gone);
    });
    session.once('close', () => this.#all.delete(connection));
    this.#all.add(connection);
    this.#live.add(connection);
    if (this.#closed) connection.destroy();
    else if (generation !== this.#generation) connection.leave();
    return connection;
  }

  #handshake(): Promise<http2.ClientHttp2Session> {
    const { server, caPem, insecureSkipTlsVerify, tlsServerName, certificate, clock } = this.#options;
    const own = certificate?.();
    return new Promise((resolve, reject) => {
      const session = http2.connect(server, {
        ...(caPem ? { ca: caPem } : {}),
        ...(own ? { cert: own.certificatePem, key: own.privateKeyPem } : {}),
        ...(tlsServerName ? { servername: tlsServerName } : {}),
        rejectUnauthorized: !insecureSkipTlsVerify,
        settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
        maxSessionMemory: 256,
      });
      const late = clock.setTimer(
        () => session.destroy(new Error(`no connection within ${CONNECT_MS} ms`)),
        CONNECT_MS,
      );
      const failed = (error?: Error) => {
        late.cancel();
        reject(new TransportError(error?.message ?? 'the connection was closed', { sent: false, cause: error }));
      };
      session.once('error', failed);
      session.once('close', failed);
      // With the server's settings it is known how many streams there may be.
      session.once('remoteSettings', () => {
        late.cancel();
        session.off('error', failed);
        session.off('close', failed);
        // What breaks later ends the streams, which tell.
        session.on('error', () => {});
        resolve(session);
      });
    });
  }
}
