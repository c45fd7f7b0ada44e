import { apiErrorOf } from '../../libs/client/api-error.ts';
import type {
  Transport,
  TransportRequest,
  TransportResponse,
  TransportWatch,
  TransportWatchSink,
} from '../../libs/client/transport.ts';
import { TransportError } from '../../libs/kind/client.ts';
import { failure, type Status } from '../../libs/machinery/errors.ts';
import type { ApiFault, ApiFaults, RequestFacts } from './api-faults.ts';
import { RecentAnswers } from './recent-answers.ts';

export const DELAY_MS = 1_000;

interface OpenWatch {
  readonly facts: RequestFacts;
  break(): void;
}

/** The ways of all clients of one cluster, which faults lie in wait on. */
export class FaultyWays {
  readonly faults: ApiFaults;
  readonly #watches = new Set<OpenWatch>();

  constructor(faults: ApiFaults) {
    this.faults = faults;
  }

  /** A transport of one user on which faults may happen. */
  over(inner: Transport, user: string): Transport {
    return new FaultTransport(inner, user, this.faults, this.#watches);
  }

  /** Another watch that breaks when watches do, by `broken`. Call the result when it has ended by itself. */
  follow(facts: RequestFacts, broken: () => void): () => void {
    const watch: OpenWatch = {
      facts,
      break: () => {
        this.#watches.delete(watch);
        broken();
      },
    };
    this.#watches.add(watch);
    return () => void this.#watches.delete(watch);
  }

  /** Breaks the watches of some resources (default: all) or users. Gives how many. */
  breakWatches(of: { readonly resources?: readonly string[]; readonly users?: readonly string[] } = {}): number {
    const broken = [...this.#watches].filter(
      ({ facts }) =>
        (!of.resources || of.resources.includes(facts.resource)) && (!of.users || of.users.includes(facts.user)),
    );
    for (const watch of broken) {
      this.faults.count('break-watch');
      watch.break();
    }
    return broken.length;
  }
}

class FaultTransport implements Transport {
  readonly #inner: Transport;
  readonly #user: string;
  readonly #faults: ApiFaults;
  readonly #watches: Set<OpenWatch>;
  readonly #answers = new RecentAnswers<TransportResponse>();

  constructor(inner: Transport, user: string, faults: ApiFaults, watches: Set<OpenWatch>) {
    this.#inner = inner;
    this.#user = user;
    this.#faults = faults;
    this.#watches = watches;
  }

  request(request: TransportRequest): Promise<TransportResponse> {
    return this.#faults.mayBefall(this.#user) ? this.#disturbed(request) : this.#inner.request(request);
  }

  async #disturbed(request: TransportRequest): Promise<TransportResponse> {
    const drawn = this.#faults.draw(factsOf(request, this.#user));
    // Most requests are spared.
    const refused = drawn.length > 0 ? await this.#before(drawn, request) : undefined;
    if (refused) return refused;
    const key = request.method === 'GET' ? `${request.path}?${request.query}` : '';
    if (drawn.some(({ fault }) => fault === 'stale')) {
      const earlier = this.#answers.get(key);
      if (earlier) return earlier;
    }
    const answer = await this.#inner.request(request);
    if (key !== '') this.#answers.remember(key, answer);
    if (drawn.some(({ fault }) => fault === 'duplicate')) {
      // Whatever the second one says is said to nobody.
      await this.#inner.request(request).catch(() => undefined);
    }
    if (drawn.some(({ fault }) => fault === 'lose-answer'))
      throw new TransportError('the connection broke before the answer came', { sent: true });
    return answer;
  }

  watch(request: TransportRequest, sink: TransportWatchSink): Promise<TransportWatch> {
    const watch = new FaultyWatch(request, this.#user, sink, this.#watches);
    return this.#faults.mayBefall(this.#user) ? this.#disturbedWatch(request, watch) : watch.open(this.#inner);
  }

  async #disturbedWatch(request: TransportRequest, watch: FaultyWatch): Promise<TransportWatch> {
    const drawn = this.#faults.draw(watch.facts);
    const refused = drawn.length > 0 ? await this.#before(drawn, request) : undefined;
    if (refused) throw apiErrorOf(refused.code, refused.value);
    if (drawn.some(({ fault }) => fault === 'expire') && /(^|&)resourceVersion=[1-9]/.test(request.query)) {
      throw apiErrorOf(410, EXPIRED);
    }
    return watch.open(this.#inner);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** What happens on the way there. Gives the answer where the server never sees the request. */
  async #before(drawn: readonly ApiFault[], request: TransportRequest): Promise<TransportResponse | undefined> {
    for (const { fault, delayMs = DELAY_MS, code = 503 } of drawn) {
      if (fault === 'delay') await this.#faults.clock.sleep(delayMs, request.signal);
      else if (fault === 'lose-request') throw new TransportError('connection refused', { sent: false });
      else if (fault === 'refuse') return refusal(code);
    }
    return undefined;
  }
}

/** A watch on its way from the server to its client, which may break. */
class FaultyWatch implements OpenWatch, TransportWatchSink, TransportWatch {
  readonly #request: TransportRequest;
  readonly #user: string;
  readonly #sink: TransportWatchSink;
  readonly #watches: Set<OpenWatch>;
  #inner: TransportWatch | undefined;

  constructor(request: TransportRequest, user: string, sink: TransportWatchSink, watches: Set<OpenWatch>) {
    this.#request = request;
    this.#user = user;
    this.#sink = sink;
    this.#watches = watches;
  }

  get facts(): RequestFacts {
    return { ...factsOf(this.#request, this.#user), verb: 'watch' };
  }

  open(transport: Transport): Promise<TransportWatch> {
    return transport.watch(this.#request, this).then((inner) => {
      this.#inner = inner;
      this.#watches.add(this);
      return this;
    });
  }

  event(type: string, object: Parameters<TransportWatchSink['event']>[1]): void {
    this.#sink.event(type, object);
  }

  ended(error: Error | undefined): void {
    this.#watches.delete(this);
    this.#sink.ended(error);
  }

  room(): Promise<void> | undefined {
    return this.#sink.room?.();
  }

  break(): void {
    this.close();
    this.#sink.ended(new TransportError('the connection of the watch broke', { sent: true }));
  }

  close(): void {
    this.#watches.delete(this);
    this.#inner?.close();
  }
}

const REASONS: Readonly<Record<number, string>> = {
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** What a request is refused with. */
export const refusalOf = (code: number): Status =>
  failure(code, REASONS[code] ?? 'InternalError', 'a fault of the simulation refuses this request');

/** What a watch is told whose revision is gone. */
export const EXPIRED: Status = Object.freeze(
  failure(410, 'Expired', 'too old resource version: the history was compacted'),
);

const refusal = (code: number): TransportResponse => ({ code, headers: {}, value: refusalOf(code) });

const VERBS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  GET: ['get', 'list'],
  POST: ['create', 'create'],
  PUT: ['update', 'update'],
  PATCH: ['patch', 'patch'],
  DELETE: ['delete', 'deletecollection'],
};

/** `/apis/apps/v1/namespaces/default/deployments/web/scale` → what is asked for. Paths of no resource have none. */
export function factsOf({ method, path }: Pick<TransportRequest, 'method' | 'path'>, user: string): RequestFacts {
  // Every request passes here, some twice: its path is read in place.
  let at = path.startsWith('/apis/') ? afterSlashes(path, 4) : path.startsWith('/api/') ? afterSlashes(path, 3) : 0;
  const next = (): string | undefined => {
    if (at === 0) return undefined;
    const end = path.indexOf('/', at);
    const segment = end < 0 ? path.slice(at) : path.slice(at, end);
    at = end < 0 ? 0 : end + 1;
    return segment;
  };
  let [first, name, subresource] = [next(), next(), next()];
  let namespace = '';
  if (first === 'namespaces' && subresource !== undefined && subresource !== 'status' && subresource !== 'finalize') {
    namespace = plain(name);
    [first, name, subresource] = [subresource, next(), next()];
  }
  const resource = plain(first);
  const [one, many] = VERBS[method] ?? ['get', 'list'];
  return {
    user,
    verb: name === undefined && resource !== '' ? many : one,
    resource: subresource ? `${resource}/${plain(subresource)}` : resource,
    namespace,
  };
}

/** Where a path goes on after so many slashes; 0: it has fewer. */
function afterSlashes(path: string, count: number): number {
  let at = 0;
  for (let n = 0; n < count; n++) {
    at = path.indexOf('/', at) + 1;
    if (at === 0) return 0;
  }
  return at;
}

const plain = (segment = ''): string => (segment.includes('%') ? decodeURIComponent(segment) : segment);
