import type { FlowSchema, PriorityLevelConfiguration } from '../../../api/types/flowcontrol/v1.generated.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';
import { tooManyRequests } from '../../../libs/machinery/errors.ts';
import { SchemaMatcher, sortSchemas } from './matching.ts';
import { type Flow, type FlowFigures, PriorityLevel, type Share, Ticket } from './priority-level.ts';

/** The configuration, as it is stored now. `version` changes with it. */
export interface FairnessObjects {
  version(): number;
  schemas(): readonly DeepReadonly<FlowSchema>[];
  levels(): readonly DeepReadonly<PriorityLevelConfiguration>[];
}

export interface FairnessOptions {
  readonly clock: Clock;
  readonly objects: FairnessObjects;
  /** Seats of all levels together: upstream's two limits of requests in flight, 400 and 200. */
  readonly seats?: number;
  /** Told when the configuration has changed, at the first request afterwards. */
  readonly changed?: () => void;
  /** Told of requests that run, and of those that were turned away. */
  readonly dispatched?: (level: string, schema: string, waitedMs: number) => void;
  readonly rejected?: (level: string, schema: string, reason: RejectReason) => void;
}

export type RejectReason = 'concurrency-limit' | 'queue-full' | 'time-out' | 'cancelled';

/** A request that may run. `end` gives its seats back; idempotent. */
export interface Admitted {
  readonly schemaUid: string;
  readonly levelUid: string;
  /** How long it has waited for its turn. */
  readonly waitedMs: number;
  /** Tells of both who is answered. */
  readonly headers: Readonly<Record<string, string>>;
  end(): void;
}

export interface LevelFigures {
  readonly name: string;
  readonly nominalSeats: number;
  readonly seats: number;
  readonly running: number;
  readonly waiting: number;
  /** Of each flow schema by itself. */
  readonly schemas: ReadonlyMap<string, FlowFigures>;
}

export interface Asking {
  readonly user: UserInfo;
  readonly attributes: RequestAttributes;
  /** Its signal is asked for when the request has to wait. */
  readonly ends: { readonly signal: AbortSignal };
}

const SEATS_DEFAULT = 600;
/** How long a request may wait for its turn: a quarter of what it may take as a whole. */
const WAIT_MS_MAX = 15_000;
const RETRY_AFTER_SECONDS = 1;
/** Of a level's own seats, for one request. */
const WIDEST_SHARE = 0.15;

/**
 * API Priority and Fairness (API concept "API Priority and Fairness"): each request belongs to a flow schema, which names
 * a priority level; levels share the server's seats, lend what they do not need, and let flows wait fairly.
 *
 *     const admitted = fairness.admit({ user, attributes, ends });   // at once, where there is room
 *     try { … } finally { (await admitted)?.end(); }
 *
 * Lending is decided anew for each request: a level may go beyond its own share as far as others' lendable seats lie
 * idle. Seats that were lent come back when what runs on them has ended.
 */
export class Fairness {
  readonly #options: FairnessOptions;
  readonly #seats: number;
  readonly #levels = new Map<string, PriorityLevel>();
  /** The levels that have no more seats than they are given. */
  #limited: readonly PriorityLevel[] = [];
  #schemas = new SchemaMatcher([]);
  /** Of schemas that requests have come by, as they are configured now. */
  readonly #flows = new Map<DeepReadonly<FlowSchema>, Flow>();
  #version = -1;
  #waiting = 0;
  readonly #end = (ticket: Ticket): void => {
    ticket.level.end(ticket, ticket.queue ? this.#options.clock.monotonic() : 0);
    if (this.#waiting > 0) this.#startNext();
  };

  constructor(options: FairnessOptions) {
    this.#options = options;
    this.#seats = options.seats ?? SEATS_DEFAULT;
  }

  /** For people who look at what waits. */
  get all(): readonly PriorityLevel[] {
    this.#refresh();
    return [...this.#levels.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** For metrics and for people. */
  get levels(): LevelFigures[] {
    this.#refresh();
    return [...this.#levels.values()].map(({ name, share, seats, running, waiting, schemas }) => ({
      name,
      nominalSeats: share.nominal,
      seats,
      running,
      waiting,
      schemas,
    }));
  }

  /** `wanted`: the seats that it takes, 1 or more. Throws (or rejects with) `ApiError` 429. undefined: no schema fits, so nothing is limited. */
  admit(asking: Asking, wanted = 1): Admitted | Promise<Admitted> | undefined {
    this.#refresh();
    const schema = this.#schemas.match(asking.user, asking.attributes);
    const flow = schema && (this.#flows.get(schema) ?? this.#newFlow(schema));
    if (!flow) return undefined;
    const { level } = flow;
    const ticket = new Ticket(flow, this.#widthOf(wanted, level), asking, this.#end);
    if (level.exempt || (level.waiting === 0 && this.#hasRoom(ticket))) return this.#begin(ticket);
    if (level.rejects) throw this.#refuse(ticket, 'concurrency-limit');
    ticket.arrivedMs = this.#options.clock.now();
    if (!level.enqueue(ticket)) throw this.#refuse(ticket, 'queue-full');
    this.#waiting++;
    return this.#wait(ticket, asking.ends.signal);
  }

  /** undefined: its level is not there. */
  #newFlow(schema: DeepReadonly<FlowSchema>): Flow | undefined {
    const level = this.#levels.get(schema.spec.priorityLevelConfiguration.name);
    if (!level) return undefined;
    const { name = '', uid = '' } = schema.metadata;
    const headers = Object.freeze({
      'x-kubernetes-pf-flowschema-uid': uid,
      'x-kubernetes-pf-prioritylevel-uid': level.uid,
    });
    const flow = { schema, level, figures: level.figuresOf(name), headers };
    this.#flows.set(schema, flow);
    return flow;
  }

  #wait(ticket: Ticket, signal: AbortSignal): Promise<Admitted> {
    const { level } = ticket;
    const { clock } = this.#options;
    const sinceMs = clock.monotonic();
    return new Promise((resolve, reject) => {
      const giveUp = (reason: RejectReason) => {
        done();
        level.leave(ticket);
        this.#waiting--;
        reject(this.#refuse(ticket, reason));
      };
      const cancelled = () => giveUp('cancelled');
      const late = clock.setTimer(() => giveUp('time-out'), WAIT_MS_MAX);
      const done = () => {
        late.cancel();
        signal.removeEventListener('abort', cancelled);
      };
      // By its name: a function that is written right into a property is made old at once, and keeps all that it sees.
      const start = () => {
        done();
        level.leave(ticket);
        this.#waiting--;
        ticket.waitedMs = clock.monotonic() - sinceMs;
        resolve(this.#begin(ticket));
      };
      ticket.start = start;
      signal.addEventListener('abort', cancelled, { once: true });
      if (signal.aborted) cancelled();
    });
  }

  #begin(ticket: Ticket): Admitted {
    const { level } = ticket;
    this.#options.dispatched?.(level.name, ticket.schemaName, ticket.waitedMs);
    level.told.dispatched++;
    // When it began counts for who comes next of its queue.
    level.begin(ticket, ticket.queue ? this.#options.clock.monotonic() : 0);
    return ticket;
  }

  /** Lets those run for whom there is room now, level by level. */
  #startNext(): void {
    for (const level of this.#levels.values()) {
      while (level.waiting > 0) {
        const ticket = level.next();
        if (!ticket || !this.#hasRoom(ticket)) break;
        ticket.start?.();
      }
    }
  }

  /** No request may take more than a part of its level. */
  #widthOf(width: number, { share, exempt }: PriorityLevel): number {
    return exempt ? width : Math.max(1, Math.min(width, Math.ceil(share.nominal * WIDEST_SHARE)));
  }

  #hasRoom({ level, width }: Ticket): boolean {
    const wanted = level.seats + width;
    if (wanted > level.share.nominal + level.share.borrowable) return false;
    // Others keep what they use, and what of their own they do not lend.
    let others = 0;
    for (let at = 0; at < this.#limited.length; at++) {
      const one = this.#limited[at] as PriorityLevel;
      if (one === level) continue;
      others += wanted <= level.share.nominal ? one.seats : Math.max(one.seats, one.share.nominal - one.share.lendable);
    }
    return wanted + others <= Math.max(this.#seats, level.share.nominal);
  }

  #refuse({ level, schemaName }: Ticket, reason: RejectReason) {
    this.#options.rejected?.(level.name, schemaName, reason);
    if (reason === 'time-out') level.told.timedOut++;
    else if (reason === 'cancelled') level.told.cancelled++;
    else level.told.rejected++;
    return tooManyRequests('Too many requests, please try again later.', RETRY_AFTER_SECONDS);
  }

  #refresh(): void {
    const { objects } = this.#options;
    const version = objects.version();
    if (version === this.#version) return;
    this.#version = version;
    this.#options.changed?.();
    const configs = objects.levels();
    const names = new Set(configs.map(({ metadata }) => metadata.name));
    for (const config of configs) {
      const name = config.metadata.name ?? '';
      const level = this.#levels.get(name);
      if (level) level.configure(config);
      else this.#levels.set(name, new PriorityLevel(config));
    }
    // One that is no longer configured stays until what runs and waits on it has ended.
    for (const [name, level] of this.#levels) {
      level.retired = !names.has(name);
      if (level.retired && level.running + level.waiting === 0) this.#levels.delete(name);
    }
    const schemas = objects.schemas().filter(({ spec }) => names.has(spec.priorityLevelConfiguration.name));
    this.#schemas = new SchemaMatcher(sortSchemas(schemas));
    const known = new Set(schemas.map(({ metadata }) => metadata.name));
    for (const level of this.#levels.values()) level.forget((schema) => !known.has(schema));
    this.#flows.clear();
    this.#limited = [...this.#levels.values()].filter((level) => !level.exempt);
    const total = configs.reduce((sum, { spec }) => sum + sharesOf(spec), 0);
    for (const level of this.#levels.values()) level.share = this.#shareOf(level, total);
  }

  #shareOf({ config: { spec } }: PriorityLevel, total: number): Share {
    const nominal = total === 0 ? 0 : Math.ceil((this.#seats * sharesOf(spec)) / total);
    const { lendablePercent = 0 } = spec.limited ?? spec.exempt ?? {};
    const borrowing = spec.limited?.borrowingLimitPercent;
    return {
      nominal,
      lendable: Math.round((nominal * lendablePercent) / 100),
      borrowable: borrowing === undefined ? Number.POSITIVE_INFINITY : Math.round((nominal * borrowing) / 100),
    };
  }
}

function sharesOf({ limited, exempt }: DeepReadonly<PriorityLevelConfiguration['spec']>): number {
  return limited ? (limited.nominalConcurrencyShares ?? 30) : (exempt?.nominalConcurrencyShares ?? 0);
}
