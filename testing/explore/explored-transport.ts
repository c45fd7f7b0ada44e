import type { Clock } from '../../libs/base/clock.ts';
import type { Random } from '../../libs/base/random.ts';
import type {
  Transport,
  TransportRequest,
  TransportResponse,
  TransportWatch,
  TransportWatchSink,
} from '../../libs/client/transport.ts';
import { TransportError } from '../../libs/kind/client.ts';
import type { ClusterTime } from '../cluster-time.ts';
import { factsOf } from '../faults/fault-transport.ts';
import type { AnswerEvent, StoredObject, WatchFacts, WatchTold } from './invariant.ts';
import type { RequestKind } from './schedule.ts';

/** A watch that hears late, for a while. */
export interface SlowWatch {
  readonly user: string;
  readonly resource: string;
  readonly byMs: number;
}

export interface WaysOptions {
  readonly latencyMs: number;
  readonly random: Random;
  readonly answered: (answer: AnswerEvent) => void;
  readonly told: (told: WatchTold) => void;
  readonly count: (kind: string) => void;
  /** Whether to count what is asked for, by whom. */
  readonly notes: boolean;
}

/** The scenario's own client waits for a server that is away, so that scenarios need not know of faults. */
export const OBSERVER = 'admin';
const AGAIN_MS = 50;
const AGAIN_MAX = 6_000;

/** The ways of all clients of a run: each takes its time, and is listened to. */
export class ExploredWays {
  readonly options: WaysOptions;
  readonly slow = new Set<SlowWatch>();
  readonly #requests = new Map<string, { -readonly [K in keyof RequestKind]: RequestKind[K] }>();
  #watches = 0;
  #begun = false;

  constructor(options: WaysOptions) {
    this.options = options;
  }

  /** What was asked for so far, by whom; nothing where that is not counted. */
  get requests(): readonly RequestKind[] {
    return [...this.#requests.values()];
  }

  over(inner: Transport, user: string, time: ClusterTime): Transport {
    if (user === OBSERVER) return new PatientTransport(inner, time);
    return new ExploredTransport(inner, user, time.clock, this);
  }

  /** From here on requests take their time, and are counted; of watches those count that are open already, too. */
  begin(): void {
    this.#begun = true;
  }

  get latencyMs(): number {
    return this.#begun ? this.options.latencyMs : 0;
  }

  note(request: TransportRequest, user: string, isWatch: boolean): void {
    if (!this.options.notes || !(this.#begun || isWatch)) return;
    const { verb: asked, resource } = factsOf(request, user);
    if (resource === '') return;
    const verb = isWatch ? 'watch' : asked;
    const key = `${user} ${verb} ${resource}`;
    const known = this.#requests.get(key);
    if (known) known.count++;
    else this.#requests.set(key, { user, verb, resource, count: 1 });
  }

  nextWatch(): number {
    return this.#watches++;
  }
}

class ExploredTransport implements Transport {
  readonly #inner: Transport;
  readonly #user: string;
  readonly #clock: Clock;
  readonly #ways: ExploredWays;
  readonly #random: Random;

  constructor(inner: Transport, user: string, clock: Clock, ways: ExploredWays) {
    this.#inner = inner;
    this.#user = user;
    this.#clock = clock;
    this.#ways = ways;
    this.#random = ways.options.random.fork(user);
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const { latencyMs } = this.#ways;
    const { answered } = this.#ways.options;
    this.#ways.note(request, this.#user, false);
    if (latencyMs > 0) await this.#clock.sleep(this.#random.int(latencyMs + 1), request.signal);
    const answer = await this.#inner.request(request);
    if (request.method !== 'GET') {
      const { method, path, query } = request;
      answered({ user: this.#user, method, path, query, code: answer.code, value: answer.value });
    }
    return answer;
  }

  async watch(request: TransportRequest, sink: TransportWatchSink): Promise<TransportWatch> {
    this.#ways.note(request, this.#user, true);
    const { latencyMs } = this.#ways;
    if (latencyMs > 0) await this.#clock.sleep(this.#random.int(latencyMs + 1), request.signal);
    const { path, query } = request;
    const facts: WatchFacts = { id: this.#ways.nextWatch(), user: this.#user, path, query };
    const late = new LateSink(sink, facts, this.#clock, this.#ways, this.#random);
    late.begin(await this.#inner.watch(request, late));
    return late;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

type Told = Parameters<TransportWatchSink['event']>[1];

/** Something that a watch is told: an event, or, without an object, that it is over. */
interface Word {
  readonly event: string;
  readonly object: Told | undefined;
  readonly error: Error | undefined;
  /** When it arrives. */
  readonly dueMs: number;
}

/** Hands on what a watch is told, in its order, but late. What is still under way when the connection breaks is lost. */
class LateSink implements TransportWatchSink, TransportWatch {
  readonly #sink: TransportWatchSink;
  readonly #facts: WatchFacts;
  readonly #clock: Clock;
  readonly #ways: ExploredWays;
  readonly #random: Random;
  /** What is under way. */
  readonly #late: Word[] = [];
  #open = true;
  #watch: TransportWatch | undefined;
  /** The observers know of it. */
  #isTold = false;

  constructor(sink: TransportWatchSink, facts: WatchFacts, clock: Clock, ways: ExploredWays, random: Random) {
    this.#sink = sink;
    this.#facts = facts;
    this.#clock = clock;
    this.#ways = ways;
    this.#random = random;
  }

  begin(watch: TransportWatch): void {
    this.#watch = watch;
    this.#mustBeTold();
  }

  /** The first word says as well as the answer that the watch is open, and may come before it. */
  #mustBeTold(): void {
    if (this.#isTold) return;
    this.#isTold = true;
    this.#ways.options.told({ type: 'open', watch: this.#facts });
  }

  event(event: string, object: Told): void {
    this.#mustBeTold();
    const nowMs = this.#clock.monotonic();
    const dueMs = Math.max(this.#late.at(-1)?.dueMs ?? 0, nowMs + this.#delayMs());
    if (dueMs <= nowMs && this.#late.length === 0) this.#tell(event, object);
    else this.#later({ event, object, error: undefined, dueMs });
  }

  ended(error: Error | undefined): void {
    this.#mustBeTold();
    // A server that ends a watch has sent all before; a connection that breaks has not.
    const last = this.#late.at(-1);
    if (error === undefined && last) this.#later({ event: '', object: undefined, error, dueMs: last.dueMs });
    else this.#end(error);
  }

  room(): Promise<void> | undefined {
    return this.#sink.room?.();
  }

  close(): void {
    if (this.#open) this.#over();
    this.#watch?.close();
  }

  #later(word: Word): void {
    this.#late.push(word);
    if (this.#late.length === 1) this.#wait(word);
  }

  #wait({ dueMs }: Word): void {
    this.#clock.setTimer(() => this.#arrive(), dueMs - this.#clock.monotonic());
  }

  #arrive(): void {
    const nowMs = this.#clock.monotonic();
    for (let first = this.#late[0]; this.#open && first; first = this.#late[0]) {
      if (first.dueMs > nowMs) return this.#wait(first);
      this.#late.shift();
      if (first.object) this.#tell(first.event, first.object);
      else this.#end(first.error);
    }
  }

  #delayMs(): number {
    const { latencyMs, slow, options } = this.#ways;
    let delayMs = latencyMs > 0 ? this.#random.int(latencyMs + 1) : 0;
    if (slow.size === 0) return delayMs;
    for (const { user, resource, byMs } of slow) {
      if (user !== this.#facts.user || resource !== this.#resource()) continue;
      options.count('slow-watch');
      delayMs += this.#random.int(byMs + 1);
    }
    return delayMs;
  }

  #resource(): string {
    return factsOf({ method: 'GET', path: this.#facts.path }, this.#facts.user).resource;
  }

  #tell(event: string, object: Told): void {
    this.#ways.options.told({ type: 'event', watch: this.#facts, event, object: object as unknown as StoredObject });
    this.#sink.event(event, object);
  }

  #end(error: Error | undefined): void {
    if (!this.#open) return;
    this.#over();
    this.#sink.ended(error);
  }

  #over(): void {
    this.#open = false;
    this.#ways.options.told({ type: 'end', watch: this.#facts });
  }
}

/** Asks again while the server is away or cannot write, letting time pass where nobody else does. */
class PatientTransport implements Transport {
  readonly #inner: Transport;
  readonly #time: ClusterTime;

  constructor(inner: Transport, time: ClusterTime) {
    this.#inner = inner;
    this.#time = time;
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const answer = await this.#once(request);
    return answer ?? this.#time.drive(this.#again(request));
  }

  watch(request: TransportRequest, sink: TransportWatchSink): Promise<TransportWatch> {
    return this.#inner.watch(request, sink);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #again(request: TransportRequest): Promise<TransportResponse> {
    for (let n = 0; n < AGAIN_MAX; n++) {
      await this.#time.clock.sleep(AGAIN_MS, request.signal);
      const answer = await this.#once(request);
      if (answer) return answer;
    }
    return this.#inner.request(request);
  }

  /** Nothing where it is worth while to ask again. */
  async #once(request: TransportRequest): Promise<TransportResponse | undefined> {
    try {
      const answer = await this.#inner.request(request);
      return answer.code >= 500 ? undefined : answer;
    } catch (error) {
      if (error instanceof TransportError && !error.sent) return undefined;
      throw error;
    }
  }
}
