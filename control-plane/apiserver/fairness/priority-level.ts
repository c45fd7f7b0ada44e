import type { FlowSchema, PriorityLevelConfiguration } from '../../../api/types/flowcontrol/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { RequestAttributes, UserInfo } from '../../../libs/kind/request.ts';
import { flowOf } from './matching.ts';
import { deal } from './shuffle-shard.ts';

/** How much a level may use, in seats: what a request takes while it runs. */
export interface Share {
  /** Its own. */
  readonly nominal: number;
  /** Of its own, what others may use while it does not. */
  readonly lendable: number;
  /** What it may use of others' at most; Infinity: all that is lent. */
  readonly borrowable: number;
}

/** The requests of one flow schema at the level that it names, as they are configured now. */
export interface Flow {
  readonly schema: DeepReadonly<FlowSchema>;
  readonly level: PriorityLevel;
  readonly figures: FlowFigures;
  /** Whoever is answered is told by which schema and at which level the request ran. */
  readonly headers: Readonly<Record<string, string>>;
}

/** One request that waits or runs. */
export class Ticket {
  readonly flow: Flow;
  readonly width: number;
  readonly user: UserInfo;
  readonly attributes: RequestAttributes;
  /** Called once it may run, where it waits for that. */
  start: (() => void) | undefined;
  queue: Queue | undefined;
  startedMs = 0;
  /** Wall time at which it began to wait. */
  arrivedMs = 0;
  /** How long it has waited for its turn. */
  waitedMs = 0;
  readonly #ended: (ticket: Ticket) => void;
  #over = false;

  constructor(
    flow: Flow,
    width: number,
    asking: { readonly user: UserInfo; readonly attributes: RequestAttributes },
    ended: (ticket: Ticket) => void,
  ) {
    this.flow = flow;
    this.width = width;
    this.user = asking.user;
    this.attributes = asking.attributes;
    this.#ended = ended;
  }

  get level(): PriorityLevel {
    return this.flow.level;
  }

  get figures(): FlowFigures {
    return this.flow.figures;
  }

  get schemaName(): string {
    return this.flow.schema.metadata.name ?? '';
  }

  get schemaUid(): string {
    return this.flow.schema.metadata.uid ?? '';
  }

  get levelUid(): string {
    return this.level.uid;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.flow.headers;
  }

  /** What tells it apart from other requests of its schema. */
  get distinguisher(): string {
    return flowOf(this.flow.schema, this.user, this.attributes);
  }

  /** Gives its seats back. Idempotent. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#ended(this);
  }
}

/** Requests of one schema at one level, now. */
export interface FlowFigures {
  running: number;
  seats: number;
  waiting: number;
}

/** How requests of a level went, since it began. */
export interface Told {
  dispatched: number;
  rejected: number;
  timedOut: number;
  cancelled: number;
}

/** Requests of some flows, in their order. */
export interface Queue {
  readonly waiting: Ticket[];
  /** Seats of those that wait and run. */
  load: number;
  running: number;
  /** Where it stands in the level's virtual time: who has had least comes next. */
  virtualMs: number;
}

const QUEUES_DEFAULT = 64;
const HAND_DEFAULT = 8;
const LENGTH_DEFAULT = 50;
/** What a request is taken to last, until it has ended and told how long it was. */
const ESTIMATE_MS = 3;
/** Whoever asks for little very often must move on, too. */
const LEAST_MS = 1;

/**
 * The requests of one priority level: how many run, and who waits in which queue. Fair between its queues by what they
 * have had (start-time fair queueing): each has a place in virtual time, which moves on with the seats and the time that
 * its requests took; the one furthest behind is next.
 */
export class PriorityLevel {
  readonly name: string;
  #config: DeepReadonly<PriorityLevelConfiguration>;
  share: Share = { nominal: 0, lendable: 0, borrowable: 0 };
  /** Seats of what runs. */
  seats = 0;
  running = 0;
  waiting = 0;
  readonly told: Told = { dispatched: 0, rejected: 0, timedOut: 0, cancelled: 0 };
  /** No longer configured: it goes once it is idle. */
  retired = false;
  readonly #schemas = new Map<string, FlowFigures>();
  #queues: (Queue | undefined)[] = [];
  #virtualMs = 0;

  constructor(config: DeepReadonly<PriorityLevelConfiguration>) {
    this.name = config.metadata.name ?? '';
    this.#config = config;
  }

  /** By name: schemas whose requests have come here. */
  get schemas(): ReadonlyMap<string, FlowFigures> {
    return this.#schemas;
  }

  /** What is told of a schema's requests at this level. */
  figuresOf(schema: string): FlowFigures {
    let figures = this.#schemas.get(schema);
    if (!figures) this.#schemas.set(schema, (figures = { running: 0, seats: 0, waiting: 0 }));
    return figures;
  }

  /** Schemas that are no more are told no longer, once their last request has ended. */
  forget(isGone: (schema: string) => boolean): void {
    for (const [schema, { running, waiting }] of this.#schemas)
      if (running + waiting === 0 && isGone(schema)) this.#schemas.delete(schema);
  }

  /** Those that have ever been used; undefined: never. */
  get queues(): readonly (Queue | undefined)[] {
    return this.#queues;
  }

  get uid(): string {
    return this.#config.metadata.uid ?? '';
  }

  get config(): DeepReadonly<PriorityLevelConfiguration> {
    return this.#config;
  }

  /** A new configuration; who waits keeps waiting. */
  configure(config: DeepReadonly<PriorityLevelConfiguration>): void {
    this.#config = config;
  }

  get exempt(): boolean {
    return this.#config.spec.type === 'Exempt';
  }

  get rejects(): boolean {
    return this.#config.spec.limited?.limitResponse?.type !== 'Queue';
  }

  /** Puts a request into the least loaded queue of its flow's hand; false: that one is full. */
  enqueue(ticket: Ticket): boolean {
    const queuing = this.#config.spec.limited?.limitResponse?.queuing;
    const deck = queuing?.queues ?? QUEUES_DEFAULT;
    let best: Queue | undefined;
    for (const index of deal(ticket.distinguisher, deck, queuing?.handSize ?? HAND_DEFAULT)) {
      this.#queues[index] ??= { waiting: [], load: 0, running: 0, virtualMs: 0 };
      const queue = this.#queues[index];
      if (!best || queue.load < best.load) best = queue;
    }
    if (!best || best.waiting.length >= (queuing?.queueLengthLimit ?? LENGTH_DEFAULT)) return false;
    // A queue that had nothing to do has no claim on the past.
    if (best.load === 0) best.virtualMs = Math.max(best.virtualMs, this.#virtualMs);
    ticket.queue = best;
    best.waiting.push(ticket);
    best.load += ticket.width;
    this.waiting++;
    ticket.figures.waiting++;
    return true;
  }

  /** Who is next, still in its queue. */
  next(): Ticket | undefined {
    let best: Queue | undefined;
    for (const queue of this.#queues) {
      if (queue && queue.waiting.length > 0 && (!best || queue.virtualMs < best.virtualMs)) best = queue;
    }
    return best?.waiting[0];
  }

  /** Takes one out of its queue: it has given up, or it is to run. */
  leave(ticket: Ticket): void {
    const queue = ticket.queue;
    const at = queue?.waiting.indexOf(ticket) ?? -1;
    if (!queue || at < 0) return;
    queue.waiting.splice(at, 1);
    queue.load -= ticket.width;
    this.waiting--;
    ticket.figures.waiting--;
  }

  begin(ticket: Ticket, nowMs: number): void {
    this.seats += ticket.width;
    this.running++;
    ticket.figures.seats += ticket.width;
    ticket.figures.running++;
    ticket.startedMs = nowMs;
    const { queue } = ticket;
    if (!queue) return;
    queue.load += ticket.width;
    queue.running++;
    this.#virtualMs = Math.max(this.#virtualMs, queue.virtualMs);
    queue.virtualMs += ticket.width * ESTIMATE_MS;
  }

  end(ticket: Ticket, nowMs: number): void {
    this.seats -= ticket.width;
    this.running--;
    ticket.figures.seats -= ticket.width;
    ticket.figures.running--;
    const { queue } = ticket;
    if (!queue) return;
    queue.load -= ticket.width;
    queue.running--;
    queue.virtualMs += ticket.width * (Math.max(LEAST_MS, nowMs - ticket.startedMs) - ESTIMATE_MS);
  }
}
