// The past of a real cluster, served by its own API server below `/history`, for `tutti history` and any client.

import type { ApiRequest, ApiResponse } from '../../control-plane/apiserver/api.ts';
import { PLAIN_JSON, respond, wholeBody } from '../../control-plane/apiserver/responses.ts';
import type { Endpoint } from '../../control-plane/apiserver/server.ts';
import type { StoreWithHistory } from '../../control-plane/store/kept-history.ts';
import { CompactedError } from '../../control-plane/store/store.ts';
import type { Clock, Timer } from '../../libs/base/clock.ts';
import type { RequestContext } from '../../libs/kind/request.ts';
import { badRequest, expired, methodNotAllowed } from '../../libs/machinery/errors.ts';
import { durationMs } from '../../testing/duration.ts';
import { ClusterUsageError } from '../../testing/errors.ts';
import { diffOfStore, type ObjectDiff } from '../../testing/time-travel/diff.ts';
import { type Moment, storeOf } from '../../testing/time-travel/past.ts';
import { openPast, type ServedPast } from '../../testing/time-travel/past-cluster.ts';

/** Each is a whole cluster in memory. */
const OPEN_MAX = 3;
/** A past that nobody has asked for so long is closed. */
const UNUSED_MS = 5 * 60_000;

/** What `/history` answers: how far back one can look. */
export interface HistoryFacts {
  readonly firstRevision: number;
  readonly lastRevision: number;
  /** The first time that can be asked for; absent: none yet. */
  readonly firstTime?: string;
  readonly usedBytes: number;
  readonly limitBytes: number;
}

/** What `/history/moment?at=…` answers. */
export interface HistoryMoment {
  readonly revision: number;
  /** Absent where it is not known when that was written. */
  readonly time?: string;
}

/** What `/history/diff?from=…&to=…` answers. */
export interface HistoryDiff {
  readonly from: HistoryMoment;
  readonly to: HistoryMoment;
  readonly objects: readonly ObjectDiff[];
}

interface Opened {
  readonly past: Promise<ServedPast>;
  usedMs: number;
}

/**
 * | path | answer |
 * | --- | --- |
 * | `/history` | how far back it goes, and how much of its size is used |
 * | `/history/moment?at=10m` | the revision of a time (`2026-01-31T12:00:00Z`, or how long ago), or the time of a revision |
 * | `/history/diff?from=10m&to=5m` | what changed, by object and field; `to` is now by default |
 * | `/history/at/REVISION/…` (or a time) | the API as it was then, to be read: a server's address for kubectl |
 *
 * Who may read it is said by rules for these paths (`nonResourceURLs: ["/history", "/history/*"]`); by default
 * administrators. What they may see of an earlier cluster its own RBAC decides, as it was then.
 */
export class HistoryEndpoint implements Endpoint, AsyncDisposable {
  readonly paths = ['/history', '/history/diff', '/history/moment'];
  readonly #store: StoreWithHistory;
  readonly #clock: Clock;
  readonly #opened = new Map<string, Opened>();
  #closing: Timer | undefined;

  constructor(store: StoreWithHistory, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** How many pasts are open. */
  get open(): number {
    return this.#opened.size;
  }

  async handle(_server: unknown, ctx: RequestContext, request: ApiRequest): Promise<ApiResponse | undefined> {
    const [, root, what, at = ''] = request.path.split('/');
    if (root !== 'history') return undefined;
    try {
      if (what === 'at' && at !== '') return await this.#answerThen(ctx, request, decodeURIComponent(at));
      if (request.method !== 'GET') throw methodNotAllowed();
      const query = new URLSearchParams(request.query);
      if (what === undefined || what === '') return json(this.#facts());
      if (what === 'moment') return json(told(this.#momentOf(query.get('at') ?? '', ctx.nowMs)));
      if (what === 'diff') return json(await this.#diff(query.get('from') ?? '', query.get('to') ?? '', ctx.nowMs));
      return undefined;
    } catch (error) {
      if (error instanceof ClusterUsageError) throw badRequest(error.message);
      if (error instanceof CompactedError) throw expired(error.message);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing?.cancel();
    await Promise.all([...this.#opened.keys()].map((key) => this.#close(key)));
  }

  #facts(): HistoryFacts {
    const { firstRevision, lastRevision, firstMs, usedBytes, limitBytes } = this.#store.history.bounds();
    const firstTime = firstMs === undefined ? {} : { firstTime: timeText(firstMs) };
    return { firstRevision, lastRevision, ...firstTime, usedBytes, limitBytes };
  }

  async #diff(from: string, to: string, nowMs: number): Promise<HistoryDiff> {
    const [a, b] = [this.#momentOf(from, nowMs), this.#momentOf(to === '' ? '0s' : to, nowMs)];
    const { objects } = await diffOfStore(this.#store, a.revision, b.revision);
    return { from: told(a), to: told(b), objects };
  }

  /** `when`: a revision, a time, or how long ago. Throws `ClusterUsageError`, and 410 for what is forgotten. */
  #momentOf(when: string, nowMs: number): Partial<Moment> & Pick<Moment, 'revision'> {
    const { history } = this.#store;
    const { firstRevision, lastRevision, firstMs } = history.bounds();
    if (/^\d+$/.test(when)) {
      const revision = Number(when);
      if (revision > lastRevision) throw new ClusterUsageError(`the last revision is ${lastRevision}, not ${when}`);
      if (revision < firstRevision) throw expired(`revision ${when} is forgotten; the first is ${firstRevision}`);
      const timeMs = history.timeOf(revision);
      return timeMs === undefined ? { revision } : { revision, timeMs };
    }
    const timeMs = /^\d{4}-/.test(when) ? Date.parse(when) : nowMs - durationMs(when);
    if (Number.isNaN(timeMs))
      throw new ClusterUsageError(
        `"${when}" is no time; write it as 2026-01-31T12:00:00Z, or as 10m for ten minutes ago`,
      );
    if (timeMs > nowMs) throw new ClusterUsageError(`${timeText(timeMs)} is still to come`);
    const revision = history.revisionAt(timeMs);
    if (revision !== undefined) return { revision, timeMs };
    const since = firstMs === undefined ? 'nothing is remembered yet' : `the first time is ${timeText(firstMs)}`;
    throw expired(`how the cluster was at ${timeText(timeMs)} is not remembered; ${since}`);
  }

  async #answerThen(ctx: RequestContext, request: ApiRequest, when: string): Promise<ApiResponse> {
    if (!/^\d/.test(when) || /^\d+[a-z]/.test(when))
      throw new ClusterUsageError(`"${when}" moves on; name a revision or a time, as /history/moment?at=${when} tells`);
    const past = await this.#past(this.#momentOf(when, ctx.nowMs));
    const path = request.path.split('/').slice(4).join('/');
    return past.answer(ctx.user, { ...request, path: `/${path}` });
  }

  #past({ revision, timeMs }: Partial<Moment> & Pick<Moment, 'revision'>): Promise<ServedPast> {
    const key = `${revision} ${timeMs ?? ''}`;
    const usedMs = this.#clock.monotonic();
    const known = this.#opened.get(key);
    this.#opened.delete(key);
    // Where it is not known when that was, ages are those of the first time that is.
    const moment = { revision, timeMs: timeMs ?? this.#store.history.bounds().firstMs ?? this.#clock.now() };
    const opened = known ?? { past: this.#open(moment), usedMs };
    opened.usedMs = usedMs;
    this.#opened.set(key, opened);
    // One that cannot be opened is tried again by who comes next.
    opened.past.catch(() => this.#opened.get(key) === opened && this.#opened.delete(key));
    for (const oldest of this.#opened.keys()) {
      if (this.#opened.size <= OPEN_MAX) break;
      void this.#close(oldest);
    }
    this.#closeUnused();
    return opened.past;
  }

  async #open(moment: Moment): Promise<ServedPast> {
    const { revision } = moment;
    const { entries } = await this.#store.list('/registry/', { revision });
    return openPast(storeOf(this.#store.clusterId, revision, entries), moment);
  }

  #closeUnused(): void {
    this.#closing?.cancel();
    if (this.#opened.size === 0) return;
    const beforeMs = this.#clock.monotonic() - UNUSED_MS;
    for (const [key, { usedMs }] of [...this.#opened]) if (usedMs <= beforeMs) void this.#close(key);
    this.#closing = this.#clock.setTimer(() => this.#closeUnused(), UNUSED_MS);
  }

  async #close(key: string): Promise<void> {
    const opened = this.#opened.get(key);
    this.#opened.delete(key);
    const past = await opened?.past.catch(() => undefined);
    await past?.[Symbol.asyncDispose]();
  }
}

/** To the millisecond: several writes share a second. */
const timeText = (timeMs: number) => new Date(timeMs).toISOString();
const json = (value: unknown): ApiResponse => respond(200, wholeBody({ value }, PLAIN_JSON));
const told = ({ revision, timeMs }: Partial<Moment> & Pick<Moment, 'revision'>): HistoryMoment =>
  timeMs === undefined ? { revision } : { revision, time: timeText(timeMs) };
