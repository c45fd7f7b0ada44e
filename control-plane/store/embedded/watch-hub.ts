import type { Clock } from '../../../libs/base/clock.ts';
import { CompactedError, type Revision, type StoreEvent, type Watch, type WatchHandler } from '../store.ts';
import type { Engine } from './engine.ts';

/**
 * The watchers of one embedded store. A watcher is either catching up, reading history at its own pace, or live, told by
 * every commit. Both go by `position`, the last revision that it was told of, so nothing is told twice or left out.
 */
export class WatchHub {
  readonly #engine: Pick<Engine, 'revision' | 'compactedRevision' | 'history'>;
  readonly #clock: Clock;
  readonly #watchers = new Set<Watcher>();

  constructor(engine: Pick<Engine, 'revision' | 'compactedRevision' | 'history'>, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  get count(): number {
    return this.#watchers.size;
  }

  /** Throws `CompactedError` when history no longer reaches back to `after`. */
  add(prefix: string, after: Revision, handler: WatchHandler): Watch {
    const { compactedRevision } = this.#engine;
    if (after < compactedRevision) throw new CompactedError(after, compactedRevision);
    const watcher: Watcher = { prefix, handler, position: after, live: false };
    this.#watchers.add(watcher);
    queueMicrotask(() => void this.#catchUp(watcher));
    return { close: () => void this.#watchers.delete(watcher) };
  }

  /** Tells the live watchers of a commit that is shown now. */
  tell(events: readonly StoreEvent[], revision: Revision): void {
    for (const watcher of this.#watchers) {
      if (watcher.live) this.#advance(watcher, matching(events, watcher), revision);
    }
  }

  /** Ends every watch. */
  end(reason: Error | undefined): void {
    for (const watcher of this.#watchers) this.#end(watcher, reason);
  }

  async #catchUp(watcher: Watcher): Promise<void> {
    while (this.#watchers.has(watcher)) {
      const { revision, compactedRevision } = this.#engine;
      if (watcher.position >= revision) {
        watcher.live = true;
        guard(() => watcher.handler.progress(watcher.position));
        return;
      }
      if (watcher.position < compactedRevision) {
        this.#end(watcher, new CompactedError(watcher.position, compactedRevision));
        return;
      }
      try {
        const { events, upTo } = this.#engine.history(watcher.prefix, watcher.position);
        this.#advance(watcher, events, upTo);
      } catch (error) {
        this.#end(watcher, error as Error);
        return;
      }
      if (watcher.position < this.#engine.revision) await this.#clock.yield();
    }
  }

  #advance(watcher: Watcher, events: readonly StoreEvent[], revision: Revision): void {
    if (revision <= watcher.position) return;
    watcher.position = revision;
    if (events.length > 0) guard(() => watcher.handler.events(events));
    // The handler may have closed its watch.
    if (this.#watchers.has(watcher)) guard(() => watcher.handler.progress(revision));
  }

  #end(watcher: Watcher, reason: Error | undefined): void {
    if (this.#watchers.delete(watcher)) guard(() => watcher.handler.ended(reason));
  }
}

interface Watcher {
  readonly prefix: string;
  readonly handler: WatchHandler;
  position: Revision;
  live: boolean;
}

/** Mostly all of them: who watches, watches everything. */
function matching(events: readonly StoreEvent[], { prefix, position }: Watcher): readonly StoreEvent[] {
  for (const { revision, key } of events)
    if (revision <= position || !key.startsWith(prefix))
      return events.filter((event) => event.revision > position && event.key.startsWith(prefix));
  return events;
}

/** A handler that throws is a bug of its owner: it surfaces as an uncaught error, and the others are told all the same. */
function guard(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
