import { LazyAbort } from '../base/abort.ts';
import { withTimeout } from '../base/clock.ts';
import { groupResourceName } from '../kind/client.ts';
import type { ResourceRef } from '../kind/object.ts';
import {
  type ControllerEnvironment,
  ownKey,
  type Plan,
  type PlannedAction,
  type Reconciler,
  type TurnObserver,
  type Watching,
  type Written,
} from '../kind/reconciler.ts';
import { hasCause, isConflict } from '../machinery/errors.ts';
import { WorkQueue, type WorkQueueOptions } from './work-queue.ts';

const CONCURRENCY = 5;
const NO_KEYS: readonly string[] = Object.freeze([]);
const NO_HANDLERS: readonly Disposable[] = Object.freeze([]);
/** Up to so many keys are found quicker in a list than in a set made of them. */
const KEYS_FEW = 8;
/** How long a key waits to see its own writes, before it is looked at all the same. */
const OWN_WRITES_MS = 30_000;

/** A controller that runs. */
export interface RunningController {
  readonly name: string;
  /** Keys that wait to be looked at. */
  readonly length: number;
  /** Nothing waits and nothing is worked on. */
  readonly idle: boolean;
  readonly counts: ControllerCounts;
  /** Adds a key by hand. */
  add(key: string): void;
  /** Lets what is worked on come to its end. Idempotent. */
  stop(): Promise<void>;
}

export interface ControllerCounts {
  readonly reconciled: number;
  readonly failed: number;
  readonly actions: number;
}

export type ControllerOptions = Omit<WorkQueueOptions, 'clock'>;

/**
 * Runs a reconciler: keys come from informers into a queue, workers take one at a time, observe, plan, apply. A key whose
 * turn failed comes again with growing delay; one that has written is not observed again before the informers show what
 * it wrote. Nothing runs before `start`, and no key before every watched resource has its first state.
 *
 *     const controller = new Controller(replicaSet, env);
 *     controller.start();
 *     …
 *     await controller.stop();
 */
export class Controller<Observed, Action extends PlannedAction> implements RunningController {
  readonly name: string;
  readonly #reconciler: Reconciler<Observed, Action>;
  readonly #env: ControllerEnvironment;
  readonly #queue: WorkQueue;
  readonly #stopped = new LazyAbort(() => new Error(`controller ${this.name} has stopped`));
  /** What keys have written and may not see yet. */
  readonly #written = new Map<string, readonly Written[]>();
  /** What keys heard of in their turn: their own writes are known only once they are answered. */
  readonly #heard = new Map<string, Written[]>();
  readonly #counts = { reconciled: 0, failed: 0, actions: 0 };
  #handlers: readonly Disposable[] = NO_HANDLERS;
  #isStarted = false;
  /** The work, once all that is watched has its first state. */
  #running: Promise<void> | undefined;
  #observer: TurnObserver<Observed, Action> | undefined;

  constructor(reconciler: Reconciler<Observed, Action>, env: ControllerEnvironment, options: ControllerOptions = {}) {
    this.name = reconciler.name;
    this.#reconciler = reconciler;
    this.#env = env;
    this.#queue = new WorkQueue({ observer: env.observeQueue?.(reconciler.name), ...options, clock: env.clock });
  }

  get length(): number {
    return this.#queue.length;
  }

  get idle(): boolean {
    return this.#queue.idle;
  }

  get counts(): ControllerCounts {
    return { ...this.#counts };
  }

  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { watches, concurrency = CONCURRENCY } = this.#reconciler;
    const { metrics, informers } = this.#env;
    this.#observer = metrics && this.#reconciler.counting?.(metrics, this.#env);
    // Of what is only read nothing is heard.
    this.#handlers = watches.map((watching) => this.#follow(watching)).filter((hearing) => hearing !== undefined);
    // A queue that has been closed meanwhile serves nobody.
    void informers.synced().then(() => {
      this.#running = this.#queue.serve(concurrency, (key) => this.#work(key));
    });
  }

  #follow({ ref, keys, matters, delayMs = 0 }: Watching): Disposable | undefined {
    const informer = this.#env.informers.informer(ref);
    if (!keys) return undefined;
    const add = (key: string) => (delayMs > 0 ? this.#queue.addAfter(key, delayMs) : this.#queue.add(key));
    return informer.on((object, previous) => {
      if (object && previous && matters && !matters(object, previous)) return;
      const now = object ? keys(object, this.#env) : NO_KEYS;
      const revision = delayMs > 0 ? undefined : object?.metadata.resourceVersion;
      for (let at = 0; at < now.length; at++) {
        const key = now[at] as string;
        if (revision === undefined || !this.#isOwn(key, ref, revision)) add(key);
      }
      if (!previous || (object && keys === ownKey)) return;
      // Mostly the same keys. One that a worker waited for is being worked on by now: told twice, it would come twice.
      const told = now.length > KEYS_FEW ? new Set(now) : undefined;
      const before = keys(previous, this.#env);
      for (let at = 0; at < before.length; at++) {
        const key = before[at] as string;
        if (!(told ? told.has(key) : now.includes(key))) add(key);
      }
    });
  }

  add(key: string): void {
    this.#queue.add(key);
  }

  /** Looks at the key when so much time has gone by. */
  addAfter(key: string, delayMs: number): void {
    this.#queue.addAfter(key, delayMs);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    for (const handler of this.#handlers) handler[Symbol.dispose]();
    this.#handlers = NO_HANDLERS;
    this.#queue.close();
    await this.#running;
    this.#observer?.stopped?.();
    this.#observer = undefined;
  }

  /** Whether it is what the key wrote, and reckoned with; or will be known to be at the end of the key's turn. */
  #isOwn(key: string, ref: ResourceRef, resourceVersion: string): boolean {
    const seen = { ref, resourceVersion };
    if (this.#expects(key, seen)) return true;
    const heard = this.#heard.get(key);
    heard?.push(seen);
    return heard !== undefined;
  }

  #expects(key: string, { ref, resourceVersion }: Written): boolean {
    const isSeen = (one: Written) => one.expected && one.resourceVersion === resourceVersion && one.ref === ref;
    return this.#written.get(key)?.some(isSeen) ?? false;
  }

  async #work(key: string): Promise<void> {
    const heard: Written[] = [];
    this.#heard.set(key, heard);
    try {
      const again = await this.#reconcile(key);
      this.#counts.reconciled++;
      this.#queue.forget(key);
      if (again?.againAfterMs !== undefined) this.#queue.addAfter(key, again.againAfterMs, again.againIs);
    } catch (error) {
      if (!this.#stopped.aborted) this.#failed(key, error);
    } finally {
      this.#heard.delete(key);
      if (heard.some((seen) => !this.#expects(key, seen))) this.#queue.add(key);
      this.#doneAfterTurn(key);
    }
  }

  /**
   * A key is looked at again only when all that is ready has run: of a thousand events about one object's dependants that
   * come at once, one look is made, not a thousand. Others' keys go on meanwhile.
   */
  #doneAfterTurn(key: string): void {
    void this.#env.clock.yield().then(() => this.#queue.done(key));
  }

  #failed(key: string, error: unknown): void {
    this.#counts.failed++;
    const retryAfterMs = this.#queue.addRateLimited(key);
    // Somebody else was faster, or the namespace goes away: the normal course of things, not worth a warning.
    const level = isConflict(error) || hasCause(error, 'NamespaceTerminating') ? 'debug' : 'warn';
    this.#env.log[level]('reconciling failed', { controller: this.name, key, error, retryAfterMs });
  }

  /** One turn of a key; gives its plan, which may say when to look again. */
  async #reconcile(key: string): Promise<Plan<Action> | undefined> {
    const unseen = this.#written.get(key);
    if (unseen) await this.#seen(key, unseen);
    const beganMs = this.#env.clock.monotonic();
    const observed = await this.#reconciler.observe(this.#env, key);
    if (observed === undefined) {
      this.#turned(key, observed, { actions: [] }, 0, beganMs);
      return undefined;
    }
    const plan = this.#reconciler.plan(observed, this.#env.clock.now());
    const written: Written[] = [];
    let done = 0;
    try {
      for (const action of plan.actions) {
        if (this.#stopped.aborted) this.#stopped.signal.throwIfAborted();
        const client = this.#env.client.because({ component: this.name, step: action.reason, object: key });
        written.push(...((await this.#reconciler.apply({ ...this.#env, client }, action, observed)) ?? []));
        this.#counts.actions++;
        done++;
      }
    } finally {
      this.#turned(key, observed, plan, done, beganMs);
      if (written.length > 0) this.#written.set(key, written);
    }
    return plan;
  }

  #turned(key: string, observed: Observed | undefined, plan: Plan<Action>, done: number, beganMs: number): void {
    this.#observer?.turned({
      key,
      observed,
      plan,
      done: plan.actions.slice(0, done),
      failed: done < plan.actions.length,
      tookMs: this.#env.clock.monotonic() - beganMs,
    });
  }

  /** Resolves when the informers show what the key has written. */
  async #seen(key: string, written: readonly Written[]): Promise<void> {
    const { clock, informers, log } = this.#env;
    const isSeen = ({ ref, resourceVersion }: Written) => {
      const informer = informers.informer(ref);
      return informer.synced && Number(informer.resourceVersion) >= Number(resourceVersion);
    };
    if (written.every(isSeen)) return void this.#written.delete(key);
    using deadline = withTimeout(clock, OWN_WRITES_MS, this.#stopped.signal);
    try {
      for (const { ref, resourceVersion } of written)
        await informers.informer(ref).caughtUp(resourceVersion, deadline.signal);
    } catch {
      this.#stopped.signal.throwIfAborted();
      log.warn('own writes are not to be seen', {
        controller: this.name,
        key,
        resources: written.map(({ ref }) => groupResourceName(ref)),
      });
    }
    this.#written.delete(key);
  }
}
