import { unlessAborted } from '../base/abort.ts';
import { assert } from '../base/assert.ts';
import { groupResourceName, type Informer, type Informers } from '../kind/client.ts';
import type { ApiObject, Live, ResourceRef } from '../kind/object.ts';
import { keyOf } from '../kind/object.ts';
import { InformerStore } from './informer-store.ts';
import { Reflector, type ReflectorOptions, type ReflectorTarget } from './reflector.ts';

type Handler = (object: Live<ApiObject> | undefined, previous: Live<ApiObject> | undefined) => void;

/** Informers over one client: one for each resource, shared by all who ask. `stop` ends all of them. */
export interface StoppableInformers extends Informers {
  /** Resolves when nothing is told any more. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Makes the informers of a process (or of a component that has a process to itself).
 *
 *     const informers = createInformers({ client, clock, random, log });
 *     const pods = informers.informer(resources.pods);
 *     pods.index('node', (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
 *     await informers.synced();
 *     pods.by('node', 'node-1');
 */
export function createInformers(options: ReflectorOptions): StoppableInformers {
  return new SharedInformers(options);
}

class SharedInformers implements StoppableInformers {
  readonly #options: ReflectorOptions;
  readonly #all = new Map<string, ResourceInformer>();
  /** The same by the references that they were asked for with, which mostly are constants. */
  readonly #byRef = new WeakMap<ResourceRef, ResourceInformer>();
  readonly #ending = new Set<Promise<void>>();
  readonly #stopped = new AbortController();
  /** Without a first state, in the order of their coming. */
  readonly #unsynced = new Set<ResourceInformer>();
  /** Who waits for first states, each for all that there were then: the longest waiting first. */
  readonly #waits: FirstStates[] = [];
  /** How many informers have been made. */
  #made = 0;
  #stopping: Promise<void> | undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
  }

  informer<T extends ApiObject>(ref: ResourceRef<T>): Informer<T> {
    assert(!this.#stopping, 'the informers have stopped');
    let informer = this.#byRef.get(ref as ResourceRef);
    if (!informer || informer.forgotten) {
      const name = nameOf(ref as ResourceRef);
      informer = this.#all.get(name);
      if (!informer) {
        const place = this.#made++;
        informer = new ResourceInformer(ref as ResourceRef, place, this, this.#options, this.#stopped.signal);
        this.#all.set(name, informer);
        this.#unsynced.add(informer);
        informer.start();
      }
      this.#byRef.set(ref as ResourceRef, informer);
    }
    return informer as unknown as Informer<T>;
  }

  forget(ref: ResourceRef): void {
    const name = nameOf(ref);
    const informer = this.#all.get(name);
    if (!informer || informer.isHeard || this.#stopping) return;
    this.#all.delete(name);
    this.noWait(informer);
    informer.forgotten = true;
    const ended = informer.stop().finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }

  async synced(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.#areThere(this.#made)) return;
    // Every controller of a process waits for the informers of all.
    let wait = this.#waits.at(-1);
    if (wait?.before !== this.#made) this.#waits.push((wait = new FirstStates(this.#made)));
    await unlessAborted(wait.promise, signal);
  }

  /** Nobody waits for this one's first state any longer: it is there, or will never come. */
  noWait(informer: ResourceInformer): void {
    this.#unsynced.delete(informer);
    while (this.#waits[0] && this.#areThere(this.#waits[0].before)) this.#waits.shift()?.resolve();
  }

  /** Whether all of the first `before` informers have their first state. */
  #areThere(before: number): boolean {
    for (const { place } of this.#unsynced) return place >= before;
    return true;
  }

  stop(): Promise<void> {
    if (this.#stopping) return this.#stopping;
    const stopped = Array.from(this.#all.values(), (informer) => informer.stop());
    // What is under way is told that it was given up; of what has been forgotten, too.
    this.#stopped.abort(new Error('the informers have stopped'));
    this.#stopping = Promise.all([...stopped, ...this.#ending]).then(() => {});
    return this.#stopping;
  }
}

const nameOf = (ref: ResourceRef): string => `${groupResourceName(ref)}/${ref.version}`;

/** The first states of the first `before` informers. */
class FirstStates {
  readonly before: number;
  readonly promise: Promise<void>;
  readonly resolve: () => void;

  constructor(before: number) {
    this.before = before;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.promise = promise;
    this.resolve = resolve;
  }
}

/** A class, as `Hearing` is: all informers of a process are waited for at once. */
class Waiting {
  readonly revision: bigint;
  readonly done: () => void;

  constructor(revision: bigint, done: () => void) {
    this.revision = revision;
    this.done = done;
  }
}

class ResourceInformer implements Informer<ApiObject>, ReflectorTarget {
  readonly ref: ResourceRef;
  /** How many came before it. */
  readonly place: number;
  /** Has stopped, while the others go on. */
  forgotten = false;
  readonly #all: SharedInformers;
  readonly #store = new InformerStore();
  readonly #reflector: Reflector;
  /** Who hears, in the order of their coming: a chain from the first to the last. */
  #first: Hearing | undefined;
  #last: Hearing | undefined;
  /** Made for the first; most have been told before anybody waits. */
  #waiting: Set<Waiting> | undefined;
  #resourceVersion = '';
  #synced = false;

  constructor(ref: ResourceRef, place: number, all: SharedInformers, options: ReflectorOptions, signal: AbortSignal) {
    this.ref = ref;
    this.place = place;
    this.#all = all;
    const random = options.random.fork(`informer ${groupResourceName(ref)}`);
    this.#reflector = new Reflector(ref, this, options, random, signal);
  }

  start(): void {
    this.#reflector.start();
  }

  stop(): Promise<void> {
    return this.#reflector.stop();
  }

  get synced(): boolean {
    return this.#synced;
  }

  get isHeard(): boolean {
    return this.#first !== undefined;
  }

  get resourceVersion(): string {
    return this.#resourceVersion;
  }

  get(key: string): Live<ApiObject> | undefined {
    return this.#store.get(key);
  }

  list(namespace?: string): readonly Live<ApiObject>[] {
    return this.#store.list(namespace);
  }

  by(index: string, value: string): readonly Live<ApiObject>[] {
    return this.#store.by(index, value);
  }

  index(name: string, values: (object: Live<ApiObject>) => readonly string[]): void {
    this.#store.addIndex(name, values);
  }

  on(handler: Handler): Disposable {
    const hearing = new Hearing(this, handler);
    if (this.#last) this.#last.next = hearing;
    else this.#first = hearing;
    this.#last = hearing;
    if (this.#store.size > 0) for (const object of this.#store.list()) handler(object, undefined);
    return hearing;
  }

  /** Takes one out that is in the chain. Its own `next` stays, for whoever is just being told. */
  noHearing(hearing: Hearing): void {
    let before: Hearing | undefined;
    for (let one = this.#first; one !== hearing; one = one?.next) before = one;
    if (before) before.next = hearing.next;
    else this.#first = hearing.next;
    if (this.#last === hearing) this.#last = before;
  }

  #tell(object: Live<ApiObject> | undefined, previous: Live<ApiObject> | undefined): void {
    for (let one = this.#first; one; one = one.next) if (!one.isOver) one.handler(object, previous);
  }

  async caughtUp(resourceVersion: string, signal?: AbortSignal): Promise<void> {
    const revision = BigInt(resourceVersion || 0);
    if (!this.#has(revision)) await this.#wait(revision, signal);
  }

  #has(revision: bigint): boolean {
    return this.#synced && BigInt(this.#resourceVersion) >= revision;
  }

  #wait(revision: bigint, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.#waiting?.delete(waiting);
        reject(signal?.reason);
      };
      const waiting = new Waiting(revision, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting ??= new Set();
      this.#waiting.add(waiting);
    });
  }

  replace(objects: ReadonlyMap<string, Live<ApiObject>>, resourceVersion: string): void {
    if (this.#store.size > 0) for (const key of [...this.#store.keys()]) if (!objects.has(key)) this.#gone(key);
    objects.forEach((object, key) => this.#put(object, key));
    this.#synced = true;
    this.progress(resourceVersion);
    this.#all.noWait(this);
  }

  put(object: Live<ApiObject>): void {
    this.#put(object, keyOf(object));
  }

  #put(object: Live<ApiObject>, key: string): void {
    const known = this.#store.get(key);
    // Told again, by a list that shows what a watch has told already.
    if (known && known.metadata.resourceVersion === object.metadata.resourceVersion) return;
    // Another object under a name that was free in between: the old one has gone, though nobody said so.
    if (known && known.metadata.uid !== object.metadata.uid) this.#gone(key);
    const previous = this.#store.set(object, key);
    this.#tell(object, previous);
  }

  delete(object: Live<ApiObject>): void {
    this.#gone(keyOf(object));
  }

  #gone(key: string): void {
    const previous = this.#store.delete(key);
    if (previous) this.#tell(undefined, previous);
  }

  progress(resourceVersion: string): void {
    this.#resourceVersion = resourceVersion;
    if (!this.#waiting || this.#waiting.size === 0) return;
    for (const waiting of this.#waiting) {
      if (!this.#has(waiting.revision)) continue;
      this.#waiting.delete(waiting);
      waiting.done();
    }
  }
}

/** A class, as hundreds begin at once: of literals V8 would make all later ones old, and each holds the informer. */
class Hearing implements Disposable {
  readonly #informer: ResourceInformer;
  readonly handler: Handler;
  next: Hearing | undefined;
  isOver = false;

  constructor(informer: ResourceInformer, handler: Handler) {
    this.#informer = informer;
    this.handler = handler;
  }

  [Symbol.dispose](): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#informer.noHearing(this);
  }
}
