import { AssertionError } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type {
  Client,
  DeleteOptions,
  FollowedWatch,
  List,
  ListOptions,
  PatchType,
  RequestOptions,
  ResourceClient,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from '../kind/client.ts';
import { type ApiObject, apiVersionOf, type DeepReadonly, type Live, type ResourceRef } from '../kind/object.ts';
import { type Cause, formatCause } from '../kind/request.ts';
import { groupVersionPath } from '../machinery/gvk.ts';
import { apiErrorOf } from './api-error.ts';
import type { Transport, TransportRequest, TransportResponse } from './transport.ts';
import { followEvents, watchEvents } from './watch-events.ts';

export interface ClientOptions {
  /** Sent as User-Agent; its first word is the field manager of writes that name none. */
  readonly userAgent?: string;
  /**
   * Asks again, after the time that it names, when the server says 429 or 503 with `Retry-After`: those requests were
   * not done. Without a clock such an answer is thrown like any other.
   */
  readonly clock?: Clock;
}

/** How often a request is sent again before the answer is thrown. */
const RETRIES_MAX = 10;

const JSON_BODY = 'application/json';

const PATCH_TYPES: Readonly<Record<PatchType | 'apply', string>> = Object.freeze({
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
});

/** A client over a transport. It has no state of its own: make as many as wanted. */
export function createClient(transport: Transport, options: ClientOptions = {}): Client {
  return new GenericClient(new Requester(transport, options.userAgent, options.clock, undefined));
}

class GenericClient implements Client {
  readonly #requester: Requester;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  resource<T extends ApiObject>(ref: ResourceRef<T>): ResourceClient<T> {
    return new GenericResourceClient<T>(this.#requester, ref, '', '');
  }

  raw(
    method: string,
    path: string,
    options: RequestOptions & { body?: unknown; headers?: Readonly<Record<string, string>> } = {},
  ): Promise<unknown> {
    const at = path.indexOf('?');
    return this.#requester.send({
      method,
      path: at < 0 ? path : path.slice(0, at),
      query: at < 0 ? '' : path.slice(at + 1),
      headers: this.#requester.headers(options.headers, options.body !== undefined),
      body: options.body,
      signal: options.signal,
    });
  }

  because(cause: Cause): Client {
    return new GenericClient(this.#requester.because(cause));
  }
}

/**
 * Sends requests with what all requests of a client have in common, and turns refusals into errors. Keeps what it needs of
 * the options, not the options: a literal that lives as long as a cluster is made old by V8.
 */
class Requester {
  readonly transport: Transport;
  readonly #userAgent: string | undefined;
  readonly #clock: Clock | undefined;
  readonly #cause: Cause | undefined;
  /** Made with the first request: there is a client for every step of a controller, and most send one thing. */
  #headers: Readonly<Record<string, string>> | undefined;
  /** The same for a body of JSON, which most have. */
  #withJson: Readonly<Record<string, string>> | undefined;

  constructor(transport: Transport, userAgent: string | undefined, clock: Clock | undefined, cause: Cause | undefined) {
    this.transport = transport;
    this.#userAgent = userAgent;
    this.#clock = clock;
    this.#cause = cause;
  }

  because(cause: Cause): Requester {
    return new Requester(this.transport, this.#userAgent, this.#clock, cause);
  }

  /** `headers`: what the request has beside those of all requests of this client. */
  headers(headers: Readonly<Record<string, string>> | undefined, hasBody: boolean): Readonly<Record<string, string>> {
    const known = hasBody ? (this.#withJson ??= this.#common(JSON_BODY)) : (this.#headers ??= this.#common(undefined));
    return headers ? { ...known, ...headers } : known;
  }

  #common(contentType: string | undefined): Readonly<Record<string, string>> {
    const headers: Record<string, string> = {};
    if (this.#userAgent) headers['user-agent'] = this.#userAgent;
    if (this.#cause) headers['baggage'] = formatCause(this.#cause);
    if (contentType) headers['content-type'] = contentType;
    return headers;
  }

  /** Gives the value of the answer. */
  send(request: TransportRequest, retries = 0): Promise<unknown> {
    if (request.signal?.aborted) return Promise.reject(request.signal.reason);
    return this.transport
      .request(request)
      .then((response) =>
        response.code >= 200 && response.code < 300 ? response.value : this.#refused(request, response, retries),
      );
  }

  async #refused(request: TransportRequest, response: TransportResponse, retries: number): Promise<unknown> {
    const clock = this.#clock;
    const afterMs = retries < RETRIES_MAX ? retryAfterMs(response) : undefined;
    if (!clock || afterMs === undefined) throw apiErrorOf(response.code, response.value);
    await clock.sleep(afterMs, request.signal);
    return this.send(request, retries + 1);
  }
}

/** When the server said that a request was not done and may come again. */
function retryAfterMs({ code, headers }: TransportResponse): number | undefined {
  if (code !== 429 && code !== 503) return undefined;
  const seconds = Number(headers['retry-after'] ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}

/** A class, as a process opens a hundred watches at once: of literals V8 would make all later ones old, with their signals. */
class WatchRequest implements TransportRequest {
  readonly method = 'GET';
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;

  constructor(path: string, query: string, headers: Readonly<Record<string, string>>, signal: AbortSignal | undefined) {
    this.path = path;
    this.query = query;
    this.headers = headers;
    this.signal = signal;
  }
}

class GenericResourceClient<T extends ApiObject> implements ResourceClient<T> {
  readonly ref: ResourceRef<T>;
  readonly #requester: Requester;
  readonly #namespace: string;
  readonly #subresource: string;

  constructor(requester: Requester, ref: ResourceRef<T>, namespace: string, subresource: string) {
    this.#requester = requester;
    this.ref = ref;
    this.#namespace = namespace;
    this.#subresource = subresource;
  }

  namespace(namespace: string): ResourceClient<T> {
    return new GenericResourceClient<T>(this.#requester, this.ref, namespace, this.#subresource);
  }

  subresource<V extends ApiObject = T>(name: string): ResourceClient<V> {
    return new GenericResourceClient<V>(
      this.#requester,
      this.ref as ResourceRef<ApiObject> as ResourceRef<V>,
      this.#namespace,
      name,
    );
  }

  async get(name: string, options: RequestOptions & { resourceVersion?: string } = {}): Promise<Live<T>> {
    const query = withParameter('', 'resourceVersion', options.resourceVersion);
    return this.#send('GET', this.#pathTo(name), query, options);
  }

  async list(options: ListOptions = {}): Promise<List<T>> {
    const list = await this.#send<{
      readonly metadata: List<T>['metadata'];
      readonly items: readonly DeepReadonly<ApiObject>[] | null;
    }>('GET', this.#collection(), listQuery(options), options);
    const apiVersion = apiVersionOf(this.ref);
    const { kind } = this.ref;
    // Lists leave out what every item of them is.
    const items = (list.items ?? []).map((item) =>
      item.kind === undefined ? Object.freeze({ kind, apiVersion, ...item }) : item,
    );
    return Object.freeze({ metadata: list.metadata, items: Object.freeze(items) as unknown as List<T>['items'] });
  }

  watch(options: WatchOptions = {}): AsyncIterable<WatchEvent<T>> {
    return watchEvents<T>(this.#requester.transport, this.#watchRequest(options));
  }

  follow(options: WatchOptions, told: (event: WatchEvent<T>) => void): FollowedWatch {
    return followEvents<T>(this.#requester.transport, this.#watchRequest(options), told);
  }

  #watchRequest(options: WatchOptions): TransportRequest {
    const { signal } = options;
    const headers = this.#requester.headers(undefined, false);
    return new WatchRequest(this.#collection(), watchQuery(options), headers, signal);
  }

  async create(object: T, options: WriteOptions & { name?: string } = {}): Promise<Live<T>> {
    const path = options.name === undefined ? this.#collection(object) : this.#pathTo(options.name, object);
    return this.#send('POST', path, writeQuery(options), options, this.#typed(object));
  }

  async update(object: T | Live<T>, options: WriteOptions = {}): Promise<Live<T>> {
    const path = this.#pathTo(object.metadata?.name || undefined, object as ApiObject);
    return this.#send('PUT', path, writeQuery(options), options, this.#typed(object as T));
  }

  async patch(name: string, patch: unknown, options: WriteOptions & { type: PatchType }): Promise<Live<T>> {
    const headers = { 'content-type': PATCH_TYPES[options.type] };
    return this.#send('PATCH', this.#pathTo(name), writeQuery(options), options, patch, headers);
  }

  async apply(object: T, options: WriteOptions & { fieldManager: string; force?: boolean }): Promise<Live<T>> {
    const path = this.#pathTo(object.metadata?.name || undefined, object);
    const query = writeQuery(options, options.force);
    const headers = { 'content-type': PATCH_TYPES.apply };
    return this.#send('PATCH', path, query, options, this.#typed(object), headers);
  }

  async delete(name: string, options: DeleteOptions = {}): Promise<void> {
    await this.#send('DELETE', this.#pathTo(name), '', options, deleteBody(options));
  }

  async deleteCollection(selection: ListOptions = {}, options: DeleteOptions = {}): Promise<void> {
    await this.#send('DELETE', this.#collection(), listQuery(selection), options, deleteBody(options));
  }

  /** `R`: what the value of the answer is. */
  #send<R = Live<T>>(
    method: string,
    path: string,
    query: string,
    options: RequestOptions,
    body?: unknown,
    given?: Readonly<Record<string, string>>,
  ): Promise<R> {
    const headers = this.#requester.headers(given, body !== undefined);
    return this.#requester.send({ method, path, query, headers, body, signal: options.signal }) as Promise<R>;
  }

  /** The object with its type, which callers may leave out. */
  #typed(object: T): T {
    if (object.kind !== undefined && object.apiVersion !== undefined) return object;
    // A subresource's body may be of another type, which only its caller knows.
    if (this.#subresource !== '' && this.#subresource !== 'status') return object;
    return { kind: this.ref.kind, apiVersion: apiVersionOf(this.ref), ...object };
  }

  #collection(object?: ApiObject): string {
    const { resource, namespaced } = this.ref;
    const root = groupVersionPath(this.ref);
    const namespace = this.#namespace || object?.metadata?.namespace || '';
    return namespaced && namespace !== ''
      ? `${root}/namespaces/${encodeURIComponent(namespace)}/${resource}`
      : `${root}/${resource}`;
  }

  #pathTo(name: string | undefined, object?: ApiObject): string {
    const { resource, namespaced } = this.ref;
    if (name === undefined) throw new AssertionError(`a request for one of ${resource} wants a name`);
    const namespace = this.#namespace || object?.metadata?.namespace || '';
    if (namespaced && namespace === '') throw new AssertionError(`${resource} ${name}: in which namespace?`);
    const path = `${this.#collection(object)}/${encodeURIComponent(name)}`;
    return this.#subresource === '' ? path : `${path}/${this.#subresource}`;
  }
}

/** A query with one more parameter; without one that is not given. */
function withParameter(query: string, name: string, value: string | number | boolean | undefined): string {
  if (value === undefined || value === '') return query;
  const text = typeof value === 'string' ? encodeURIComponent(value) : value;
  return query === '' ? `${name}=${text}` : `${query}&${name}=${text}`;
}

function watchQuery(options: WatchOptions): string {
  const { sendInitialEvents } = options;
  let query = withParameter('watch=true', 'labelSelector', options.labelSelector);
  query = withParameter(query, 'fieldSelector', options.fieldSelector);
  query = withParameter(query, 'resourceVersion', options.resourceVersion);
  query = withParameter(query, 'allowWatchBookmarks', options.allowWatchBookmarks);
  query = withParameter(query, 'sendInitialEvents', sendInitialEvents);
  if (sendInitialEvents !== undefined) query = withParameter(query, 'resourceVersionMatch', 'NotOlderThan');
  return withParameter(query, 'timeoutSeconds', options.timeoutSeconds);
}

function listQuery(options: ListOptions): string {
  let query = withParameter('', 'labelSelector', options.labelSelector);
  query = withParameter(query, 'fieldSelector', options.fieldSelector);
  query = withParameter(query, 'limit', options.limit);
  query = withParameter(query, 'continue', options.continue);
  query = withParameter(query, 'resourceVersion', options.resourceVersion);
  return withParameter(query, 'resourceVersionMatch', options.resourceVersionMatch);
}

function writeQuery(options: WriteOptions, force?: boolean): string {
  let query = withParameter('', 'dryRun', options.dryRun ? 'All' : undefined);
  query = withParameter(query, 'fieldManager', options.fieldManager);
  query = withParameter(query, 'fieldValidation', options.fieldValidation);
  return withParameter(query, 'force', force);
}

function deleteBody(options: DeleteOptions): Record<string, unknown> {
  return {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
    ...(options.preconditions ? { preconditions: { ...options.preconditions } } : {}),
    ...(options.propagationPolicy ? { propagationPolicy: options.propagationPolicy } : {}),
    ...(options.dryRun ? { dryRun: ['All'] } : {}),
  };
}
