import { onAbort, unlessAborted } from '../../libs/base/abort.ts';
import { apiErrorOf } from '../../libs/client/api-error.ts';
import type {
  Transport,
  TransportRequest,
  TransportResponse,
  TransportWatch,
  TransportWatchSink,
} from '../../libs/client/transport.ts';
import { TransportError } from '../../libs/kind/client.ts';
import type { ApiObject, DeepReadonly } from '../../libs/kind/object.ts';
import type { ApiRequest, ApiResponse, WatchBody, WatchFrame } from './api.ts';

export interface InProcessOptions {
  handle(request: ApiRequest): Promise<ApiResponse>;
  /** Who the client is: a bearer token, or a client certificate in DER. They are verified as on the wire. */
  readonly credentials: { readonly token?: string; readonly certificateDer?: Uint8Array };
  readonly userAgent?: string;
}

/**
 * The way of a client into the API server of the same process. Requests are authenticated, authorized and answered as on
 * the wire; only their text is saved: bodies go in as values, and what comes back are the cache's frozen objects
 * themselves.
 */
export function inProcessTransport(options: InProcessOptions): Transport {
  return new InProcessTransport(options);
}

const NOBODY = Object.freeze({ address: '' });
const NEVER = new AbortController().signal;

/** Keeps what it needs of the options, not the options: a literal that lives as long as a cluster is made old by V8. */
class InProcessTransport implements Transport {
  readonly #server: InProcessOptions['handle'];
  readonly #credentials: InProcessOptions['credentials'];
  readonly #userAgent: string | undefined;
  /** Of every request that is sent with this token. */
  #headers: { readonly token: string | undefined; readonly all: Readonly<Record<string, string>> } | undefined;
  #isClosed = false;
  readonly #watches = new Set<InProcessWatch>();

  constructor(options: InProcessOptions) {
    this.#server = options.handle;
    this.#credentials = options.credentials;
    this.#userAgent = options.userAgent;
  }

  request(request: TransportRequest): Promise<TransportResponse> {
    return this.#handle(request).then(answerOf);
  }

  watch(request: TransportRequest, sink: TransportWatchSink): Promise<TransportWatch> {
    return this.#handle(request).then((response) => {
      const { code, body } = response;
      return code === 200 && body.form === 'watch' ? this.#follow(body, request, sink) : refused(response);
    });
  }

  #follow(body: WatchBody, request: TransportRequest, sink: TransportWatchSink): TransportWatch {
    const watch = new InProcessWatch(sink, request.signal, (over) => this.#watches.delete(over));
    this.#watches.add(watch);
    watch.follow(body.open(watch));
    return watch;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.end();
  }

  #handle(request: TransportRequest): Promise<ApiResponse> {
    const { signal } = request;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#isClosed) return Promise.reject(new TransportError('the transport is closed', { sent: false }));
    // They may be others at each request.
    const { token, certificateDer } = this.#credentials;
    const answer = this.#server({
      method: request.method,
      path: request.path,
      query: request.query,
      headers: { ...this.#headersWith(token), ...request.headers },
      body: request.body === undefined ? undefined : { value: request.body },
      peer: certificateDer ? { address: '', certificateDer } : NOBODY,
      signal: signal ?? NEVER,
    });
    // An abort is the caller's end of waiting, whatever the server still does.
    return unlessAborted(answer, signal);
  }

  #headersWith(token: string | undefined): Readonly<Record<string, string>> {
    if (this.#headers && this.#headers.token === token) return this.#headers.all;
    const userAgent = this.#userAgent;
    const all = {
      accept: 'application/json',
      ...(userAgent ? { 'user-agent': userAgent } : {}),
      ...(token ? { authorization: `Bearer ${token}` } : {}),
    };
    this.#headers = { token, all };
    return all;
  }
}

class InProcessWatch implements TransportWatch {
  readonly #sink: TransportWatchSink;
  readonly #closed: (watch: InProcessWatch) => void;
  readonly #forget: (() => void) | undefined;
  #handle: { close(): void } | undefined;
  #over = false;

  constructor(sink: TransportWatchSink, signal: AbortSignal | undefined, closed: (watch: InProcessWatch) => void) {
    this.#sink = sink;
    this.#closed = closed;
    this.#forget = signal && onAbort(signal, () => this.end());
  }

  follow(handle: { close(): void }): void {
    this.#handle = handle;
    if (this.#over) handle.close();
  }

  event(frame: WatchFrame): boolean {
    if (this.#over) return false;
    this.#sink.event(frame.type, frame.value() as DeepReadonly<ApiObject>);
    return true;
  }

  room(): Promise<void> | undefined {
    return this.#over ? undefined : this.#sink.room?.();
  }

  /** The server, or somebody on this side, has ended it. */
  end(): void {
    if (this.#over) return;
    this.close();
    this.#sink.ended(undefined);
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#forget?.();
    this.#handle?.close();
    this.#closed(this);
  }
}

function answerOf(response: ApiResponse): TransportResponse | Promise<TransportResponse> {
  const { body } = response;
  return body.form === 'whole'
    ? answerWith(response, body.value())
    : valueOf(response).then((value) => answerWith(response, value));
}

const answerWith = ({ code, headers, warnings }: ApiResponse, value: unknown): TransportResponse => ({
  code,
  headers: warnings.length > 0 ? { ...headers, warning: warnings } : headers,
  value,
});

async function refused(response: ApiResponse): Promise<never> {
  throw apiErrorOf(response.code, await valueOf(response));
}

async function valueOf({ body }: ApiResponse): Promise<unknown> {
  if (body.form === 'whole') return body.value();
  if (body.form !== 'stream') return undefined;
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body.chunks) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}
