import * as http2 from 'node:http2';
import type { Clock } from '../../base/clock.ts';
import { TransportError } from '../../kind/client.ts';
import { decodeAny } from '../../machinery/codec/json.ts';
import { deepFreeze } from '../../machinery/freeze.ts';
import { apiErrorOf } from '../api-error.ts';
import type {
  Transport,
  TransportRequest,
  TransportResponse,
  TransportWatch,
  TransportWatchSink,
} from '../transport.ts';
import { type Connection, Connections } from './connections.ts';
import { WatchReader } from './watch-reader.ts';

export interface HttpsTransportOptions {
  /** `https://10.0.0.1:6443`; a path below which the API lies may follow. */
  readonly server: string;
  /** Who signs the server's certificate; without it, whom the system trusts. */
  readonly caPem?: string;
  readonly insecureSkipTlsVerify?: boolean;
  /** The name in the server's certificate, where it is not the host of `server`. */
  readonly tlsServerName?: string;
  /** Read for each new connection; what was there before stays until `renew`. */
  readonly certificate?: () => { readonly certificatePem: string; readonly privateKeyPem: string } | undefined;
  /** Read for each request. */
  readonly token?: () => string | undefined;
  readonly userAgent?: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

export interface HttpsTransport extends Transport {
  /** Lets go of all connections as their requests end, so that new ones use the present certificate. */
  renew(): void;
}

/** A way to an API server over HTTP/2 and TLS. Connections are made when they are wanted, and again after they broke. */
export function httpsTransport(options: HttpsTransportOptions): HttpsTransport {
  return new Http2Transport(options);
}

/** Codes of RST_STREAM. */
const REFUSED_STREAM = http2.constants.NGHTTP2_REFUSED_STREAM;
const CANCEL = http2.constants.NGHTTP2_CANCEL;
const NO_ERROR = http2.constants.NGHTTP2_NO_ERROR;
/** A request that a server has not looked at is sent again this often. */
const TRIES_MAX = 3;

class Http2Transport implements HttpsTransport {
  readonly #options: HttpsTransportOptions;
  readonly #prefix: string;
  readonly #connections: Connections;

  constructor(options: HttpsTransportOptions) {
    this.#options = options;
    this.#prefix = new URL(options.server).pathname.replace(/\/$/, '');
    this.#connections = new Connections(options);
  }

  renew(): void {
    this.#connections.renew();
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    using _held = this.#options.clock.hold('a request to an API server');
    const { response, stream } = await this.#begin(request, 'application/json');
    const chunks: Uint8Array[] = [];
    const body = await new Promise<Buffer>((resolve, reject) => {
      const stop = this.#onAbort(request, stream, reject);
      stream.on('data', (chunk: Uint8Array) => chunks.push(chunk));
      stream.once('close', () => {
        stop();
        if (stream.rstCode === NO_ERROR && stream.readableEnded) resolve(Buffer.concat(chunks));
        else reject(broken(stream, true));
      });
    });
    const code = response[':status'] ?? 0;
    return { code, headers: response as TransportResponse['headers'], value: valueOf(response['content-type'], body) };
  }

  async watch(request: TransportRequest, sink: TransportWatchSink): Promise<TransportWatch> {
    const { response, stream } = await this.#begin(request, 'application/json');
    const code = response[':status'] ?? 0;
    if (code !== 200) {
      const chunks: Uint8Array[] = [];
      await new Promise<void>((resolve) =>
        stream.on('data', (chunk: Uint8Array) => chunks.push(chunk)).once('close', resolve),
      );
      throw apiErrorOf(code, valueOf(response['content-type'], Buffer.concat(chunks)));
    }
    const reader = new WatchReader(stream, sink);
    const abort = () => reader.end(undefined);
    request.signal?.addEventListener('abort', abort, { once: true });
    stream.once('close', () => {
      request.signal?.removeEventListener('abort', abort);
      const clean = stream.rstCode === NO_ERROR && stream.readableEnded;
      reader.finish(clean ? undefined : broken(stream, true));
    });
    return reader;
  }

  /** Sends the request, again where no server has looked at it, and waits for the head of the answer. */
  async #begin(request: TransportRequest, accept: string): Promise<Begun> {
    for (let tries = 1; ; tries++) {
      request.signal?.throwIfAborted();
      const connection = await this.#connections.get(request.signal);
      try {
        return await this.#send(connection, request, accept);
      } catch (error) {
        if (!(error instanceof TransportError) || error.sent || tries >= TRIES_MAX) throw error;
      }
    }
  }

  #send(connection: Connection, request: TransportRequest, accept: string): Promise<Begun> {
    const { token, userAgent } = this.#options;
    const bearer = token?.();
    const body = request.body === undefined ? undefined : JSON.stringify(request.body, bigintsRaw);
    const headers: http2.OutgoingHttpHeaders = {
      ':method': request.method,
      ':path': `${this.#prefix}${request.path}${request.query === '' ? '' : `?${request.query}`}`,
      accept,
      ...(userAgent ? { 'user-agent': userAgent } : {}),
      ...(bearer ? { authorization: `Bearer ${bearer}` } : {}),
      ...this.#options.headers,
      ...request.headers,
    };
    const stream = connection.request(headers, body === undefined);
    return new Promise((resolve, reject) => {
      const stop = this.#onAbort(request, stream, reject);
      const closed = () => {
        stop();
        // Nothing of an answer came: it is known not to have been done only where the server (or nobody) said so.
        const unseen = stream.rstCode === REFUSED_STREAM || connection.refused(stream);
        reject(broken(stream, !unseen));
      };
      // Errors come with `close`, which tells all there is to know.
      stream.on('error', () => {});
      stream.once('close', closed);
      stream.once('response', (response) => {
        stop();
        stream.off('close', closed);
        resolve({ response, stream });
      });
      if (body !== undefined) stream.end(body);
    });
  }

  #onAbort(request: TransportRequest, stream: http2.ClientHttp2Stream, reject: (reason: unknown) => void): () => void {
    const { signal } = request;
    if (!signal) return () => {};
    const abort = () => {
      stream.close(CANCEL);
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    return () => signal.removeEventListener('abort', abort);
  }
}

interface Begun {
  readonly response: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader;
  readonly stream: http2.ClientHttp2Stream;
}

function broken(stream: http2.ClientHttp2Stream, sent: boolean): TransportError {
  const cause = stream.errored ?? undefined;
  const why = cause?.message ?? `the server cut the answer off (code ${stream.rstCode})`;
  return new TransportError(why, { sent, cause });
}

function valueOf(contentType: string | undefined, body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (!contentType?.startsWith('application/json')) return body.toString();
  try {
    return deepFreeze(decodeAny(body));
  } catch (error) {
    throw new TransportError('the answer is no JSON, though it says so', { sent: true, cause: error });
  }
}

/** int64 beyond 2^53 as they are. */
function bigintsRaw(_name: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value;
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value));
}
