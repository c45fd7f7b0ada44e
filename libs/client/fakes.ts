import type { Clock } from '../base/clock.ts';
import { formatTime } from '../base/clock.ts';
import { SeededRandom } from '../base/random.ts';
import type { ApiObject, DeepReadonly } from '../kind/object.ts';
import {
  ApiError,
  alreadyExists,
  badRequest,
  expired,
  modified,
  notFound,
  unknownPath,
  unsupportedPatch,
} from '../machinery/errors.ts';
import { deepFreeze } from '../machinery/freeze.ts';
import { parseLabelSelector } from '../machinery/labels.ts';
import { applyJsonPatch, jsonPatchOf } from '../machinery/patch/json-patch.ts';
import { applyMergePatch } from '../machinery/patch/merge-patch.ts';
import type {
  Transport,
  TransportRequest,
  TransportResponse,
  TransportWatch,
  TransportWatchSink,
} from './transport.ts';

type Stored = DeepReadonly<ApiObject> & {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
};

interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly path: string;
  readonly revision: number;
  readonly object: Stored;
}

interface Target {
  /** `/api/v1/pods`: the collection over all namespaces. */
  readonly collection: string;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

/** Changes that a watch can go back over. */
const HISTORY_MAX = 10_000;

/**
 * An API without rules, in memory: for tests of what talks to an API server. Names, revisions, conflicts, finalizers,
 * watches (with bookmarks, first states and 410) are as a server's; kinds, defaults, validation and permissions it does
 * not know. Every request is recorded, and `fail` makes requests go wrong.
 *
 *     const api = new FakeApi(clock);
 *     const client = createClient(api);
 *     api.fail((request) => (request.method === 'PUT' ? conflict(…) : undefined));
 *     assert.deepEqual(api.requests.map(({ method, path }) => `${method} ${path}`), ['GET /api/v1/pods']);
 */
export class FakeApi implements Transport {
  readonly requests: TransportRequest[] = [];
  readonly #clock: Clock;
  readonly #random = new SeededRandom('fake api');
  readonly #objects = new Map<string, Stored>();
  readonly #watches = new Set<FakeWatch>();
  #history: Change[] = [];
  #revision = 1;
  #forgotten = 0;
  #failure: (request: TransportRequest) => Error | undefined = () => undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get revision(): number {
    return this.#revision;
  }

  get watchCount(): number {
    return this.#watches.size;
  }

  /** Asked before each request: an `ApiError` becomes the answer, another error is thrown as the transport's. */
  fail(failure: (request: TransportRequest) => Error | undefined): void {
    this.#failure = failure;
  }

  /** Ends every watch, as a server that restarts does, or as a connection that breaks. */
  breakWatches(error?: Error): void {
    for (const watch of this.#watches) watch.end(error);
  }

  /** Forgets all history: a watch from an earlier revision is told 410. */
  compact(): void {
    this.#history = [];
    this.#forgotten = this.#revision;
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    this.requests.push(request);
    const failure = this.#failure(request);
    if (failure && !(failure instanceof ApiError)) throw failure;
    try {
      if (failure) throw failure;
      return this.#answer(request);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const after = error.status.details?.retryAfterSeconds;
      return { code: error.code, headers: after ? { 'retry-after': String(after) } : {}, value: error.status };
    }
  }

  async watch(request: TransportRequest, sink: TransportWatchSink): Promise<TransportWatch> {
    this.requests.push(request);
    const failure = this.#failure(request);
    if (failure) throw failure;
    const query = new URLSearchParams(request.query);
    const target = parsePath(request.path);
    const watch = new FakeWatch(sink, target, query, (over) => this.#watches.delete(over));
    this.#watches.add(watch);
    queueMicrotask(() => this.#begin(watch, query));
    return watch;
  }

  async close(): Promise<void> {
    this.breakWatches();
  }

  #begin(watch: FakeWatch, query: URLSearchParams): void {
    const after = Number(query.get('resourceVersion') ?? 0);
    if (after > 0 && after < this.#forgotten) {
      watch.tell('ERROR', expired('too old resource version').status as unknown as DeepReadonly<ApiObject>);
      watch.end();
    } else if (after > 0) {
      for (const change of this.#history) if (change.revision > after) watch.change(change);
    } else {
      for (const object of this.#select(watch.target, query)) watch.tell('ADDED', object);
      if (query.get('sendInitialEvents') === 'true') {
        watch.tell('BOOKMARK', this.#bookmark({ annotations: { 'k8s.io/initial-events-end': 'true' } }));
      }
    }
    watch.live = true;
  }

  #bookmark(metadata: ApiObject['metadata'] = {}): DeepReadonly<ApiObject> {
    return deepFreeze({
      metadata: { ...metadata, resourceVersion: String(this.#revision) },
    }) as DeepReadonly<ApiObject>;
  }

  #answer(request: TransportRequest): TransportResponse {
    const target = parsePath(request.path);
    const query = new URLSearchParams(request.query);
    const dryRun = query.has('dryRun');
    switch (request.method) {
      case 'GET':
        return target.name === '' ? ok(this.#list(target, query)) : ok(this.#get(target));
      case 'POST':
        return { ...ok(this.#create(target, structuredClone(request.body) as ApiObject, dryRun)), code: 201 };
      case 'PUT':
        return ok(this.#replace(target, structuredClone(request.body) as ApiObject, dryRun));
      case 'PATCH':
        return ok(this.#patch(target, request, dryRun));
      case 'DELETE':
        return ok(this.#delete(target, request.body as DeleteBody | undefined));
      default:
        throw unknownPath();
    }
  }

  #get(target: Target): Stored {
    const found = this.#objects.get(pathOf(target));
    if (!found) throw notFound(groupResourceOf(target), target.name);
    return found;
  }

  #list(target: Target, query: URLSearchParams): unknown {
    const all = this.#select(target, query);
    const from = Number(query.get('continue') ?? 0);
    const limit = Number(query.get('limit') ?? 0) || all.length;
    const items = all.slice(from, from + limit).map(({ kind: _kind, apiVersion: _apiVersion, ...item }) => item);
    const rest = all.length - from - items.length;
    return {
      metadata: {
        resourceVersion: String(this.#revision),
        ...(rest > 0 ? { continue: String(from + limit), remainingItemCount: rest } : {}),
      },
      items,
    };
  }

  #select(target: Target, query: URLSearchParams): Stored[] {
    const selector = parseLabelSelector(query.get('labelSelector') ?? '');
    const prefix = `${target.collection}/${target.namespace === '' ? '' : `${target.namespace}/`}`;
    return [...this.#objects]
      .filter(([path, object]) => path.startsWith(prefix) && selector.matches(object.metadata.labels))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  #create(target: Target, object: ApiObject, dryRun: boolean): Stored {
    const metadata = { ...object.metadata };
    if (target.subresource !== '') throw unknownPath();
    metadata.name ??= `${metadata.generateName ?? ''}${this.#random.text(5, 'bcdfghjklmnpqrstvwxz2456789')}`;
    if (target.namespace !== '') metadata.namespace = target.namespace;
    const at = { ...target, name: metadata.name };
    if (this.#objects.has(pathOf(at))) throw alreadyExists(groupResourceOf(target), metadata.name);
    metadata.uid = this.#random.uuid();
    metadata.creationTimestamp = formatTime(this.#clock.now());
    return this.#store('ADDED', at, { ...object, metadata }, dryRun);
  }

  #replace(target: Target, object: ApiObject, dryRun: boolean): Stored {
    const old = this.#get(target);
    const expected = object.metadata?.resourceVersion;
    if (expected && expected !== old.metadata.resourceVersion) throw modified(groupResourceOf(target), target.name);
    const { uid, creationTimestamp, deletionTimestamp } = old.metadata;
    const metadata = {
      ...object.metadata,
      name: target.name,
      uid,
      creationTimestamp,
      ...(deletionTimestamp ? { deletionTimestamp } : {}),
    };
    const fields = object as ApiObject & { status?: unknown };
    const before = structuredClone(old) as ApiObject & { status?: unknown };
    // `status` changes through its subresource alone, and that changes nothing else.
    const changed =
      target.subresource === 'status'
        ? { ...before, status: fields.status }
        : { ...fields, ...(before.status === undefined ? {} : { status: before.status }) };
    if (metadata.deletionTimestamp && (metadata.finalizers ?? []).length === 0) return this.#drop(target, old);
    return this.#store(
      'MODIFIED',
      target,
      { ...changed, metadata: target.subresource === 'status' ? before.metadata : metadata } as ApiObject,
      dryRun,
    );
  }

  #patch(target: Target, request: TransportRequest, dryRun: boolean): Stored {
    const old = structuredClone(this.#get(target));
    const type = request.headers['content-type'];
    if (type === 'application/merge-patch+json') {
      return this.#replace(target, applyMergePatch(old, request.body) as ApiObject, dryRun);
    }
    if (type !== 'application/json-patch+json') throw unsupportedPatch();
    return this.#replace(target, applyJsonPatch(old, jsonPatchOf(request.body)) as ApiObject, dryRun);
  }

  #delete(target: Target, body: DeleteBody | undefined): unknown {
    if (target.name === '') throw badRequest('the fake deletes one object at a time');
    const old = this.#get(target);
    const { uid, resourceVersion } = body?.preconditions ?? {};
    if ((uid && uid !== old.metadata.uid) || (resourceVersion && resourceVersion !== old.metadata.resourceVersion)) {
      throw modified(groupResourceOf(target), target.name);
    }
    if ((old.metadata.finalizers ?? []).length === 0) return this.#drop(target, old);
    if (old.metadata.deletionTimestamp) return old;
    const metadata = { ...old.metadata, deletionTimestamp: formatTime(this.#clock.now()) };
    return this.#store('MODIFIED', target, { ...old, metadata } as ApiObject, false);
  }

  #drop(target: Target, old: Stored): Stored {
    this.#objects.delete(pathOf(target));
    const revision = ++this.#revision;
    const object = deepFreeze({ ...old, metadata: { ...old.metadata, resourceVersion: String(revision) } }) as Stored;
    this.#tell({ type: 'DELETED', path: pathOf(target), revision, object });
    return object;
  }

  #store(type: 'ADDED' | 'MODIFIED', target: Target, object: ApiObject, dryRun: boolean): Stored {
    const revision = dryRun ? this.#revision : ++this.#revision;
    const metadata = { ...object.metadata, resourceVersion: String(revision) };
    const stored = deepFreeze({ ...object, metadata }) as Stored;
    if (dryRun) return stored;
    this.#objects.set(pathOf(target), stored);
    this.#tell({ type, path: pathOf(target), revision, object: stored });
    return stored;
  }

  #tell(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > HISTORY_MAX) this.#forgotten = (this.#history.shift() as Change).revision;
    for (const watch of this.#watches) if (watch.live) watch.change(change);
  }
}

interface DeleteBody {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

class FakeWatch implements TransportWatch {
  readonly target: Target;
  live = false;
  readonly #sink: TransportWatchSink;
  readonly #prefix: string;
  readonly #query: URLSearchParams;
  readonly #closed: (watch: FakeWatch) => void;
  #over = false;

  constructor(sink: TransportWatchSink, target: Target, query: URLSearchParams, closed: (watch: FakeWatch) => void) {
    this.#sink = sink;
    this.target = target;
    this.#query = query;
    this.#prefix = `${target.collection}/${target.namespace === '' ? '' : `${target.namespace}/`}`;
    this.#closed = closed;
  }

  change({ type, path, object }: Change): void {
    const selector = parseLabelSelector(this.#query.get('labelSelector') ?? '');
    if (path.startsWith(this.#prefix) && selector.matches(object.metadata.labels)) this.tell(type, object);
  }

  tell(type: string, object: DeepReadonly<ApiObject>): void {
    if (!this.#over) this.#sink.event(type, object);
  }

  end(error?: Error): void {
    if (this.#over) return;
    this.close();
    this.#sink.ended(error);
  }

  close(): void {
    this.#over = true;
    this.#closed(this);
  }
}

const ok = (value: unknown): TransportResponse => ({ code: 200, headers: {}, value });

const pathOf = ({ collection, namespace, name }: Target): string =>
  `${collection}/${namespace === '' ? '' : `${namespace}/`}${name}`;

function groupResourceOf({ collection }: Target): { group: string; resource: string } {
  const parts = collection.split('/');
  return parts[1] === 'api'
    ? { group: '', resource: parts[3] ?? '' }
    : { group: parts[2] ?? '', resource: parts[4] ?? '' };
}

function parsePath(path: string): Target {
  const parts = path.split('/').slice(1).map(decodeURIComponent);
  const root = parts[0] === 'api' ? 2 : 3;
  const rest = parts.slice(root);
  // `/api/v1/namespaces/a` names a namespace, `/api/v1/namespaces/a/pods` lies in one.
  const namespaced = rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status' && rest[2] !== 'finalize';
  const namespace = namespaced ? (rest[1] ?? '') : '';
  const [resource = '', name = '', subresource = ''] = namespaced ? rest.slice(2) : rest;
  if (resource === '') throw unknownPath();
  return { collection: `/${parts.slice(0, root).join('/')}/${resource}`, namespace, name, subresource };
}
