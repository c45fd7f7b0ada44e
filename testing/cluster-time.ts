import type { Clock } from '../libs/base/clock.ts';
import { RealClock } from '../libs/base/node/real-clock.ts';
import { EndlessInstantError, VirtualClock } from '../libs/base/virtual-clock.ts';
import { type Duration, durationMs } from './duration.ts';
import { ClusterUsageError, NeverSettledError } from './errors.ts';
import { FreezableClock } from './freezable-clock.ts';

export interface UntilOptions {
  /** Default 5 minutes of the cluster's time. */
  readonly within?: Duration;
  /** What is waited for, in the words of the error. */
  readonly what?: string;
}

const DEFAULT_WAIT = '5m';
const DRIVE_STEP_MS = 10;
/** Ten minutes of virtual time. */
const DRIVE_STEPS_MAX = 60_000;
/** How far virtual time moves between two looks of `until`. */
const STEP_MS = 100;
/** A real operation that holds virtual time for so long (of real time) has come to nothing. */
const HELD_MS_MAX = 60_000;

export interface ClusterTimeOptions {
  readonly clock: Clock;
  readonly seed: string;
  /** Who waits for what, in lines, for errors about what never came. */
  readonly waiting: () => Promise<readonly string[]>;
  /** Throws when the cluster is no more. */
  readonly mustLive: () => void;
  /** What is to start before time passes for the first time; nothing where all runs already. */
  readonly begin?: (() => Promise<void>) | undefined;
}

/** How the time of one cluster passes: when it is told to, and for as long as somebody waits for something. */
export class ClusterTime {
  readonly clock: Clock;
  readonly #options: ClusterTimeOptions;
  #advancing = false;
  /** How many `advance`s wait for a step of `drive` to end. */
  #waiting = 0;
  #step: Promise<unknown> | undefined;
  #begun: Promise<void> | undefined;

  constructor(options: ClusterTimeOptions) {
    this.#options = options;
    this.clock = options.clock;
  }

  /** Whether something is to start before time passes. */
  get isToBegin(): boolean {
    return this.#options.begin !== undefined;
  }

  /** The start of what waited for time to pass; undefined: it waits still, or nothing does. */
  get beginning(): Promise<void> | undefined {
    return this.#begun;
  }

  /** Starts what waits for time to pass, once. Resolves when it runs. */
  begin(): Promise<void> | undefined {
    const { begin } = this.#options;
    // What starts may drive its own work at once.
    if (begin) this.#begun ??= Promise.resolve().then(begin);
    return this.#begun;
  }

  async advance(by: Duration): Promise<void> {
    this.#options.mustLive();
    if (this.#options.begin) await this.begin();
    const byMs = durationMs(by);
    const { clock } = this;
    if (clock instanceof VirtualClock) {
      await this.#stepped();
      await this.#move(() => clock.advance(byMs));
    } else {
      if (clock instanceof FreezableClock && clock.frozen)
        throw new ClusterUsageError('time is frozen, so nothing would come of waiting; let it flow first');
      await clock.sleep(byMs);
    }
  }

  /** Awaits work that may need virtual time: lets it pass in small steps until the work is done. */
  async drive<T>(work: Promise<T>): Promise<T> {
    const { clock } = this;
    if (!(clock instanceof VirtualClock)) return work;
    let done = false;
    const ended = () => {
      done = true;
    };
    work.then(ended, ended);
    // What is just being started drives its own work.
    if (this.#options.begin && !this.#begun) await this.begin();
    // Within a step of somebody else's, who goes on until their own work is done.
    if (this.#advancing) return work;
    await clock.settle();
    for (let step = 0; !done; ) {
      if (this.#step) {
        await this.#step.catch(() => undefined);
        continue;
      }
      // Who moves time from now on does it for this work too.
      if (this.#advancing || this.#waiting > 0) break;
      if (step++ >= DRIVE_STEPS_MAX) throw await this.#never('what was begun did not end within 10m', undefined);
      this.#step = this.#move(() => clock.advance(DRIVE_STEP_MS, () => done)).finally(() => {
        this.#step = undefined;
      });
      await this.#step;
    }
    return work;
  }

  async until<T>(
    condition: () => Promise<T> | T,
    options: UntilOptions & { readonly told?: () => string } = {},
  ): Promise<NonNullable<T>> {
    const withinMs = durationMs(options.within ?? DEFAULT_WAIT);
    const endMs = this.clock.monotonic() + withinMs;
    let last: unknown;
    for (;;) {
      this.#options.mustLive();
      try {
        const value = await condition();
        if (value) return value;
        last = value;
      } catch (error) {
        if ((error as { status?: { code?: number } }).status?.code !== 404) throw error;
        last = error;
      }
      if (this.clock.monotonic() >= endMs)
        throw await this.#never(
          `${options.what ?? 'what was waited for'} did not come within ${withinMs} ms`,
          options.told ? options.told() : last,
        );
      await this.advance(STEP_MS);
    }
  }

  /** Somebody's work in the background may be moving time by a step: whoever moves time from now on does it for them. */
  async #stepped(): Promise<void> {
    if (!this.#step) return;
    this.#waiting++;
    try {
      await this.#step;
    } finally {
      this.#waiting--;
    }
  }

  async #never(what: string, last: unknown): Promise<NeverSettledError> {
    const seen =
      typeof last === 'string'
        ? last
        : last instanceof Error
          ? last.message
          : last === undefined
            ? ''
            : JSON.stringify(last);
    const lines = await this.#options.waiting().catch(() => []);
    const waiting = lines.length > 0 ? `\n  ${lines.join('\n  ')}\n` : '';
    return new NeverSettledError(`${what}${seen ? `; last seen: ${seen}` : ''}${waiting}`, this.#options.seed);
  }

  async #move(run: () => Promise<unknown>): Promise<void> {
    if (this.#advancing)
      throw new ClusterUsageError('time is being advanced already; await the first advance or until');
    this.#advancing = true;
    const stuck = Promise.withResolvers<never>();
    const watchdog = new RealClock().setTimer(() => {
      const held = this.clock instanceof VirtualClock ? this.clock.held : [];
      if (held.length === 0) return;
      const what = `virtual time waits for ${held.join(', ')}, which does not end`;
      stuck.reject(new NeverSettledError(what, this.#options.seed));
    }, HELD_MS_MAX);
    try {
      await Promise.race([run(), stuck.promise]);
    } catch (error) {
      // The seed shows it again.
      if (error instanceof EndlessInstantError) error.message += ` (seed ${this.#options.seed})`;
      throw error;
    } finally {
      watchdog.cancel();
      this.#advancing = false;
    }
  }
}
