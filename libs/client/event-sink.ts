import { LazyAbort } from '../base/abort.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { BoundedQueue } from '../base/queue.ts';
import { inOnePiece } from '../base/text.ts';
import { type Client, TransportError } from '../kind/client.ts';
import type { ApiObject, Live } from '../kind/object.ts';
import type { EventRecorder } from '../kind/reconciler.ts';

export interface EventRecorderOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  /** Who speaks: `replicaset-controller`. */
  readonly component: string;
  /** The machine that it runs on; empty for what runs once in a cluster. */
  readonly host?: string;
}

/** A recorder that writes in the background. */
export interface StoppableEventRecorder extends EventRecorder {
  /** Resolves when everything recorded so far has been written, or given up. */
  flushed(): Promise<void>;
  /** Records nothing more; what waits is dropped. Idempotent. */
  stop(): Promise<void>;
}

/** Events that wait to be written; more are dropped. */
const QUEUED_EVENTS_MAX = 1000;
/** How often an event is sent while the server cannot be reached, and how long it waits in between. */
const TRIES_MAX = 12;
const RETRY_MS = 10_000;

/**
 * What waits to be written: one after the other, in the background, so that events about one object keep their order. Most
 * of a cluster's components have none to tell: what is wanted for one is made with the first.
 */
export class EventQueue<T extends { readonly reason: string }> {
  readonly #log: Logger;
  readonly #write: (next: T, signal: AbortSignal) => Promise<void>;
  #queue: BoundedQueue<T> | undefined;
  readonly #stopped = new LazyAbort(() => new Error('the recorder has stopped'));
  #working: Promise<void> | undefined;

  constructor(log: Logger, write: (next: T, signal: AbortSignal) => Promise<void>) {
    this.#log = log;
    this.#write = write;
  }

  get isStopped(): boolean {
    return this.#stopped.aborted;
  }

  offer(next: T): void {
    this.#queue ??= new BoundedQueue<T>('events', QUEUED_EVENTS_MAX);
    if (!this.#queue.offer(next)) this.#log.warn('too many events: one was dropped', { reason: next.reason });
    this.#working ??= this.#work(this.#queue);
  }

  async flushed(): Promise<void> {
    await this.#working;
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#queue?.close();
    this.#queue?.drain();
    await this.#working;
  }

  async #work(queue: BoundedQueue<T>): Promise<void> {
    const { signal } = this.#stopped;
    for (let [next] = queue.drain(1); next; [next] = queue.drain(1)) {
      try {
        await this.#write(next, signal);
      } catch (error) {
        if (signal.aborted) break;
        // The object's namespace goes away, or events are not allowed here: trying again would not help.
        this.#log.debug('an event was refused', { reason: next.reason, error });
      }
    }
    this.#working = undefined;
  }
}

/** What an event is about, as events refer to it. */
export interface ObjectReference {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid?: string;
  readonly apiVersion: string;
  readonly resourceVersion?: string;
  readonly fieldPath?: string;
}

export function referenceTo(about: ApiObject | Live<ApiObject>, fieldPath = ''): ObjectReference {
  const { kind = '', apiVersion = '', metadata = {} } = about as ApiObject;
  const { namespace, name = '', uid, resourceVersion } = metadata;
  return {
    kind,
    ...(namespace ? { namespace } : {}),
    name,
    ...(uid ? { uid } : {}),
    apiVersion,
    ...(resourceVersion ? { resourceVersion } : {}),
    ...(fieldPath ? { fieldPath } : {}),
  };
}

/**
 * Names events after their object and the time, in nanoseconds, each time another. Clocks count microseconds at best: the
 * digits below say who names, so that two components do not take one name for what they tell at the same moment.
 */
export class EventNames {
  readonly #clock: Clock;
  readonly #own: number;
  #lastMicros = 0;

  constructor(clock: Clock, component: string) {
    this.#clock = clock;
    let sum = 0;
    for (const character of component) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 1000;
    this.#own = sum;
  }

  next(about: string): string {
    const micros = Math.max(Math.round(this.#clock.now() * 1000), this.#lastMicros + 1);
    this.#lastMicros = micros;
    // Nanoseconds are more than a number holds exactly, so they are reckoned in two parts.
    const lower = (micros % STAMP_PART) * 1000 + this.#own;
    const upper = Math.floor(micros / STAMP_PART) * 1000 + Math.floor(lower / STAMP_PART);
    const stamp = upper.toString(16) + (lower % STAMP_PART).toString(16).padStart(STAMP_DIGITS, '0');
    return inOnePiece(about.slice(0, NAME_LENGTH_MAX - stamp.length - 1), '.', stamp);
  }
}

const NAME_LENGTH_MAX = 253;
/** The lower part of a time stamp: so many digits of base 16. */
const STAMP_DIGITS = 5;
const STAMP_PART = 16 ** STAMP_DIGITS;

/** Sends one request of an event; false when it was given up. Throws `ApiError` for what the server refuses. */
export async function sendEvent(
  options: Pick<EventRecorderOptions, 'clock' | 'log'>,
  signal: AbortSignal,
  send: () => Promise<unknown>,
): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      await send();
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TransportError)) throw error;
      if (tries >= TRIES_MAX) {
        options.log.warn('an event was given up', { error });
        return false;
      }
      await options.clock.sleep(RETRY_MS, signal);
    }
  }
}
