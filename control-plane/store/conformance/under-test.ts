import assert from 'node:assert/strict';
import type { Clock, Timer } from '../../../libs/base/clock.ts';
import { RealClock } from '../../../libs/base/node/real-clock.ts';
import type { Random } from '../../../libs/base/random.ts';
import type {
  Draft,
  Entry,
  Revision,
  Store,
  StoreErrorReason,
  StoreEvent,
  Watch,
  WatchHandler,
  Write,
  WriteResult,
} from '../store.ts';

/** A store with no entries, made for one case, and what its driver lets a test do to it. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: Store;
  /** Lets `ms` pass on the store's clock, and whatever falls due meanwhile happen. */
  pass(ms: number): Promise<void>;
  /** Closes `store` and opens the same data anew, as a process that starts again does. Absent: nothing outlives it. */
  reopen?(): Promise<Store>;
  /** Does something that makes writes fail for a while, with either outcome, and no read give a wrong answer. */
  disturb?(random: Random): void | Promise<void>;
  /** Control over what makes commits durable. Absent: commits cannot be held or failed from outside. */
  readonly commits?: CommitControl;
}

export interface CommitControl {
  /** Commits that begin from now on wait until `release`. */
  hold(): void;
  release(): void;
  /** How many commits were begun. */
  begun(): number;
  /** The next commit to end fails. */
  failNext(reason: StoreErrorReason, outcome: 'no' | 'maybe'): void;
}

/** Every timer of this clock can be made to fall due earlier: time that passes on demand, over real operations. */
export class SkippingClock implements Clock {
  readonly #real = new RealClock();
  readonly #timers = new Set<{ run: () => void; due: number; timer: Timer }>();
  #skippedMs = 0;

  now(): number {
    return this.#real.now() + this.#skippedMs;
  }

  monotonic(): number {
    return this.#real.monotonic() + this.#skippedMs;
  }

  setTimer(run: () => void, delayMs: number): Timer {
    const entry = { run, due: this.monotonic() + delayMs, timer: undefined as unknown as Timer };
    this.#timers.add(entry);
    this.#arm(entry);
    return {
      cancel: () => {
        entry.timer.cancel();
        this.#timers.delete(entry);
      },
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((done) => this.setTimer(done, delayMs));
  }

  yield(): Promise<void> {
    return this.#real.yield();
  }

  hold(): Disposable {
    return this.#real.hold();
  }

  /** Moves time on, then gives what fell due a moment to happen. */
  async skip(ms: number): Promise<void> {
    this.#skippedMs += ms;
    for (const entry of this.#timers) {
      entry.timer.cancel();
      this.#arm(entry);
    }
    await this.#real.sleep(20);
  }

  #arm(entry: { run: () => void; due: number; timer: Timer }): void {
    const fire = () => {
      this.#timers.delete(entry);
      entry.run();
    };
    entry.timer = this.#real.setTimer(fire, Math.max(0, entry.due - this.monotonic()));
  }
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A small object of the form that values have: `{"metadata":{"resourceVersion":"7"},"data":"text"}`. */
export function draft(text: string): Draft {
  return {
    head: encoder.encode('{"metadata":{"resourceVersion":"'),
    tail: encoder.encode(`"},"data":${JSON.stringify(text)}}`),
  };
}

export function textOf(entry: Entry | undefined): string | undefined {
  return entry && JSON.parse(decoder.decode(entry.value)).data;
}

/** The revision that stands in the value. */
export function versionIn(entry: Entry | undefined): number | undefined {
  return entry && Number(JSON.parse(decoder.decode(entry.value)).metadata.resourceVersion);
}

export const put = (store: Store, key: string, text: string, rest: Partial<Write> = {}): Promise<WriteResult> =>
  store.write({ key, value: draft(text), expect: 'any', ...rest });

export const remove = (store: Store, key: string, expect: Write['expect'] = 'any'): Promise<WriteResult> =>
  store.write({ key, value: undefined, expect });

/** The entry of a write that has to succeed. */
export async function made(result: Promise<WriteResult>): Promise<Entry> {
  const answer = await result;
  assert.ok(answer.ok, 'the write was refused');
  assert.ok(answer.entry, 'the write made no entry');
  return answer.entry;
}

/** What an entry is, without its bytes' identity: two are equal when readers cannot tell them apart. */
export function plain(entry: Entry | undefined) {
  if (entry === undefined) return undefined;
  const { key, createRevision, revision } = entry;
  return { key, createRevision, revision, text: textOf(entry), versionIn: versionIn(entry) };
}

export function plainEvent(event: StoreEvent) {
  const { type, key, revision, entry, previous } = event;
  return { type, key, revision, entry: plain(entry), previous: plain(previous) };
}

/** A watcher that writes down what it is told, and checks what must hold for every watcher. */
export class Recorder implements WatchHandler {
  readonly log: StoreEvent[] = [];
  readonly batches: number[] = [];
  reached: Revision;
  readonly prefix: string;
  endedWith: Error | undefined | 'not yet' = 'not yet';
  watch: Watch | undefined;
  readonly #after: Revision;
  #waiting: (() => void)[] = [];

  constructor(prefix: string, after: Revision) {
    this.prefix = prefix;
    this.#after = after;
    this.reached = after;
  }

  static async start(store: Store, prefix: string, after: Revision): Promise<Recorder> {
    const recorder = new Recorder(prefix, after);
    recorder.watch = await store.watch(prefix, after, recorder);
    return recorder;
  }

  events(batch: readonly StoreEvent[]): void {
    this.#mustBeOpen();
    assert.ok(batch.length > 0, 'an empty batch');
    for (const event of batch) {
      assert.ok(event.revision > this.reached, `revision ${event.revision} came after ${this.reached} was reached`);
      const before = this.log.at(-1)?.revision ?? this.#after;
      assert.ok(event.revision > before, `revision ${event.revision} came after ${before}`);
      assert.ok(event.key.startsWith(this.prefix), `${event.key} does not begin with ${this.prefix}`);
      assert.equal(event.type === 'put', event.entry !== undefined);
      assert.equal(event.entry?.revision ?? event.revision, event.revision);
      if (event.entry) assert.equal(versionIn(event.entry), event.revision);
      this.log.push(event);
    }
    this.batches.push(batch.length);
    this.#wake();
  }

  progress(revision: Revision): void {
    this.#mustBeOpen();
    assert.ok(revision >= this.reached, `progress went back from ${this.reached} to ${revision}`);
    assert.ok(revision >= (this.log.at(-1)?.revision ?? 0), 'progress is behind the events');
    this.reached = revision;
    this.#wake();
  }

  ended(reason: Error | undefined): void {
    this.#mustBeOpen();
    this.endedWith = reason;
    this.#wake();
  }

  /** Waits until everything up to `revision` has been told. */
  async until(revision: Revision, withinMs?: number): Promise<void> {
    await this.when(() => this.reached >= revision, `revision ${revision}`, withinMs);
  }

  async when(condition: () => boolean, what: string, withinMs = 10_000): Promise<void> {
    const giveUp = new RealClock().setTimer(() => this.#wake(), withinMs, { keepAlive: true });
    const since = new RealClock().monotonic();
    while (!condition()) {
      assert.ok(new RealClock().monotonic() - since < withinMs, `${this.#state()} waits for ${what}`);
      await new Promise<void>((done) => this.#waiting.push(done));
    }
    giveUp.cancel();
  }

  #state(): string {
    const ended = this.endedWith === 'not yet' ? '' : `, which ended with ${this.endedWith},`;
    return `the watcher of ${this.prefix} at ${this.reached}${ended}`;
  }

  #mustBeOpen(): void {
    assert.equal(this.endedWith, 'not yet', 'the watcher was called after its end');
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** One turn of the event loop, in which everything that was ready has run. */
export const turn = (): Promise<void> => new RealClock().yield();
