import type { Revision } from '../../store/store.ts';
import type { CachedObject, ChangeType } from './cached-object.ts';
import type { Form } from './encoded.ts';
import { ObjectFrame } from './frames.ts';

/** One write, as watchers are told of it. Its frames are made once and shared. */
export class CacheEvent {
  readonly revision: Revision;
  /** After the write; undefined for a deletion. */
  readonly object: CachedObject | undefined;
  /** Before it; undefined when the object was made. */
  readonly previous: CachedObject | undefined;
  #gone: CachedObject | undefined;
  #frames: ObjectFrame[] | undefined;

  constructor(revision: Revision, object: CachedObject | undefined, previous: CachedObject | undefined) {
    this.revision = revision;
    this.object = object;
    this.previous = previous;
  }

  /** What the event is to a watcher to whom the objects before and after it matter or do not; undefined: nothing. */
  typeFor(before: boolean, after: boolean): ChangeType | undefined {
    if (after) return before ? 'MODIFIED' : 'ADDED';
    return before ? 'DELETED' : undefined;
  }

  frame(form: Form, type: ChangeType): ObjectFrame {
    // Most events are told to few, and many to nobody.
    const frames = this.#frames;
    for (let at = 0; frames && at < frames.length; at++) {
      const frame = frames[at] as ObjectFrame;
      if (frame.form === form && frame.type === type) return frame;
    }
    const frame = new ObjectFrame(
      type === 'DELETED' ? this.#deleted() : (this.object as CachedObject),
      form,
      type,
      this,
    );
    if (frames) frames.push(frame);
    else this.#frames = Array.of(frame);
    return frame;
  }

  /** What the event makes the cache hold: the bytes of both objects. */
  get bytes(): number {
    return (this.object?.storedBytes ?? 0) + (this.previous?.storedBytes ?? 0);
  }

  /** Whoever is told at once has been. */
  settle(): void {
    this.object?.settle();
  }

  /** The event has left the ring. */
  relax(): void {
    this.#frames = undefined;
    this.#gone = undefined;
    this.object?.relax();
    this.previous?.relax();
  }

  /** The last state of what has gone, or has left a selection, with the revision of this event. */
  #deleted(): CachedObject {
    this.#gone ??= (this.previous as CachedObject).deletedAt(this.revision);
    return this.#gone;
  }
}

export interface RingLimits {
  readonly events: number;
  readonly bytes: number;
}

/** For so many events the object of one is held as it was written, for those who may ask for it soon. */
const NEWS_EVENTS = 256;

/** The latest events of one resource, oldest first, within a bound of number and bytes. */
export class EventRing {
  readonly #limits: RingLimits;
  /** No literal: V8 would make all later ones old, with the events that come into them, and their objects. */
  #events: (CacheEvent | undefined)[] = Array.of();
  #head = 0;
  #bytes = 0;
  #since: Revision;

  /** Holds every event after `since`. */
  constructor(since: Revision, limits: RingLimits) {
    this.#since = since;
    this.#limits = limits;
  }

  /** Every event after this revision is here. */
  get since(): Revision {
    return this.#since;
  }

  get length(): number {
    return this.#events.length - this.#head;
  }

  add(event: CacheEvent): void {
    this.#events.push(event);
    this.#bytes += event.bytes;
    if (this.length > NEWS_EVENTS) this.#events[this.#events.length - 1 - NEWS_EVENTS]?.settle();
    while (this.length > this.#limits.events || (this.#bytes > this.#limits.bytes && this.length > 1)) this.#drop();
  }

  /** Forgets everything; the ring goes on after `since`. */
  reset(since: Revision): void {
    while (this.length > 0) this.#drop();
    this.#since = since;
  }

  /** At most `most` events after `revision`, which must not be before `since`. */
  after(revision: Revision, most: number): CacheEvent[] {
    let low = this.#head;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle] as CacheEvent).revision > revision) high = middle;
      else low = middle + 1;
    }
    return this.#events.slice(low, low + most) as CacheEvent[];
  }

  #drop(): void {
    const event = this.#events[this.#head] as CacheEvent;
    this.#events[this.#head++] = undefined;
    this.#since = event.revision;
    this.#bytes -= event.bytes;
    event.relax();
    if (this.#head > 64 && this.#head * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
  }
}
