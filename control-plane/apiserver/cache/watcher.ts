import type { Clock, Timer } from '../../../libs/base/clock.ts';
import type { Revision } from '../../store/store.ts';
import type { WatchFrame, WatchHandle, WatchSink } from '../api.ts';
import type { CachedObject, ChangeType } from './cached-object.ts';
import type { Form } from './encoded.ts';
import type { CacheEvent, EventRing } from './event-ring.ts';
import { ObjectFrame } from './frames.ts';
import type { Slice } from './segments.ts';
import { type Selection, selects, selectsAll } from './selection.ts';

export interface WatchOptions {
  readonly form: Form;
  readonly selection: Selection;
  /** `state`: the present objects as ADDED events, then what comes. A revision: what came after it. */
  readonly start: 'state' | Revision;
  /** Closes the first state by a bookmark that says so (`sendInitialEvents`). */
  readonly initialEventsEnd: boolean;
  /** Bookmarks now and then (`allowWatchBookmarks`). */
  readonly bookmarks: boolean;
  /** The watch ends after this long; undefined: it stays. */
  readonly timeoutMs?: number;
}

/** What a watcher needs of its resource. */
export interface WatchSource {
  readonly clock: Clock;
  readonly limits: WatchLimits;
  readonly ring: EventRing;
  /** Everything up to here is in the ring and has been told to live watchers. */
  readonly revision: Revision;
  slices(selection: Selection): readonly Slice[];
  /** What the store tells after a revision, until the ring takes over. */
  history(after: Revision): AsyncIterable<{ readonly events: readonly CacheEvent[]; readonly upTo: Revision }>;
  bookmark(form: Form, revision: Revision, initialEventsEnd: boolean): WatchFrame;
  /** The ERROR event that ends a watch. */
  failure(form: Form, error: Error): WatchFrame;
  /** The same form for the events after the first. */
  following(form: Form): Form;
}

export interface WatchLimits {
  /** About how often a watcher gets a bookmark. */
  readonly bookmarkMs: number;
  /** A reader that takes nothing for this long is let go. */
  readonly slowReaderMs: number;
}

/** The last bookmark comes this long before the end, so that a client can start again from there. */
const LAST_BOOKMARK_MS = 2000;
const EVENTS_PER_STEP = 256;
/** Longest stretch of work before others get their turn. */
const STEP_MS = 5;

/** How far the objects of a first state have been told. */
class FirstState {
  readonly slices: readonly Slice[];
  /** Slices that have been told whole, and objects of the next. */
  slice = 0;
  told = 0;

  constructor(slices: readonly Slice[]) {
    this.slices = slices;
  }
}

/**
 * One watch. It is in one of two states: **live**, told of every event as it happens; or **catching up**, taking events
 * at its reader's pace, first from the state it began with, then from the store's history, then from the ring, until it
 * has reached the present. A live watch whose reader has no room falls back to catching up: what it has not been told
 * yet lies in the ring that all share, so a slow reader costs no memory. `#position` is the revision up to which it has
 * been told, in both states.
 */
export class Watcher implements WatchHandle {
  readonly selection: Selection;
  readonly #source: WatchSource;
  readonly #sink: WatchSink;
  readonly #options: WatchOptions;
  readonly #selectsAll: boolean;
  readonly #closed: (watcher: Watcher) => void;
  #form: Form;
  /** What of the state that the watch begins with has not been told yet. */
  #first: FirstState | undefined;
  #position: Revision;
  #live = false;
  #over = false;
  #endMs: number;
  #bookmarkMs: number;
  #timer: Timer | undefined;
  #roomTimer: Timer | undefined;

  /** `closed` is told once, when the watch is over for whatever reason. */
  constructor(source: WatchSource, options: WatchOptions, sink: WatchSink, closed: (watcher: Watcher) => void) {
    this.#source = source;
    this.#options = options;
    this.#sink = sink;
    this.#closed = closed;
    this.#form = options.form;
    this.selection = options.selection;
    this.#selectsAll = selectsAll(options.selection) && options.selection.namespace === '';
    this.#position = options.start === 'state' ? source.revision : options.start;
    const nowMs = source.clock.monotonic();
    this.#endMs = options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : nowMs + options.timeoutMs;
    this.#bookmarkMs = this.#nextBookmark(nowMs);
  }

  start(): void {
    this.#arm();
    if (this.#options.start === 'state') this.#first = new FirstState(this.#source.slices(this.selection));
    // Not before the caller has the handle.
    queueMicrotask(() => this.#run());
  }

  /** An event has happened. Only those that may concern the selection need be told. */
  offer(event: CacheEvent): void {
    if (!this.#live || event.revision <= this.#position) return;
    this.#tell(event);
    if (this.#over) return;
    const room = this.#sink.room?.();
    if (!room) return;
    this.#live = false;
    this.#run();
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#timer?.cancel();
    this.#roomTimer?.cancel();
    this.#closed(this);
  }

  /** Ends the watch from this side. */
  end(): void {
    if (this.#over) return;
    this.close();
    this.#sink.end();
  }

  /** Ends the watch with an ERROR event. */
  fail(error: Error): void {
    if (this.#over) return;
    this.#sink.event(this.#source.failure(this.#form, error));
    this.end();
  }

  /**
   * Tells until the watch is live. Each part gives what it has to wait for, mostly nothing, and is asked again after that:
   * it goes on where it was.
   */
  #run(): void {
    try {
      while (!this.#over && !this.#live) {
        const wait = this.#first
          ? this.#tellState(this.#first)
          : this.#position < this.#source.ring.since
            ? this.#tellHistory()
            : this.#tellRing();
        if (!wait) continue;
        wait.then(
          () => this.#run(),
          (error: unknown) => this.#broken(error),
        );
        return;
      }
    } catch (error) {
      this.#broken(error);
    }
  }

  #broken(error: unknown): void {
    this.fail(error instanceof Error ? error : new Error(String(error)));
  }

  #tellState(state: FirstState): Promise<void> | undefined {
    const { slices } = state;
    const stepEndMs = this.#source.clock.monotonic() + STEP_MS;
    while (state.slice < slices.length) {
      const { segment, from, to } = slices[state.slice] as Slice;
      for (; from + state.told < to; state.told++) {
        const object = segment.objects[from + state.told] as CachedObject;
        if (this.selection.matches && !this.selection.matches(object)) continue;
        const room = this.#sink.room?.();
        if (room) return this.#waitForRoom(room);
        this.#send(new ObjectFrame(object, this.#form, 'ADDED', undefined));
        if (this.#over) return undefined;
      }
      state.slice++;
      state.told = 0;
      if (this.#source.clock.monotonic() >= stepEndMs) return this.#source.clock.yield();
    }
    this.#first = undefined;
    if (this.#options.initialEventsEnd) this.#send(this.#source.bookmark(this.#form, this.#position, true));
    return undefined;
  }

  async #tellHistory(): Promise<void> {
    for await (const { events, upTo } of this.#source.history(this.#position)) {
      for (const event of events) {
        for (let room = this.#sink.room?.(); room; room = this.#sink.room?.()) {
          await this.#waitForRoom(room);
          if (this.#over) return;
        }
        this.#tell(event);
        if (this.#over) return;
      }
      this.#position = Math.max(this.#position, upTo);
    }
  }

  #tellRing(): Promise<void> | undefined {
    const { clock, ring } = this.#source;
    const stepEndMs = clock.monotonic() + STEP_MS;
    while (!this.#over && this.#position >= ring.since) {
      // Asked first, so that a watcher goes live only with room, and in the same turn as it has seen that nothing is left.
      const room = this.#sink.room?.();
      if (room) return this.#waitForRoom(room);
      const events = ring.after(this.#position, EVENTS_PER_STEP);
      if (events.length === 0) {
        this.#live = true;
        return undefined;
      }
      for (const event of events) {
        this.#tell(event);
        if (this.#over) return undefined;
        if (this.#sink.room?.()) break;
      }
      if (clock.monotonic() >= stepEndMs) return clock.yield();
    }
    return undefined;
  }

  #tell(event: CacheEvent): void {
    this.#position = event.revision;
    const type = this.#typeOf(event);
    if (type) this.#send(event.frame(this.#form, type));
  }

  #typeOf(event: CacheEvent): ChangeType | undefined {
    const { object, previous } = event;
    if (this.#selectsAll) return event.typeFor(previous !== undefined, object !== undefined);
    return event.typeFor(
      previous !== undefined && selects(this.selection, previous),
      object !== undefined && selects(this.selection, object),
    );
  }

  #send(frame: WatchFrame): void {
    if (!this.#sink.event(frame)) return this.end();
    if (frame.type !== 'BOOKMARK' && this.#form.columns) this.#form = this.#source.following(this.#form);
  }

  /** Waits until the reader may have room; ends the watch where that takes too long. */
  async #waitForRoom(room: Promise<void>): Promise<void> {
    const { clock, limits } = this.#source;
    this.#roomTimer = clock.setTimer(() => this.end(), limits.slowReaderMs);
    await room;
    this.#roomTimer.cancel();
  }

  #nextBookmark(nowMs: number): number {
    if (!this.#options.bookmarks) return Number.POSITIVE_INFINITY;
    const last = this.#endMs - LAST_BOOKMARK_MS;
    const next = nowMs + this.#source.limits.bookmarkMs;
    return last > nowMs && last < next ? last : next;
  }

  #arm(): void {
    const dueMs = Math.min(this.#endMs, this.#bookmarkMs);
    if (dueMs === Number.POSITIVE_INFINITY || this.#over) return;
    this.#timer = this.#source.clock.setTimer(() => this.#due(), dueMs - this.#source.clock.monotonic());
  }

  #due(): void {
    const nowMs = this.#source.clock.monotonic();
    if (nowMs >= this.#endMs) return this.end();
    if (nowMs >= this.#bookmarkMs) {
      this.#bookmarkMs = this.#nextBookmark(nowMs);
      if (this.#live) {
        this.#position = Math.max(this.#position, this.#source.revision);
        this.#send(this.#source.bookmark(this.#form, this.#position, false));
      }
    }
    this.#arm();
  }
}
