import { onAbort } from './abort.ts';
import { AssertionError, assert } from './assert.ts';
import type { Clock, Timer, TimerOptions, Upkeep } from './clock.ts';
import type { Random } from './random.ts';
import { TimerEntry, TimerHeap } from './timer-heap.ts';

/** Runs after everything that is ready now (microtasks included). The real one is a macrotask of the platform. */
export type Turn = () => Promise<void>;

export interface VirtualClockOptions {
  /** Wall time at the start, in milliseconds since 1970. Default: 2026-01-01T00:00:00Z. */
  startMs?: number;
  /** How to let ready work finish; `turn` of `node/turn.ts` in Node. */
  turn: Turn;
  /** How many timers may run at one instant before the clock says that the instant never ends. Default 1,000,000. */
  timersPerInstantMax?: number;
  /**
   * Draws the order of timers that fall due at one instant, to find what depends on it. Those without a delay keep theirs
   * among themselves, as on any platform. Default: the order in which they were set.
   */
  shuffle?: Random | undefined;
  /**
   * Whether all is well, so that upkeep may be passed over where nothing else happens (see `VirtualClock`). Asked at the
   * start of each `advance` and before each such stretch. Default: never.
   */
  isWell?: (() => boolean) | undefined;
}

/** A run that cannot go on: an instant that never ends. `setBy` says where the last timers of it were set. */
export class EndlessInstantError extends Error {
  readonly setBy: readonly string[];
  constructor(nowMs: number, timers: number, setBy: readonly string[]) {
    super(
      `virtual time stands still at ${new Date(nowMs).toISOString()}: ${timers} timers ran without time moving on; ` +
        `the last were set by ${setBy.join('; ') || 'unknown'}`,
    );
    this.name = 'EndlessInstantError';
    this.setBy = setBy;
  }
}

/** How many of an endless instant's last timers the error tells of. */
const TOLD_TIMERS = 8;

/** A beat that was passed over comes before all others of its instant. */
const FIRST = -1;

/**
 * Time that moves only when told to, and only while no real operation is held.
 *
 *     const clock = new VirtualClock({ turn });
 *     clock.setTimer(() => log.push('a'), 1000);
 *     await clock.advance(1000);              // log is ['a'], now is 1 s later
 *
 * Between two timers everything that became ready is run to its end, so one seed gives one history. An error thrown by
 * a timer's function rejects `advance`; time then stands at that timer's instant, and its successors still wait.
 *
 * **Upkeep** is passed over while all `isWell` and nothing happens. Something happens when an `advance` begins, when an
 * ordinary timer runs that was set for a later instant, and when `stir` says so. Whatever happens, each check then runs at
 * its own instant at least once; when an `advance` begins, all upkeep does. What ran since may be passed over. Before
 * the next thing that happens, and before the end of `advance`, beats run at the last instants at which they would have
 * been due; checks stay in step and come after it, also those that are due at the same instant. Should a piece of upkeep
 * `stir`, the beats that were passed over run before time moves on.
 *
 *     clock.setTimer(again, 10_000, { upkeep: 'beat' });   // sets itself anew each time
 *     await clock.advance(86_400_000);                     // runs twice: after 10 s, and at the day's last 10 s
 */
export class VirtualClock implements Clock {
  readonly #turn: Turn;
  readonly #timersPerInstantMax: number;
  readonly #shuffle: Random | undefined;
  readonly #holds = new Map<number, string>();
  #holdsReleased: (() => void)[] = [];
  #nextHold = 0;
  #nowMs: number;
  #skewMs = 0;
  readonly #startMs: number;
  readonly #timers = new TimerHeap();
  #nextOrder = 0;
  #advancing = false;
  #ranAtInstant = 0;
  #setBy: string[] = [];
  readonly #isWell: (() => boolean) | undefined;
  /** How many instants there were at which something happened. */
  #happened = 0;
  /** How often time has begun to pass: until then anybody may have done anything. */
  #begun = 0;
  /** Beats that were passed over, and wait for what happens next. */
  readonly #overslept = new Set<TimerEntry>();
  #stirred = false;
  /** Resolves with the next `yield`. */
  #yielding: Promise<void> | undefined;

  constructor(options: VirtualClockOptions) {
    this.#startMs = this.#nowMs = options.startMs ?? Date.UTC(2026, 0, 1);
    this.#turn = options.turn;
    this.#shuffle = options.shuffle;
    this.#timersPerInstantMax = options.timersPerInstantMax ?? 1_000_000;
    this.#isWell = options.isWell;
  }

  now(): number {
    return this.#nowMs + this.#skewMs;
  }

  monotonic(): number {
    return this.#nowMs - this.#startMs;
  }

  /** Moves the wall clock against the monotonic one, as when somebody sets the time. */
  jump(byMs: number): void {
    this.#skewMs += byMs;
  }

  /** Something has happened at this instant that upkeep may have to do with. */
  stir(): void {
    this.#stirred = true;
  }

  setTimer(run: () => void, delayMs: number, options?: TimerOptions): Timer {
    if (!Number.isFinite(delayMs)) throw new AssertionError(`a timer wants a finite delay, not ${delayMs}`);
    const upkeep = delayMs > 0 ? options?.upkeep : undefined;
    const rank = this.#shuffle && delayMs > 0 ? this.#shuffle.next() : 0.5;
    const at = this.#nowMs + Math.max(0, delayMs);
    const entry = new TimerEntry(
      this.#timers,
      run,
      at,
      rank,
      this.#nextOrder++,
      delayMs,
      upkeep,
      this.#happenedTo(upkeep),
    );
    this.#timers.add(entry);
    // Stacks are dear: they are looked at only when the instant is about to be called endless.
    if (this.#ranAtInstant > this.#timersPerInstantMax - TOLD_TIMERS) {
      this.#setBy = [...this.#setBy.slice(1 - TOLD_TIMERS), caller(this.setTimer)];
    }
    return entry;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, delayMs, signal);
  }

  /** What is asked for before the first of them has run runs with it: all that was ready has run by then for each. */
  yield(): Promise<void> {
    this.#yielding ??= new Promise((done) =>
      this.setTimer(() => {
        this.#yielding = undefined;
        done();
      }, 0),
    );
    return this.#yielding;
  }

  hold(what: string): Disposable {
    const id = this.#nextHold++;
    this.#holds.set(id, what);
    return {
      [Symbol.dispose]: () => {
        if (!this.#holds.delete(id) || this.#holds.size > 0) return;
        const waiting = this.#holdsReleased;
        this.#holdsReleased = [];
        for (const go of waiting) go();
      },
    };
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.live;
  }

  /** What real operations time is waiting for, for messages about deadlocks. */
  get held(): readonly string[] {
    return [...this.#holds.values()];
  }

  /** The instant of the next timer in milliseconds of `monotonic`, or undefined when none waits. */
  next(): number | undefined {
    const first = this.#timers.first();
    return first === undefined ? undefined : first.at - this.#startMs;
  }

  /**
   * Moves time on by `byMs` (finite, not negative), running every timer that falls due in its order. True when time
   * went all the way. Stops early, with `false`, as soon as `until` answers true; then time stands at that instant.
   * `until` is asked before the first timer, and each time when the timers that were due have run and everything is
   * settled: that may be several times in one instant, as timers of delay 0 set others.
   * Only one `advance` at a time. Throws `EndlessInstantError`.
   */
  async advance(byMs: number, until?: () => boolean): Promise<boolean> {
    assert(!this.#advancing, 'the clock is being advanced already');
    if (!(byMs >= 0 && Number.isFinite(byMs))) throw new AssertionError(`time advances by a finite span, not ${byMs}`);
    this.#advancing = true;
    try {
      const end = this.#nowMs + byMs;
      this.#stirred = true;
      this.#begun++;
      this.#isWell?.();
      await this.settle();
      for (;;) {
        if (until?.()) return false;
        const next = this.#timers.first();
        if (next === undefined || next.at > this.#nowMs) {
          if (this.#stirred && this.#wakeOverslept(this.#nowMs)) continue;
          this.#leaveInstant();
          if (this.#passUpkeep(end)) continue;
          if (next === undefined || next.at > end) break;
        }
        this.#nowMs = Math.max(this.#nowMs, next.at);
        // Everything due at this instant runs before others get a look, except what it sets anew.
        const batchEnd = this.#nextOrder;
        for (;;) {
          const entry = this.#timers.first();
          if (entry === undefined || entry.at > this.#nowMs || entry.order >= batchEnd) break;
          this.#timers.pop();
          if (entry.upkeep !== 'beat' && this.#mayPass(entry) && this.#isWell?.() === true) {
            entry.at += entry.delayMs;
            this.#timers.push(entry);
            continue;
          }
          if (!entry.upkeep && entry.delayMs > 0) this.#stirred = true;
          this.#ranAtInstant++;
          entry.take()?.();
          // As `settle`, without a promise of its own: there are very many timers.
          await this.#turn();
          if (this.#holds.size > 0) await this.#released();
        }
        if (this.#ranAtInstant > this.#timersPerInstantMax) {
          throw new EndlessInstantError(this.now(), this.#ranAtInstant, [...new Set(this.#setBy)]);
        }
      }
      this.#nowMs = Math.max(this.#nowMs, end);
      return true;
    } finally {
      this.#advancing = false;
      this.#leaveInstant();
    }
  }

  /** Lets everything that is ready, and every real operation under way, come to its end without moving time. */
  async settle(): Promise<void> {
    await this.#turn();
    if (this.#holds.size > 0) await this.#released();
  }

  async #released(): Promise<void> {
    while (this.#holds.size > 0) {
      await new Promise<void>((done) => {
        this.#holdsReleased.push(done);
      });
      await this.#turn();
    }
  }

  #leaveInstant(): void {
    this.#ranAtInstant = 0;
    this.#setBy = [];
    if (this.#stirred) this.#happened++;
    this.#stirred = false;
  }

  /** Something happens at `atMs`, with beats passed over that are due only after it: they run now. True if there are any. */
  #wakeOverslept(atMs: number): boolean {
    if (this.#overslept.size === 0) return false;
    const late = [...this.#overslept].filter(({ run, due, at }) => run !== undefined && !due && at > atMs);
    this.#overslept.clear();
    for (const entry of late) {
      entry.at = this.#nowMs;
      entry.rank = FIRST;
      entry.due = true;
    }
    if (late.length > 0) this.#timers.sweep();
    return late.length > 0;
  }

  /** Moves upkeep that has nothing to do towards the next timer that may not be passed over. False where none was moved. */
  #passUpkeep(end: number): boolean {
    const passed: TimerEntry[] = [];
    // Upkeep that must run at the instant where passing ends, and checks that are due beside it: they are passed over when
    // it is their turn.
    const kept: TimerEntry[] = [];
    let next = this.#timers.first();
    let isWell = true;
    while (next && next.at <= (kept[0]?.at ?? end)) {
      if (!this.#mayPass(next)) {
        if (next.upkeep === undefined) break;
        kept.push(next);
      } else if (kept.length > 0 && next.upkeep === 'check') kept.push(next);
      else {
        isWell = passed.length > 0 || this.#isWell?.() === true;
        if (!isWell) break;
        passed.push(next);
      }
      this.#timers.pop();
      next = this.#timers.first();
    }
    const stop = kept[0]?.at ?? (next && next.at <= end ? next.at : end);
    for (let i = 0; i < kept.length; i++) this.#timers.push(kept[i] as TimerEntry);
    const happens = kept.length === 0 || (next !== undefined && next.at <= stop);
    for (let i = 0; i < passed.length; i++) {
      const entry = passed[i] as TimerEntry;
      const periods = Math.floor((stop - entry.at) / entry.delayMs);
      if (entry.upkeep === 'beat' && happens) {
        entry.at += periods * entry.delayMs;
        entry.rank = FIRST;
        entry.due = true;
      } else {
        entry.at += (periods + 1) * entry.delayMs;
        if (entry.upkeep === 'beat') this.#overslept.add(entry);
      }
      this.#timers.push(entry);
    }
    const woken = happens && this.#wakeOverslept(stop);
    return woken || passed.length > 0;
  }

  #mayPass({ upkeep, due, happened }: TimerEntry): boolean {
    return upkeep !== undefined && upkeep !== 'aside' && !due && happened === this.#happenedTo(upkeep);
  }

  /** Beats look at nothing, and who waits for them looks at them: what a check may find is none of theirs. */
  #happenedTo(upkeep: Upkeep | undefined): number {
    return upkeep === 'beat' || upkeep === 'overdue' ? this.#begun : this.#happened;
  }
}

/** The two frames above `below` on the stack, as `name (file:line)`. */
function caller(below: (...args: never[]) => unknown): string {
  const at: { stack?: string } = {};
  Error.captureStackTrace(at, below);
  const frames = (at.stack ?? '').split('\n').slice(1);
  const outside = frames.filter((line) => !/\bat (new Promise|sleepOn|VirtualClock\.)/.test(line));
  return outside
    .slice(0, 2)
    .map((line) => line.trim().replace(/^at /, ''))
    .join(' < ');
}

/** `Clock.sleep` in terms of `Clock.setTimer`, shared by the clocks. */
export function sleepOn(clock: Pick<Clock, 'setTimer'>, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    if (signal?.aborted) return fail(signal.reason);
    const timer = clock.setTimer(() => {
      over?.();
      done();
    }, delayMs);
    const over =
      signal &&
      onAbort(signal, () => {
        timer.cancel();
        fail(signal.reason);
      });
  });
}
