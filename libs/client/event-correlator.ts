import type { Clock } from '../base/clock.ts';
import { TokenBucket } from './token-bucket.ts';

/** What an event is about, and what it says: enough to tell equal ones. */
export interface EventFacts {
  /** Who is spoken of: kind, namespace, name, uid, apiVersion. */
  readonly about: string;
  /** The part that is meant, empty for the whole: equal words about two parts are two events. */
  readonly fieldPath?: string;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
}

/** What is to be written for an event. */
export type Correlated =
  | { readonly write: 'nothing' }
  /** A new Event, whose message may stand for many. */
  | { readonly write: 'create'; readonly id: string; readonly message: string; readonly count: number }
  /** One more of an Event that was written before. */
  | {
      readonly write: 'count';
      readonly id: string;
      readonly message: string;
      readonly count: number;
      readonly name: string;
      readonly firstTimestamp: string;
    };

export interface CorrelatorLimits {
  /** Events about one object that are let through at once, and how many a second after that. */
  readonly burst: number;
  readonly perSecond: number;
  /** Different messages of one reason about one object within `similarWindowMs`, before they become one Event. */
  readonly similarMax: number;
  readonly similarWindowMs: number;
  /** Objects, reasons and events that are remembered, each. */
  readonly remembered: number;
}

/** Upstream's: 25 events at once and one every five minutes; ten similar ones in ten minutes. */
const LIMITS: CorrelatorLimits = {
  burst: 25,
  perSecond: 1 / 300,
  similarMax: 10,
  similarWindowMs: 600_000,
  remembered: 4096,
};
const COMBINED = '(combined from similar events): ';

interface Written {
  readonly name: string;
  readonly firstTimestamp: string;
  count: number;
}

/**
 * Keeps a component from flooding the cluster with events: counts equal ones instead of writing them again, makes one of
 * many that differ in their message alone, and drops what one object says too often. Decides only; the recorder writes,
 * and says with `written` what became of it.
 */
export class EventCorrelator {
  readonly #clock: Clock;
  readonly #limits: CorrelatorLimits;
  readonly #buckets: Recent<TokenBucket>;
  readonly #similar: Recent<{ readonly messages: Set<string>; atMs: number }>;
  readonly #written: Recent<Written>;

  constructor(clock: Clock, limits: Partial<CorrelatorLimits> = {}) {
    this.#clock = clock;
    this.#limits = { ...LIMITS, ...limits };
    this.#buckets = new Recent(this.#limits.remembered);
    this.#similar = new Recent(this.#limits.remembered);
    this.#written = new Recent(this.#limits.remembered);
  }

  decide(facts: EventFacts): Correlated {
    const kind = `${facts.about} ${facts.type} ${facts.reason}`;
    const { message, combined } = this.#combine(kind, facts.message);
    const id = combined ? kind : `${kind} ${facts.fieldPath ?? ''} ${facts.message}`;
    const known = this.#written.peek(id);
    // Counted also when nothing is written: the next one that is tells of all.
    if (known) known.count++;
    const { burst, perSecond } = this.#limits;
    const bucket = this.#buckets.get(facts.about, () => new TokenBucket(this.#clock, { burst, perSecond }));
    if (!bucket.tryTake()) return { write: 'nothing' };
    if (!known) return { write: 'create', id, message, count: 1 };
    const { name, firstTimestamp, count } = known;
    return { write: 'count', id, message, count, name, firstTimestamp };
  }

  /** An Event was made for what `decide` called `id`. */
  written(id: string, name: string, firstTimestamp: string, count: number): void {
    this.#written.set(id, { name, firstTimestamp, count });
  }

  /** `id`: what events that differ in their message alone have in common. */
  #combine(id: string, message: string): { message: string; combined: boolean } {
    const { similarMax, similarWindowMs } = this.#limits;
    const nowMs = this.#clock.monotonic();
    let similar = this.#similar.peek(id);
    if (!similar || nowMs - similar.atMs > similarWindowMs) {
      similar = { messages: new Set(), atMs: nowMs };
      this.#similar.set(id, similar);
    }
    similar.atMs = nowMs;
    similar.messages.add(message);
    if (similar.messages.size < similarMax) return { message, combined: false };
    // One is enough to know that there are many.
    for (const first of similar.messages) {
      if (similar.messages.size <= similarMax) break;
      similar.messages.delete(first);
    }
    return { message: COMBINED + message, combined: true };
  }
}

/** A map that forgets what was not used for longest. */
class Recent<T> {
  readonly #max: number;
  readonly #items = new Map<string, T>();

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string, make: () => T): T {
    const known = this.peek(key);
    if (known !== undefined) return known;
    const made = make();
    this.set(key, made);
    return made;
  }

  peek(key: string): T | undefined {
    const item = this.#items.get(key);
    if (item !== undefined) {
      this.#items.delete(key);
      this.#items.set(key, item);
    }
    return item;
  }

  set(key: string, item: T): void {
    this.#items.delete(key);
    this.#items.set(key, item);
    // A map that is used in this way keeps gaps at its front, and to find its first key takes a walk over them.
    if (this.#items.size <= this.#max) return;
    for (const oldest of this.#items.keys()) return void this.#items.delete(oldest);
  }
}
