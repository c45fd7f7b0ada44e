import type { Change } from '../../embedded/engine.ts';
import { keyBytes } from '../../keys.ts';
import type { Revision } from '../../store.ts';

export interface HistoryLimits {
  /** Default 10,000. */
  readonly historyEventsMax?: number;
  /** Of values that only history still holds. Default 64 MiB. */
  readonly historyBytesMax?: number;
}

/** The latest events, in order, within a bound. */
export class History {
  readonly eventsMax: number;
  readonly bytesMax: number;
  #events: readonly Change[] | Change[];
  #first = 0;
  #bytes: number;
  /** `#events` is part of a snapshot and must be copied before it is changed. */
  #shared = false;
  #compactedRevision: Revision;

  constructor(limits: HistoryLimits, from: HistoryState) {
    this.eventsMax = limits.historyEventsMax ?? 10_000;
    this.bytesMax = limits.historyBytesMax ?? 64 * 1024 * 1024;
    this.#events = from.events;
    this.#shared = true;
    this.#bytes = from.bytes;
    this.#compactedRevision = from.compactedRevision;
  }

  /** The revision of the last event that was forgotten: history begins after it. */
  get compactedRevision(): Revision {
    return this.#compactedRevision;
  }

  get length(): number {
    return this.#events.length - this.#first;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(changes: readonly Change[]): void {
    if (this.#shared || this.#first > this.length) {
      this.#events = this.#events.slice(this.#first);
      this.#first = 0;
      this.#shared = false;
    }
    const events = this.#events as Change[];
    for (const change of changes) {
      events.push(change);
      this.#bytes += heldBytes(change);
    }
    while (this.length > this.eventsMax || (this.#bytes > this.bytesMax && this.length > 0)) this.#forgetFirst();
  }

  /** Events after `after`, oldest first. */
  *after(after: Revision): Generator<Change> {
    for (let i = this.#indexAfter(after); i < this.#events.length; i++) yield this.#events[i] as Change;
  }

  compact(revision: Revision): void {
    while (this.length > 0 && (this.#events[this.#first] as Change).revision <= revision) this.#forgetFirst();
    this.#compactedRevision = Math.max(this.#compactedRevision, revision);
  }

  state(): HistoryState {
    const events = this.#events.slice(this.#first);
    return { events, bytes: this.#bytes, compactedRevision: this.#compactedRevision };
  }

  #forgetFirst(): void {
    const first = this.#events[this.#first++] as Change;
    this.#bytes -= heldBytes(first);
    this.#compactedRevision = first.revision;
  }

  #indexAfter(after: Revision): number {
    let low = this.#first;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle] as Change).revision <= after) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

export interface HistoryState {
  readonly events: readonly Change[];
  readonly bytes: number;
  readonly compactedRevision: Revision;
}

/** What an event keeps alive: the value that it replaced. The present one is alive anyway. */
const heldBytes = (change: Change) => keyBytes(change.key) + (change.previous?.value.length ?? 0) + 64;
