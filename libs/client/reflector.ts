import { backoffMs } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { type Client, type FollowedWatch, groupResourceName, type WatchEvent } from '../kind/client.ts';
import { type ApiObject, keyOf, type Live, type ResourceRef } from '../kind/object.ts';
import { ApiError } from '../machinery/errors.ts';

/** What a reflector tells its informer. */
export interface ReflectorTarget {
  /** The whole state at a revision, in place of what was known. `objects` is the caller's. */
  replace(objects: ReadonlyMap<string, Live<ApiObject>>, resourceVersion: string): void;
  put(object: Live<ApiObject>): void;
  delete(object: Live<ApiObject>): void;
  /** Everything up to here has been told. */
  progress(resourceVersion: string): void;
}

export interface ReflectorOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Objects in one answer of a list, where the server cannot begin a watch with its state. Default 500. */
  readonly pageLimit?: number;
  /**
   * Only some objects of a resource, by `resource.group`: `{ pods: 'spec.nodeName=node-1' }`. For clients that may see no
   * others, as nodes; who shares informers with them sees no others either.
   */
  readonly fieldSelectors?: Readonly<Record<string, string>>;
  /**
   * Watches are asked to end after so many seconds, and up to as much again, so that a way that has died unseen is found.
   * Default 300. Within one process no way dies unseen.
   */
  readonly watchSeconds?: number;
}

/** Delays after failures: upstream's. */
const BACKOFF = { firstMs: 800, maxMs: 30_000, factor: 2, jitter: 1 } as const;
/** A watch that held for this long shows that all is well again. */
const HEALTHY_MS = 120_000;
const WATCH_SECONDS = 300;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** What to do next. `list`: take the state first; `watch`: go on after a revision. */
type Step = { readonly do: 'list' } | { readonly do: 'watch'; readonly after: string };

/**
 * Follows one resource of an API server for as long as it runs: takes the state, then follows the changes; where the
 * server has forgotten what came in between (410), takes the state anew; after a failure, tries again with growing
 * delays.
 */
export class Reflector {
  readonly #ref: ResourceRef;
  readonly #target: ReflectorTarget;
  readonly #options: Omit<ReflectorOptions, 'random'>;
  readonly #random: Random;
  readonly #signal: AbortSignal;
  #failures = 0;
  /** Under way, or the last. */
  #following: FollowedWatch | undefined;
  #isStopped = false;
  /** The server refused to begin a watch with its state: it is listed instead. */
  #listsOnly = false;
  #running: Promise<void> | undefined;

  /** `signal`: of all who follow something together. A signal for each costs more than all else that a start takes. */
  constructor(
    ref: ResourceRef,
    target: ReflectorTarget,
    options: Omit<ReflectorOptions, 'random'>,
    random: Random,
    signal: AbortSignal,
  ) {
    this.#ref = ref;
    this.#target = target;
    this.#options = options;
    this.#random = random;
    this.#signal = signal;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is told any more: soon when the signal fires too, else when what is asked has been answered. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#following?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock } = this.#options;
    for (let step: Step = { do: 'list' }; !this.#isStopped; ) {
      const beganMs = clock.monotonic();
      let failure: unknown;
      try {
        step = step.do === 'watch' ? await this.#watch(step.after) : await this.#takeState();
      } catch (error) {
        if (this.#isStopped) return;
        failure = error;
        if (error instanceof WatchFailedError) {
          failure = error.cause;
          step = isTooOld(failure) ? { do: 'list' } : { do: 'watch', after: error.after };
        } else if (isTooOld(error)) step = { do: 'list' };
      }
      if (this.#isStopped) return;
      if (clock.monotonic() - beganMs >= HEALTHY_MS) this.#failures = 0;
      // A watch that ends at once, again and again, is a failure too, though nobody says so.
      if (failure !== undefined || clock.monotonic() - beganMs < 1000) await this.#pause(failure);
    }
  }

  async #pause(failure: unknown): Promise<void> {
    const { clock, log } = this.#options;
    const { resource } = this.#ref;
    if (isTooOld(failure)) log.debug('listing anew', { resource });
    else if (failure !== undefined) log.warn('cannot follow a resource', { resource, error: failure });
    const delayMs = backoffMs({ ...BACKOFF, random: this.#random }, this.#failures++);
    await clock.sleep(delayMs, this.#signal).catch(() => {});
  }

  async #takeState(): Promise<Step> {
    if (!this.#listsOnly) {
      try {
        return await this.#watchFromState();
      } catch (error) {
        if (!refusesInitialEvents(error)) throw error;
        this.#listsOnly = true;
      }
    }
    return this.#watch(await this.#list());
  }

  /** One watch that begins with the state: no answer is ever as large as the state. */
  #watchFromState(): Promise<Step> {
    const objects = new Map<string, Live<ApiObject>>();
    const told = { after: undefined as string | undefined };
    const tell = (event: WatchEvent<ApiObject>) => {
      if (told.after !== undefined) told.after = this.#tell(event);
      else if (event.type === 'BOOKMARK') {
        if (event.object.metadata.annotations?.[INITIAL_EVENTS_END] !== 'true') return;
        told.after = event.object.metadata.resourceVersion;
        this.#target.replace(objects, told.after);
        // The target has them; the watch lasts.
        objects.clear();
        this.#failures = 0;
      } else if (event.type === 'DELETED') objects.delete(keyOf(event.object));
      else objects.set(keyOf(event.object), event.object);
    };
    return this.#follow(undefined, tell).then(
      () => (told.after === undefined ? { do: 'list' } : { do: 'watch', after: told.after }),
      (error: unknown) => {
        throw told.after === undefined ? error : new WatchFailedError(told.after, error);
      },
    );
  }

  /** Lists page by page and gives the revision. */
  async #list(): Promise<string> {
    const resource = this.#options.client.resource(this.#ref);
    const objects = new Map<string, Live<ApiObject>>();
    const limit = this.#options.pageLimit ?? 500;
    let token: string | undefined;
    let resourceVersion = '';
    do {
      const page = await resource.list({
        limit,
        signal: this.#signal,
        fieldSelector: this.#selector,
        continue: token,
      });
      for (const object of page.items) objects.set(keyOf(object), object);
      resourceVersion = page.metadata.resourceVersion;
      token = page.metadata.continue;
    } while (token);
    this.#target.replace(objects, resourceVersion);
    this.#failures = 0;
    return resourceVersion;
  }

  #watch(after: string): Promise<Step> {
    const tell = (event: WatchEvent<ApiObject>) => {
      after = this.#tell(event);
    };
    return this.#follow(after, tell).then(
      () => ({ do: 'watch', after }),
      (error: unknown) => {
        throw new WatchFailedError(after, error);
      },
    );
  }

  /** `after`: the revision to go on from; undefined: from the state. Resolves when the watch is over. */
  #follow(after: string | undefined, tell: (event: WatchEvent<ApiObject>) => void): Promise<void> {
    const { client, watchSeconds = WATCH_SECONDS } = this.#options;
    const options = {
      resourceVersion: after,
      sendInitialEvents: after === undefined ? true : undefined,
      fieldSelector: this.#selector,
      allowWatchBookmarks: true,
      timeoutSeconds: Math.round(watchSeconds * (1 + this.#random.next())),
      signal: this.#signal,
    };
    this.#following = client.resource(this.#ref).follow(options, tell);
    return this.#following.over;
  }

  get #selector(): string | undefined {
    return this.#options.fieldSelectors?.[groupResourceName(this.#ref)];
  }

  /** Tells of one event and gives its revision. */
  #tell(event: WatchEvent<ApiObject>): string {
    const { resourceVersion } = event.object.metadata;
    if (event.type === 'DELETED') this.#target.delete(event.object);
    else if (event.type !== 'BOOKMARK') this.#target.put(event.object);
    this.#target.progress(resourceVersion);
    return resourceVersion;
  }
}

/** A watch broke after it had told everything up to `after`. */
class WatchFailedError extends Error {
  readonly after: string;
  constructor(after: string, cause: unknown) {
    super('a watch failed', { cause });
    this.after = after;
  }
}

const isTooOld = (error: unknown): boolean =>
  error instanceof ApiError && (error.code === 410 || error.reason === 'Expired');

/** An older server does not know `sendInitialEvents`, or has it off. */
const refusesInitialEvents = (error: unknown): boolean =>
  error instanceof ApiError && (error.code === 422 || error.code === 400);
