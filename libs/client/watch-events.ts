import { onAbort } from '../base/abort.ts';
import type { FollowedWatch, WatchEvent } from '../kind/client.ts';
import type { ApiObject, DeepReadonly } from '../kind/object.ts';
import { apiErrorOf } from './api-error.ts';
import type { Transport, TransportRequest, TransportWatch, TransportWatchSink } from './transport.ts';

/** Events that wait for a slow loop, before the sender is asked to wait. */
const BUFFERED_EVENTS = 256;

/**
 * A watch as a loop over its events. It begins with the first turn of the loop and ends with it, also by `break`. An
 * ERROR event is thrown as `ApiError`.
 */
export function watchEvents<T extends ApiObject>(
  transport: Transport,
  request: TransportRequest,
): AsyncIterableIterator<WatchEvent<T>, void, undefined> {
  return new WatchLoop<T>(transport, request);
}

type Turn<T extends ApiObject> = IteratorResult<WatchEvent<T>, void>;

/** By hand and not as a generator: a cluster opens a hundred watches when it starts, and each event takes one turn. */
class WatchLoop<T extends ApiObject>
  implements AsyncIterableIterator<WatchEvent<T>, void, undefined>, TransportWatchSink
{
  readonly #transport: Transport;
  readonly #request: TransportRequest;
  #state: 'new' | 'open' | 'closed' = 'new';
  #opening: Promise<void> | undefined;
  #watch: TransportWatch | undefined;
  #forget: (() => void) | undefined;
  #events: WatchEvent<T>[] = [];
  /** Nothing more comes from the server; what has come is told first. */
  #over = false;
  #error: Error | undefined;
  /** The turn that waits for an event. */
  #waiting: PromiseWithResolvers<Turn<T>> | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(transport: Transport, request: TransportRequest) {
    this.#transport = transport;
    this.#request = request;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Turn<T>> {
    const before = this.#waiting?.promise ?? this.#opening;
    if (before) {
      const again = () => this.next();
      return before.then(again, again);
    }
    if (this.#state !== 'new') return this.#turn();
    this.#opening = this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening.then(() => this.#turn());
  }

  async return(): Promise<Turn<T>> {
    this.#close();
    return { done: true, value: undefined };
  }

  event(type: string, object: DeepReadonly<ApiObject>): void {
    if (this.#over) return;
    if (type === 'ERROR') return this.ended(apiErrorOf(500, object));
    const event = { type, object } as WatchEvent<T>;
    const waiting = this.#waiting;
    if (!waiting) return void this.#events.push(event);
    this.#waiting = undefined;
    waiting.resolve({ done: false, value: event });
  }

  ended(error: Error | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    const waiting = this.#waiting;
    if (!waiting) return;
    this.#waiting = undefined;
    waiting.resolve(this.#turn());
  }

  room(): Promise<void> | undefined {
    if (this.#over || this.#events.length < BUFFERED_EVENTS) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  async #open(): Promise<void> {
    this.#state = 'open';
    const { signal } = this.#request;
    try {
      signal?.throwIfAborted();
      this.#watch = await this.#transport.watch(this.#request, this);
    } catch (error) {
      this.#close();
      throw error;
    }
    if (signal?.aborted) {
      // While the answer was on its way back.
      this.ended(undefined);
    } else if (signal) this.#forget = onAbort(signal, () => this.ended(undefined));
    if ((this.#state as string) === 'closed') this.#watch.close();
  }

  #turn(): Promise<Turn<T>> {
    if (this.#state === 'closed') return Promise.resolve({ done: true, value: undefined });
    const event = this.#events.shift();
    if (this.#room && this.#events.length < BUFFERED_EVENTS / 2) {
      this.#room.resolve();
      this.#room = undefined;
    }
    if (event) return Promise.resolve({ done: false, value: event });
    if (!this.#over) {
      this.#waiting = Promise.withResolvers<Turn<T>>();
      return this.#waiting.promise;
    }
    const error = this.#error;
    this.#close();
    return error ? Promise.reject(error) : Promise.resolve({ done: true, value: undefined });
  }

  #close(): void {
    this.#state = 'closed';
    this.#over = true;
    this.#events = [];
    this.#forget?.();
    this.#watch?.close();
    this.#room?.resolve();
    this.#waiting?.resolve({ done: true, value: undefined });
    this.#waiting = undefined;
  }
}

/**
 * A watch that tells of its events by itself, in their order, not within the sender's call: what comes until then is told in
 * one go. It begins at once. What `told` throws ends it.
 */
export function followEvents<T extends ApiObject>(
  transport: Transport,
  request: TransportRequest,
  told: (event: WatchEvent<T>) => void,
): FollowedWatch {
  const watch = new ToldWatch<T>(request, told);
  watch.open(transport);
  return watch;
}

class ToldWatch<T extends ApiObject> implements FollowedWatch, TransportWatchSink {
  readonly over: Promise<void>;
  readonly #end: PromiseWithResolvers<void>;
  readonly #request: TransportRequest;
  readonly #told: (event: WatchEvent<T>) => void;
  #events: WatchEvent<T>[] = [];
  #isToTell = false;
  readonly #tellNow = () => this.#tell();
  #watch: TransportWatch | undefined;
  #forget: (() => void) | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  /** Nothing more comes from the server; what has come is told first. */
  #hasEnded = false;
  #error: Error | undefined;
  #closed = false;

  constructor(request: TransportRequest, told: (event: WatchEvent<T>) => void) {
    this.#request = request;
    this.#told = told;
    this.#end = Promise.withResolvers<void>();
    this.over = this.#end.promise;
  }

  open(transport: Transport): void {
    const { signal } = this.#request;
    if (signal?.aborted) return this.#close(signal.reason);
    transport.watch(this.#request, this).then(
      (watch) => this.#opened(watch),
      (error: unknown) => this.#close(error),
    );
  }

  #opened(watch: TransportWatch): void {
    this.#watch = watch;
    const { signal } = this.#request;
    if (this.#closed) watch.close();
    // While the answer was on its way back.
    else if (signal?.aborted) this.ended(undefined);
    else if (signal) this.#forget = onAbort(signal, () => this.ended(undefined));
  }

  event(type: string, object: DeepReadonly<ApiObject>): void {
    if (this.#hasEnded) return;
    if (type === 'ERROR') return this.ended(apiErrorOf(500, object));
    this.#events.push({ type, object } as WatchEvent<T>);
    this.#tellSoon();
  }

  ended(error: Error | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#error = error;
    this.#tellSoon();
  }

  room(): Promise<void> | undefined {
    if (this.#hasEnded || this.#events.length < BUFFERED_EVENTS) return undefined;
    this.#room ??= Promise.withResolvers<void>();
    return this.#room.promise;
  }

  close(): void {
    this.#close(undefined);
  }

  /** The sender may be in the midst of a write, from which nobody may go on to the next. */
  #tellSoon(): void {
    if (this.#isToTell || this.#closed) return;
    this.#isToTell = true;
    queueMicrotask(this.#tellNow);
  }

  #tell(): void {
    this.#isToTell = false;
    const events = this.#events;
    this.#events = [];
    try {
      for (let at = 0; at < events.length; at++) {
        if (this.#closed) return;
        this.#told(events[at] as (typeof events)[number]);
      }
    } catch (error) {
      return this.#close(error);
    }
    this.#room?.resolve();
    this.#room = undefined;
    if (this.#hasEnded) this.#close(this.#error);
  }

  #close(error: unknown): void {
    if (this.#closed) return;
    this.#closed = this.#hasEnded = true;
    this.#events = [];
    this.#forget?.();
    this.#watch?.close();
    this.#room?.resolve();
    if (error === undefined) this.#end.resolve();
    else this.#end.reject(error);
  }
}
