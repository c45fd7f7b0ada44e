import type { AuditRecord } from '../control-plane/apiserver/server.ts';
import type { StoreEvent } from '../control-plane/store/store.ts';

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
}

const READING: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'head', 'options']);
/** Older entries are forgotten beyond this many, so that a long run does not fill the memory. */
const ENTRIES_MAX = 1_000_000;

/** Leases are renewed, and nodes report, whatever happens. */
const HEARTBEATS = /^\/registry\/[^/]+\/(?:leases|nodes)\//;

/** Collects a history. */
export class HistoryRecorder {
  readonly #entries: HistoryEntry[] = [];
  readonly #unrepeatable = new Set<string>();
  readonly #decoder = new TextDecoder();

  /** How many writes there were that are no heartbeats. */
  deeds = 0;

  request({ ctx, code, timeMs, response, failure }: AuditRecord): void {
    // Once a request: when there is an answer.
    if (code === undefined || !(response ?? failure)) return;
    const { verb, path } = ctx.attributes;
    // Told when it came, too: then there is no code yet.
    if (code === undefined || READING.has(verb)) return;
    const cause = ctx.cause && `${ctx.cause.component}: ${ctx.cause.step}`;
    this.#add({ type: 'request', timeMs, user: ctx.user.name, verb, path, ...(cause ? { cause } : {}), code });
  }

  write(event: StoreEvent, timeMs: number): void {
    const { type, revision, key, entry } = event;
    if (!HEARTBEATS.test(key)) this.deeds++;
    this.#add({ type, timeMs, revision, key, ...(entry ? { value: this.#decoder.decode(entry.value) } : {}) });
  }

  /** From here on a second run may differ, and why. */
  markUnrepeatable(why: string): void {
    this.#unrepeatable.add(why);
  }

  history(): History {
    const entries = Object.freeze([...this.#entries]);
    return {
      entries,
      unrepeatable: Object.freeze([...this.#unrepeatable]),
      toString: () => entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''),
    };
  }

  #add(entry: HistoryEntry): void {
    if (this.#entries.length >= ENTRIES_MAX) this.#entries.splice(0, ENTRIES_MAX / 10);
    this.#entries.push(entry);
  }
}
