import { Backoff } from '../../../../libs/base/backoff.ts';
import type { Clock, Timer } from '../../../../libs/base/clock.ts';
import type { Random } from '../../../../libs/base/random.ts';
import type { GrpcChannel, GrpcDuplex } from '../../../../libs/grpc/channel.ts';
import { prefixEnd } from '../../keys.ts';
import {
  CompactedError,
  type Revision,
  StoreError,
  type StoreEvent,
  type Watch,
  type WatchHandler,
} from '../../store.ts';
import type { EtcdClient } from './client.ts';
import { etcdSchema, type WatchEvent, type WatchRequest, type WatchResponse } from './proto.ts';
import { toEntry } from './values.ts';

/** When nothing is heard for so long, etcd is asked whether it is still there. */
const QUIET_MS = 30_000;
/** How long a writer's answer waits for its event. */
const EVENT_MS = 1_000;

export interface EtcdWatchesOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly keyPrefix: string;
  /** How long a member may take to answer, or to bring a watch up to a revision, before another one is tried. */
  readonly silenceMs: number;
}

/** All watches of a store. */
export class EtcdWatches {
  readonly #options: EtcdWatchesOptions;
  readonly #watches = new Set<EtcdWatch>();

  constructor(options: EtcdWatchesOptions) {
    this.#options = options;
  }

  /** Tells everything after `after`, and of progress at least up to `current`, which etcd has reached. */
  add(prefix: string, after: Revision, current: Revision, handler: WatchHandler): Watch {
    const watch = new EtcdWatch(this.#options, prefix, after, handler, () => this.#watches.delete(watch));
    this.#watches.add(watch);
    watch.start();
    watch.reach(current);
    return watch;
  }

  /** Sees to it that every watch is told of progress up to `revision`, which etcd has reached, also without events. */
  reach(revision: Revision): void {
    for (const watch of this.#watches) watch.reach(revision);
  }

  /** Resolves when the watches that a write concerns have been told of it, as far as they keep up. */
  async told(key: string, revision: Revision): Promise<void> {
    const waits = [...this.#watches].flatMap((watch) => watch.told(key, revision) ?? []);
    if (waits.length === 0) return;
    const late = Promise.withResolvers<void>();
    const timer = this.#options.clock.setTimer(late.resolve, EVENT_MS);
    await Promise.race([Promise.all(waits), late.promise]);
    timer.cancel();
  }

  /** Ends all of them, without a reason. */
  close(): void {
    for (const watch of [...this.#watches]) watch.end(undefined);
  }
}

/**
 * One watch, on a stream of its own, so that what etcd says of progress is about this watch alone. When the stream
 * breaks, another one goes on from where it was.
 *
 * Beginning without a gap: etcd keeps what a watch from revision `r` needs only while `r` is not below the compacted
 * revision `c`; from `r = c` on it may leave out the deletion at `c`, and does not say so. So the watch is started **at**
 * `position`, whose own events have been told, and drops them: then etcd refuses just when something could be missing.
 */
class EtcdWatch implements Watch {
  readonly #options: EtcdWatchesOptions;
  readonly #prefix: string;
  readonly #handler: WatchHandler;
  readonly #gone: () => void;
  readonly #backoff: Backoff;
  #isOpen = true;
  #stream: Stream | undefined;
  /** Everything up to here has been told. */
  #position: Revision;
  /** Progress is asked for until it is here. */
  #target: Revision = 0;
  #chasing = false;
  /** Events whose rest has not come yet. */
  #pieces: WatchEvent[] = [];
  #waiting: { readonly revision: Revision; readonly resolve: () => void }[] = [];
  #heardAtMs = 0;
  #quietTimer: Timer | undefined;

  constructor(
    options: EtcdWatchesOptions,
    prefix: string,
    after: Revision,
    handler: WatchHandler,
    /** Called once, when it is closed or has ended. */
    gone: () => void,
  ) {
    this.#options = options;
    this.#prefix = prefix;
    this.#position = after;
    this.#handler = handler;
    this.#gone = gone;
    this.#backoff = new Backoff({ firstMs: 20, maxMs: 2_000, jitter: 0.3, random: options.random });
  }

  start(): void {
    void this.#run();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#quietTimer?.cancel();
    this.#release();
    this.#gone();
    this.#stream?.abort.abort();
  }

  end(reason: Error | undefined): void {
    if (!this.#isOpen) return;
    this.close();
    guard(() => this.#handler.ended(reason));
  }

  reach(revision: Revision): void {
    this.#target = Math.max(this.#target, revision);
    if (!this.#chasing && this.#position < this.#target) void this.#chase();
  }

  /** Undefined when there is nothing to wait for: it is not about this key, told already, or the stream is broken. */
  told(key: string, revision: Revision): Promise<void> | undefined {
    if (!this.#stream || this.#position >= revision || !key.startsWith(this.#prefix)) return undefined;
    return new Promise((resolve) => this.#waiting.push({ revision, resolve }));
  }

  async #run(): Promise<void> {
    const { client, clock } = this.#options;
    while (this.#isOpen) {
      const { channel } = client;
      const stream = this.#begin(channel);
      this.#stream = stream;
      this.#hear();
      try {
        for await (const answer of stream.duplex.answers) {
          this.#hear();
          this.#backoff.reset();
          this.#receive(stream, etcdSchema.decode('WatchResponse', answer) as WatchResponse);
        }
      } catch {
        // Whatever it was: it goes on from where it is, on the next stream.
      }
      this.#stream = undefined;
      this.#pieces = [];
      this.#release();
      if (!this.#isOpen) return;
      client.turnFrom(channel);
      await clock.sleep(this.#backoff.next());
    }
  }

  #begin(channel: GrpcChannel): Stream {
    const abort = new AbortController();
    const duplex = channel.duplexStream('/etcdserverpb.Watch/Watch', { signal: abort.signal });
    const stream: Stream = { duplex, abort, floor: this.#position, created: false };
    const key = this.#options.keyPrefix + this.#prefix;
    const rangeEnd = prefixEnd(key) ?? '\0';
    send(stream, {
      createRequest: { key, rangeEnd, startRevision: this.#position, prevKv: true, watchId: 1, fragment: true },
    });
    return stream;
  }

  #receive(stream: Stream, response: WatchResponse): void {
    const { events, compactRevision, cancelReason } = response;
    if (response.canceled) {
      const reason =
        compactRevision > 0
          ? new CompactedError(this.#position, compactRevision)
          : new StoreError('unavailable', `etcd ended the watch: ${cancelReason || 'without a reason'}`);
      this.end(reason);
    } else if (response.created) {
      stream.created = true;
      guard(() => this.#handler.progress(this.#position));
    } else if (events.length > 0) this.#events(stream, events, response.fragment);
    else this.#progress(response.header.revision);
  }

  #events(stream: Stream, events: readonly WatchEvent[], unfinished: boolean): void {
    for (const event of events) if (event.kv.modRevision > stream.floor) this.#pieces.push(event);
    if (unfinished) return;
    const pieces = this.#pieces;
    this.#pieces = [];
    const last = pieces.at(-1);
    if (!last) return;
    let batch: StoreEvent[];
    try {
      batch = pieces.map((event) => toEvent(event, this.#options.keyPrefix.length));
    } catch (error) {
      this.end(error as Error);
      return;
    }
    guard(() => this.#handler.events(batch));
    this.#progress(last.kv.modRevision);
  }

  #progress(revision: Revision): void {
    if (!this.#isOpen || revision <= this.#position) return;
    this.#position = revision;
    guard(() => this.#handler.progress(revision));
    for (const one of this.#waiting) if (one.revision <= revision) one.resolve();
    this.#waiting = this.#waiting.filter((one) => one.revision > revision);
  }

  /** Who waits for an event need not wait longer. */
  #release(): void {
    for (const one of this.#waiting) one.resolve();
    this.#waiting = [];
  }

  /** Asks for progress until it is there; etcd answers once it has told everything. */
  async #chase(): Promise<void> {
    const { clock, silenceMs } = this.#options;
    this.#chasing = true;
    const waits = new Backoff({ firstMs: 5, maxMs: 100 });
    let stream = this.#stream;
    let sinceMs = clock.monotonic();
    while (this.#isOpen && this.#position < this.#target) {
      if (stream !== this.#stream) {
        stream = this.#stream;
        sinceMs = clock.monotonic();
      }
      if (stream && clock.monotonic() - sinceMs > silenceMs) stream.abort.abort();
      else if (stream?.created) send(stream, { progressRequest: {} });
      await clock.sleep(waits.next());
    }
    this.#chasing = false;
  }

  /** Something came over the stream, or it is new. */
  #hear(): void {
    this.#heardAtMs = this.#options.clock.monotonic();
    if (this.#quietTimer === undefined) this.#listen(QUIET_MS);
  }

  #listen(delayMs: number): void {
    const { clock, silenceMs } = this.#options;
    this.#quietTimer = clock.setTimer(() => {
      this.#quietTimer = undefined;
      const stream = this.#stream;
      if (!stream) return;
      const quietMs = clock.monotonic() - this.#heardAtMs;
      if (quietMs < QUIET_MS) return this.#listen(QUIET_MS - quietMs);
      if (quietMs >= QUIET_MS + silenceMs) return stream.abort.abort();
      send(stream, { progressRequest: {} });
      this.#listen(silenceMs);
    }, delayMs);
  }
}

interface Stream {
  readonly duplex: GrpcDuplex;
  readonly abort: AbortController;
  /** Events up to here were told before it began. */
  readonly floor: Revision;
  /** etcd has confirmed the watch. */
  created: boolean;
}

function send(stream: Stream, request: WatchRequest): void {
  stream.duplex.send(etcdSchema.encode('WatchRequest', request));
}

/** Throws `CompactedError` when what was there before has been forgotten already. */
function toEvent({ type, kv, prevKv }: WatchEvent, prefixLength: number): StoreEvent {
  const { modRevision: revision, createRevision } = kv;
  const isNew = type === 'PUT' && createRevision === revision;
  if (!isNew && !prevKv) throw new CompactedError(revision - 1, revision);
  return {
    type: type === 'PUT' ? 'put' : 'delete',
    key: kv.key.slice(prefixLength),
    revision,
    entry: type === 'PUT' ? toEntry(kv, prefixLength) : undefined,
    previous: prevKv && toEntry(prevKv, prefixLength),
  };
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
