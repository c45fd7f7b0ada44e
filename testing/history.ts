import type { AuditRecord } from '../control-plane/apiserver/server.ts';
import { SortedMap } from '../control-plane/store/drivers/memory/sorted-map.ts';
import type { Entry, StoreEvent } from '../control-plane/store/store.ts';
import type { Clock } from '../libs/base/clock.ts';
import { causeOf, type RequestContext } from '../libs/kind/request.ts';
import type { Past, PastWrite } from './time-travel/past.ts';

/** One thing that happened in a simulated cluster, in the order in which it happened. */
export type HistoryEntry =
  /** A request that may change something, and how it was answered. */
  | {
      readonly type: 'request';
      readonly timeMs: number;
      readonly user: string;
      readonly verb: string;
      readonly path: string;
      /** Why, as its sender said: `deployment: scale up`. */
      readonly cause?: string;
      readonly code: number;
    }
  /** A change of the store. `value` is the object's JSON; absent for deletions. */
  | {
      readonly type: 'put' | 'delete';
      readonly timeMs: number;
      readonly revision: number;
      readonly key: string;
      readonly value?: string;
    };

/** Everything that was written, by whom and why. */
export interface History {
  readonly entries: readonly HistoryEntry[];
  /** What makes a run with the same seed differ from this one; empty: it is repeatable to the byte. */
  readonly unrepeatable: readonly string[];
  /** One line of JSON an entry. Two runs are the same when their texts are. */
  toString(): string;
  /** Writes it to a file, together with what was there before its first entry: `replayHistory(file)` reads it. */
  save(path: string): Promise<void>;
}

/** A history with what it began from: what a file holds. */
export interface RecordedHistory {
  readonly seed: string;
  readonly unrepeatable: readonly string[];
  readonly entries: readonly HistoryEntry[];
  readonly past: Past;
}

const READING: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'head', 'options']);
/** Older entries are forgotten beyond this many, so that a long run does not fill the memory. */
const ENTRIES_MAX = 1_000_000;

/** Leases are renewed, and nodes report, whatever happens. */
const HEARTBEATS = /^\/registry\/[^/]+\/(?:leases|nodes)\//;

const WRITERS_MAX = 5;
const LATELY_MS = 60_000;
/** Requests that keep nothing from its rest. */
const SIGNS_OF_LIFE = /\/(?:leases|nodes)\/[^/]+(?:\/status)?$/;

type Request = Extract<HistoryEntry, { type: 'request' }>;
/** A request as it was told of; its cause is read when somebody asks for it. */
type Asked = Omit<Request, 'cause'> & Pick<RequestContext, 'cause'>;
type Kept = Asked | PastWrite;

export interface HistoryStart {
  readonly clusterId: string;
  readonly revision: number;
  readonly entries: SortedMap<Entry>;
}

/** A class, as they stay as long as the cluster: of literals V8 would make all later ones old, with what was written. */
class WroteOnce implements PastWrite {
  readonly event: StoreEvent;
  readonly timeMs: number;

  constructor(event: StoreEvent, timeMs: number) {
    this.event = event;
    this.timeMs = timeMs;
  }
}

/** Collects a history. Values stay the store's bytes until somebody wants their text. */
export class HistoryRecorder {
  readonly #seed: string;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #unrepeatable = new Set<string>();
  #kept: Kept[] = [];
  #clusterId = '';
  #base: SortedMap<Entry> = SortedMap.empty();
  #baseRevision = 0;
  #baseMs: number;

  /** How many writes there were that are no heartbeats. */
  deeds = 0;
  /** Of the last write. */
  revision = 0;
  /** Who wants to know of writes, by key. */
  readonly #followers = new Map<string, Set<() => void>>();

  constructor(seed: string, clock: Pick<Clock, 'now'>) {
    this.#seed = seed;
    this.#clock = clock;
    this.#baseMs = clock.now();
  }

  /** What was there before the first write. */
  begin({ clusterId, revision, entries }: HistoryStart): void {
    this.#clusterId = clusterId;
    this.#baseRevision = this.revision = revision;
    this.#base = entries;
    this.#baseMs = this.#clock.now();
  }

  request({ ctx, code, timeMs, response, failure }: AuditRecord): void {
    // Once a request: when there is an answer. It is told of when it came, too.
    if (code === undefined || !(response ?? failure)) return;
    const { verb, path } = ctx.attributes;
    if (READING.has(verb)) return;
    this.#add({ type: 'request', timeMs, user: ctx.user.name, verb, path, cause: ctx.cause, code });
  }

  write(event: StoreEvent, timeMs: number): void {
    if (!HEARTBEATS.test(event.key)) this.deeds++;
    this.revision = event.revision;
    for (const wrote of this.#followers.get(event.key) ?? []) wrote();
    this.#add(new WroteOnce(event, timeMs));
  }

  /** Calls `wrote` with every write of one key. */
  follow(key: string, wrote: () => void): Disposable {
    const followers = this.#followers.get(key) ?? new Set();
    this.#followers.set(key, followers);
    const own = () => wrote();
    followers.add(own);
    return {
      [Symbol.dispose]: () => {
        followers.delete(own);
        if (followers.size === 0) this.#followers.delete(key);
      },
    };
  }

  /** Who wrote how often in the last minute, and the last thing that each did; the busiest first. */
  writersLately(): string {
    const sinceMs = this.#clock.now() - LATELY_MS;
    const writers = new Map<string, { count: number; last: string }>();
    for (let at = this.#kept.length - 1; at >= 0; at--) {
      const one = this.#kept[at] as Kept;
      if (one.timeMs < sinceMs) break;
      if ('event' in one || SIGNS_OF_LIFE.test(one.path)) continue;
      const { user, verb, path, cause } = requestOf(one);
      const known = writers.get(user);
      if (known) known.count++;
      else writers.set(user, { count: 1, last: `${verb} ${path}${cause ? `, as ${cause}` : ''}` });
    }
    const busiest = [...writers].sort(([, a], [, b]) => b.count - a.count).slice(0, WRITERS_MAX);
    return busiest.map(([user, { count, last }]) => `${user} wrote ${count} times, at last: ${last}`).join('; ');
  }

  /** From here on a second run may differ, and why. */
  markUnrepeatable(why: string): void {
    this.#unrepeatable.add(why);
  }

  /** What can be travelled to. */
  past(): Past {
    return {
      clusterId: this.#clusterId,
      base: this.#base,
      baseRevision: this.#baseRevision,
      baseMs: this.#baseMs,
      writes: this.#kept.filter((one) => 'event' in one),
      untilMs: this.#clock.now(),
    };
  }

  history(): History {
    return new KeptHistory(this.#seed, Object.freeze([...this.#unrepeatable]), [...this.#kept], this.past());
  }

  #add(entry: Kept): void {
    if (this.#kept.length >= ENTRIES_MAX) this.#forget(ENTRIES_MAX / 10);
    this.#kept.push(entry);
  }

  /** What is forgotten has become part of what was there before. */
  #forget(count: number): void {
    const base = this.#base.fork();
    for (const one of this.#kept.slice(0, count)) {
      if (!('event' in one)) continue;
      const { event, timeMs } = one;
      if (event.entry) base.set(event.key, event.entry);
      else base.delete(event.key);
      this.#baseRevision = event.revision;
      this.#baseMs = timeMs;
    }
    this.#base = base;
    this.#kept = this.#kept.slice(count);
  }
}

class KeptHistory implements History {
  readonly unrepeatable: readonly string[];
  readonly #seed: string;
  readonly #kept: readonly Kept[];
  readonly #past: Past;
  #entries: readonly HistoryEntry[] | undefined;

  constructor(seed: string, unrepeatable: readonly string[], kept: readonly Kept[], past: Past) {
    this.unrepeatable = unrepeatable;
    this.#seed = seed;
    this.#kept = kept;
    this.#past = past;
  }

  get entries(): readonly HistoryEntry[] {
    this.#entries ??= Object.freeze(textsOf(this.#kept));
    return this.#entries;
  }

  toString(): string {
    return this.entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
  }

  async save(path: string): Promise<void> {
    const { saveHistory } = await import('./time-travel/history-file.ts');
    const { unrepeatable, entries } = this;
    await saveHistory(path, { seed: this.#seed, unrepeatable, entries, past: this.#past });
  }
}

function requestOf(asked: Asked): Request {
  const { type, timeMs, user, verb, path, code } = asked;
  const cause = causeOf(asked);
  return { type, timeMs, user, verb, path, ...(cause ? { cause: `${cause.component}: ${cause.step}` } : {}), code };
}

function textsOf(kept: readonly Kept[]): HistoryEntry[] {
  const decoder = new TextDecoder();
  return kept.map((one) => {
    if (!('event' in one)) return requestOf(one);
    const { type, revision, key, entry } = one.event;
    const value = entry ? { value: decoder.decode(entry.value) } : {};
    return { type, timeMs: one.timeMs, revision, key, ...value };
  });
}
