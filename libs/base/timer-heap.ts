import type { Timer, Upkeep } from './clock.ts';

/**
 * A timer of virtual time. A class, and no literal with a function in it: of all that waits for long V8 would soon make
 * every literal in the old part of the heap, also of those that run at once.
 */
export class TimerEntry implements Timer {
  readonly #heap: TimerHeap;
  /** What it does; undefined: it ran, or was cancelled. */
  run: (() => void) | undefined;
  at: number;
  /** Before the order of their setting; 0.5 unless it is drawn. */
  rank: number;
  readonly order: number;
  readonly delayMs: number;
  readonly upkeep: Upkeep | undefined;
  /** It runs at its instant, as it was passed over before. */
  due = false;
  /** When it was set: how often something had happened until then, that it has to do with. */
  readonly happened: number;

  constructor(
    heap: TimerHeap,
    run: () => void,
    at: number,
    rank: number,
    order: number,
    delayMs: number,
    upkeep: Upkeep | undefined,
    happened: number,
  ) {
    this.#heap = heap;
    this.run = run;
    this.at = at;
    this.rank = rank;
    this.order = order;
    this.delayMs = delayMs;
    this.upkeep = upkeep;
    this.happened = happened;
  }

  cancel(): void {
    if (this.take() !== undefined) this.#heap.tidy();
  }

  /** What it does, which from now on is over. */
  take(): (() => void) | undefined {
    const { run } = this;
    if (run === undefined) return undefined;
    this.run = undefined;
    this.#heap.live--;
    return run;
  }
}

/** Timers in the order in which they fall due. What was cancelled stays in it until it is in the way. */
export class TimerHeap {
  /** How many of them wait still. */
  live = 0;
  #heap: TimerEntry[] = [];

  /** The first that was not cancelled. */
  first(): TimerEntry | undefined {
    while (this.#heap.length > 0 && this.#heap[0]?.run === undefined) this.pop();
    return this.#heap[0];
  }

  /** Puts in one that was just set. */
  add(entry: TimerEntry): void {
    this.live++;
    this.push(entry);
  }

  /** Puts back in one that was taken out, at its new place. */
  push(entry: TimerEntry): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent] as TimerEntry)) break;
      heap[at] = heap[parent] as TimerEntry;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Takes the first out, cancelled or not. */
  pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = at * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as TimerEntry, heap[child] as TimerEntry)) child++;
      if (!before(heap[child] as TimerEntry, last)) break;
      heap[at] = heap[child] as TimerEntry;
      at = child;
    }
    heap[at] = last;
  }

  /** Deadlines are set and cancelled far more often than they fall due: what is cancelled must not pile up. */
  tidy(): void {
    if (this.#heap.length > 64 && this.#heap.length > 2 * this.live) this.sweep();
  }

  /** Puts all in order again, where one was changed, without those that were cancelled. */
  sweep(): void {
    const live = this.#heap.filter((entry) => entry.run !== undefined);
    // A sorted array is a heap.
    this.#heap = live.sort((a, b) => a.at - b.at || a.rank - b.rank || a.order - b.order);
  }
}

const before = (a: TimerEntry, b: TimerEntry) =>
  a.at < b.at || (a.at === b.at && (a.rank < b.rank || (a.rank === b.rank && a.order < b.order)));
