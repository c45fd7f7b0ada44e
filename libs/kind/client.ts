import type { ApiObject, GroupResource, Live, ResourceRef } from './object.ts';
import type { Cause } from './request.ts';

/**
 * How every component talks to the API server; kubectl could do all that this can. Implemented once, in `libs/client`,
 * over a `Transport` (HTTPS, or straight into the server of the same process: same authentication, authorization,
 * admission and answers).
 *
 * What comes back is frozen and may be shared with others: copy before changing (`structuredClone`). What is handed in
 * is copied and stays the caller's. Every method throws `ApiError` for an answer that is not 2xx, `TransportError`
 * when there was no answer.
 *
 *     const pod = await client.resource(pods).namespace('default').get('web-0');
 *     await client.resource(pods).namespace('default').subresource('status').patch('web-0', { status: { … } }, { type: 'merge' });
 */
export interface Client {
  resource<T extends ApiObject>(ref: ResourceRef<T>): ResourceClient<T>;
  /** What is not a resource: `/version`, `/openapi/v3`. Answers with the body as JSON, or as text where it is none. */
  raw(
    method: string,
    path: string,
    options?: RequestOptions & { body?: unknown; headers?: Readonly<Record<string, string>> },
  ): Promise<unknown>;
  /** The same client, every request of which says why it is made. */
  because(cause: Cause): Client;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

export interface WriteOptions extends RequestOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
}

export interface ListOptions extends RequestOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}

export interface WatchOptions extends RequestOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  readonly allowWatchBookmarks?: boolean;
  /** The present state first, as ADDED events, closed by a bookmark annotated `k8s.io/initial-events-end`. */
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export interface DeleteOptions extends WriteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
}

export interface List<T extends ApiObject> {
  readonly items: readonly Live<T>[];
  readonly metadata: {
    readonly resourceVersion: string;
    readonly continue?: string;
    readonly remainingItemCount?: number;
  };
}

export type WatchEvent<T extends ApiObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: Live<T> }
  /** Only the resourceVersion (and annotations) of `object` mean something. */
  | {
      readonly type: 'BOOKMARK';
      readonly object: {
        readonly metadata: {
          readonly resourceVersion: string;
          readonly annotations?: Readonly<Record<string, string>>;
        };
      };
    };

/** A watch that tells of its events by itself. */
export interface FollowedWatch {
  /** Resolves, or rejects, as a loop over the watch would end; what came before has been told then. */
  readonly over: Promise<void>;
  /** Ends it: nothing is told any more. Idempotent. */
  close(): void;
}

export type PatchType = 'json' | 'merge' | 'strategic';

/** One resource, in one namespace or over all. */
export interface ResourceClient<T extends ApiObject> {
  readonly ref: ResourceRef<T>;
  namespace(namespace: string): ResourceClient<T>;
  /** `status`, `scale`, `binding`, `eviction`: the same methods on it. `V`: the type of its body where it differs. */
  subresource<V extends ApiObject = T>(name: string): ResourceClient<V>;

  get(name: string, options?: RequestOptions & { resourceVersion?: string }): Promise<Live<T>>;
  list(options?: ListOptions): Promise<List<T>>;
  /** Ends when the server ends it or `signal` aborts; throws `ApiError` (410: list again) when the server says so. */
  watch(options?: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** The same, told by calls: what comes at once is told at once, where a loop takes a turn for each event. */
  follow(options: WatchOptions, told: (event: WatchEvent<T>) => void): FollowedWatch;
  /** `name`: for subresources that are created upon an object (binding, eviction, token). */
  create(object: T, options?: WriteOptions & { name?: string }): Promise<Live<T>>;
  update(object: T | Live<T>, options?: WriteOptions): Promise<Live<T>>;
  patch(name: string, patch: unknown, options: WriteOptions & { type: PatchType }): Promise<Live<T>>;
  /** Server-side apply; `fieldManager` must be said. */
  apply(object: T, options: WriteOptions & { fieldManager: string; force?: boolean }): Promise<Live<T>>;
  delete(name: string, options?: DeleteOptions): Promise<void>;
  deleteCollection(selection?: ListOptions, options?: DeleteOptions): Promise<void>;
}

/**
 * The present state of one resource, kept up to date by an informer and read without waiting. May be behind the server,
 * never goes back in time. Keys are `keyOf`'s.
 */
export interface Lister<T extends ApiObject> {
  get(key: string): Live<T> | undefined;
  /** All, or all of a namespace; in order of key. The array is shared: do not change it. */
  list(namespace?: string): readonly Live<T>[];
  /** Objects for which the index `name` gives `value`. */
  by(index: string, value: string): readonly Live<T>[];
  /** The revision up to which everything has been seen. */
  readonly resourceVersion: string;
}

/** Gives each component its informers; one informer a resource and process, shared. */
export interface Informers {
  /** Starts to follow the resource, if nobody did so yet. */
  informer<T extends ApiObject>(ref: ResourceRef<T>): Informer<T>;
  /**
   * Ends to follow a resource that the server has no more, unless somebody's handler is left; else it would be asked for
   * in vain for ever. Whoever asks for it later gets another informer.
   */
  forget(ref: ResourceRef): void;
  /** Resolves when every informer asked for so far has its first state. */
  synced(signal?: AbortSignal): Promise<void>;
}

export interface Informer<T extends ApiObject> extends Lister<T> {
  readonly ref: ResourceRef<T>;
  /** True once the first state is there. */
  readonly synced: boolean;
  /** Adds an index before or after the start. The same name twice: the functions must be the same. */
  index(name: string, values: (object: Live<T>) => readonly string[]): void;
  /**
   * Tells of changes, first of everything that is there. Handlers are quick and do not throw; they put keys into queues.
   * `previous` is undefined for what is new; `object` is undefined for what has gone.
   */
  on(handler: (object: Live<T> | undefined, previous: Live<T> | undefined) => void): Disposable;
  /** Resolves when the informer has seen `resourceVersion` (or newer): to read one's own writes. */
  caughtUp(resourceVersion: string, signal?: AbortSignal): Promise<void>;
}

/** There was no answer: connection refused, broken, timed out. `sent` says whether the request may have been done. */
export class TransportError extends Error {
  readonly sent: boolean;
  constructor(message: string, options: { sent: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TransportError';
    this.sent = options.sent;
  }
}

export const groupResourceName = (ref: GroupResource): string =>
  ref.group ? `${ref.resource}.${ref.group}` : ref.resource;
