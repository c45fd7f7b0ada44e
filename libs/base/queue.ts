import { assert } from './assert.ts';

/** Something was put where there is no room. The message names the queue. */
export class QueueFullError extends Error {
  constructor(name: string, capacity: number) {
    super(`${name} is full (${capacity})`);
    this.name = 'QueueFullError';
  }
}

/**
 * First in, first out, with a bound. One consumer: a second `take` while one waits is a bug.
 *
 * `offer` answers false when there is no room or the queue is closed: the caller decides whether that means drop, wait
 * or fail. `take` waits for the next item and answers undefined once the queue is closed and empty. An item that is
 * handed to a waiting `take` needs no room.
 *
 *     const queue = new BoundedQueue<Event>('watch of pods', 1000);
 *     for (let event = await queue.take(); event; event = await queue.take()) send(event);
 */
export class BoundedQueue<T> {
  readonly name: string;
  readonly capacity: number;
  #items: (T | undefined)[] = [];
  #head = 0;
  #waiting: ((item: T | undefined) => void) | undefined;
  #closed = false;

  constructor(name: string, capacity: number) {
    assert(capacity >= 1, `${name}: a queue holds at least one item, not ${capacity}`);
    this.name = name;
    this.capacity = capacity;
  }

  get length(): number {
    return this.#items.length - this.#head;
  }

  get closed(): boolean {
    return this.#closed;
  }

  offer(item: T): boolean {
    if (this.#closed || this.length >= this.capacity) return false;
    const waiting = this.#waiting;
    if (waiting) {
      this.#waiting = undefined;
      waiting(item);
    } else this.#items.push(item);
    return true;
  }

  /** `offer`, or throws `QueueFullError` (also when the queue is closed). */
  put(item: T): void {
    if (!this.offer(item)) throw new QueueFullError(this.name, this.capacity);
  }

  async take(): Promise<T | undefined> {
    if (this.length > 0) return this.#shift();
    if (this.#closed) return undefined;
    assert(!this.#waiting, `${this.name}: a queue has one consumer`);
    return new Promise((done) => {
      this.#waiting = done;
    });
  }

  /** Takes what is there now, at most `most` items, without waiting. */
  drain(most = Number.POSITIVE_INFINITY): T[] {
    const out: T[] = [];
    while (this.length > 0 && out.length < most) out.push(this.#shift());
    return out;
  }

  /** No more items come in; those that are there can still be taken. Idempotent. */
  close(): void {
    this.#closed = true;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(undefined);
  }

  #shift(): T {
    const item = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined;
    if (this.#head > 32 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
