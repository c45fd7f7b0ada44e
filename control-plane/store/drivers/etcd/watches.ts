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

/** While there are watches and nothing is heard for so long, etcd is asked whether it is still there. */
const QUIET_MS = 30_000;
/** How long a writer's answer waits for its event. */
const EVENT_MS = 1_000;

export interface EtcdWatchesOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly keyPrefix: string;
  /** How long a member may take to answer, or to bring watches up to a revision, before another one is tried. */
  readonly silenceMs: number;
}

/**
 * All watches of a store, on one stream to etcd. The stream is made anew when it breaks, and every watch goes on from
 * where it was.
 *
 * Starting without a gap: etcd keeps what a watch from revision `r` needs only while `r` is not below the compacted
 * revision `c`; from `r = c` on it may leave out the deletion at `c`, and does not say so. So a watch that has to tell
 * everything after `position` is started **at** `position`, and what it tells of `position` itself is dropped: then etcd
 * refuses just when something could be missing. Such a start waits for etcd's next round (100 ms), so a watch from the
 * present is started after it; if something was written in between, it is started over in the careful way.
 */
export class EtcdWatches {
  readonly #client: EtcdClient;
  readonly #clock: Clock;
  readonly #keyPrefix: string;
  readonly #silenceMs: number;
  readonly #watchers = new Map<number, Watcher>();
  readonly #backoff: Backoff;
  #nextId = 1;
  #stream: Stream | undefined;
  #running = false;
  #closed = false;
  /** Progress is asked for until every watch has reached this. */
  #target: Revision = 0;
  #chasing = false;
  #heardAtMs = 0;
  #quietTimer: Timer | undefined;

  constructor(options: EtcdWatchesOptions) {
    this.#silenceMs = options.silenceMs;
    this.#client = options.client;
    this.#clock = options.clock;
    this.#keyPrefix = options.keyPrefix;
    this.#backoff = new Backoff({ firstMs: 20, maxMs: 2_000, jitter: 0.3, random: options.random });
  }

  /** Tells everything after `after`, which is within history; `current` is a revision that etcd has reached. */
  add(prefix: string, after: Revision, current: Revision, handler: WatchHandler): Watch {
    const watcher: Watcher = {
      id: this.#nextId++,
      prefix,
      handler,
      position: after,
      careful: after < current,
      floor: after,
      created: false,
      pieces: [],
      waiting: [],
    };
    this.#watchers.set(watcher.id, watcher);
    if (this.#stream) this.#create(this.#stream, watcher);
    if (!this.#running) void this.#run();
    this.reach(current);
    return {
      close: () => {
        if (this.#watchers.get(watcher.id) === watcher) this.#drop(watcher, true);
      },
    };
  }

  /** Sees to it that every watch is told of progress up to `revision`, which etcd has reached, also without events. */
  reach(revision: Revision): void {
    this.#target = Math.max(this.#target, revision);
    if (!this.#chasing && this.#isBehind()) void this.#chase();
  }

  /** Resolves when the watches that a write concerns have been told of it, as far as they keep up. */
  async told(key: string, revision: Revision): Promise<void> {
    const waits: Promise<void>[] = [];
    for (const watcher of this.#watchers.values()) {
      if (!watcher.created || watcher.position >= revision || !key.startsWith(watcher.prefix)) continue;
      waits.push(new Promise((resolve) => watcher.waiting.push({ revision, resolve })));
    }
    if (waits.length === 0) return;
    const late = Promise.withResolvers<void>();
    const timer = this.#clock.setTimer(late.resolve, EVENT_MS);
    await Promise.race([Promise.all(waits), late.promise]);
    timer.cancel();
  }

  close(): void {
    this.#closed = true;
    for (const watcher of [...this.#watchers.values()]) this.#end(watcher, undefined);
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#watchers.size > 0 && !this.#closed) {
      const { channel } = this.#client;
      const abort = new AbortController();
      const duplex = channel.duplexStream('/etcdserverpb.Watch/Watch', { signal: abort.signal });
      const stream: Stream = { channel, duplex, abort };
      this.#stream = stream;
      this.#hear();
      for (const watcher of [...this.#watchers.values()]) this.#create(stream, watcher);
      try {
        for await (const answer of duplex.answers) {
          this.#hear();
          this.#backoff.reset();
          this.#receive(etcdSchema.decode('WatchResponse', answer) as WatchResponse);
        }
      } catch {
        // Whatever it was: the watches go on from where they are, on the next stream.
      }
      this.#stream = undefined;
      this.#quietTimer?.cancel();
      for (const watcher of this.#watchers.values()) lose(watcher);
      if (this.#watchers.size === 0 || this.#closed) break;
      this.#client.turnFrom(channel);
      await this.#clock.sleep(this.#backoff.next());
    }
    this.#running = false;
    if (this.#watchers.size > 0 && !this.#closed) void this.#run();
  }

  #create(stream: Stream, watcher: Watcher): void {
    // A new id each time: answers to an earlier attempt must not be taken for this one's.
    this.#watchers.delete(watcher.id);
    watcher.id = this.#nextId++;
    this.#watchers.set(watcher.id, watcher);
    watcher.floor = watcher.position;
    const key = this.#keyPrefix + watcher.prefix;
    const startRevision = watcher.careful ? watcher.position : watcher.position + 1;
    const rangeEnd = prefixEnd(key) ?? '\0';
    const createRequest = { key, rangeEnd, startRevision, prevKv: true, watchId: watcher.id, fragment: true };
    send(stream, { createRequest });
  }

  #receive(response: WatchResponse): void {
    const { watchId, header, events } = response;
    const isProgress = !response.created && !response.canceled && events.length === 0;
    if (isProgress) {
      for (const watcher of [...this.#watchers.values()]) {
        if (watcher.created && (watchId === -1 || watchId === watcher.id)) this.#progress(watcher, header.revision);
      }
      return;
    }
    const watcher = this.#watchers.get(watchId);
    if (!watcher) return;
    if (response.canceled) return this.#canceled(watcher, response);
    if (response.created) this.#created(watcher, header.revision);
    else this.#events(watcher, events, response.fragment);
  }

  #created(watcher: Watcher, revision: Revision): void {
    if (!watcher.careful && revision > watcher.position) {
      if (this.#stream) {
        send(this.#stream, { cancelRequest: { watchId: watcher.id } });
        watcher.careful = true;
        this.#create(this.#stream, watcher);
        this.reach(revision);
      }
      return;
    }
    watcher.created = true;
    if (!watcher.careful) guard(() => watcher.handler.progress(watcher.position));
    // After a break it goes on from where it is then.
    watcher.careful = true;
  }

  #canceled(watcher: Watcher, { compactRevision, cancelReason }: WatchResponse): void {
    const reason =
      compactRevision > 0
        ? new CompactedError(watcher.position, compactRevision)
        : new StoreError('unavailable', `etcd ended the watch: ${cancelReason || 'without a reason'}`);
    this.#end(watcher, reason);
  }

  #events(watcher: Watcher, events: readonly WatchEvent[], unfinished: boolean): void {
    for (const event of events) if (event.kv.modRevision > watcher.floor) watcher.pieces.push(event);
    if (unfinished) return;
    const { pieces } = watcher;
    watcher.pieces = [];
    const last = pieces.at(-1);
    if (!last) return;
    const batch: StoreEvent[] = [];
    try {
      for (const event of pieces) batch.push(toEvent(event, this.#keyPrefix.length));
    } catch (error) {
      this.#end(watcher, error as Error);
      return;
    }
    guard(() => watcher.handler.events(batch));
    if (this.#isOpen(watcher)) this.#progress(watcher, last.kv.modRevision);
  }

  #progress(watcher: Watcher, revision: Revision): void {
    if (revision <= watcher.position) return;
    watcher.position = revision;
    guard(() => watcher.handler.progress(revision));
    if (watcher.waiting.length === 0) return;
    const { waiting } = watcher;
    watcher.waiting = waiting.filter((one) => one.revision > watcher.position);
    for (const one of waiting) if (one.revision <= watcher.position) one.resolve();
  }

  #end(watcher: Watcher, reason: Error | undefined): void {
    if (!this.#isOpen(watcher)) return;
    this.#drop(watcher, false);
    guard(() => watcher.handler.ended(reason));
  }

  #drop(watcher: Watcher, tell: boolean): void {
    this.#watchers.delete(watcher.id);
    lose(watcher);
    if (tell && this.#stream) send(this.#stream, { cancelRequest: { watchId: watcher.id } });
    if (this.#watchers.size === 0) this.#stream?.abort.abort();
  }

  #isOpen(watcher: Watcher): boolean {
    return this.#watchers.get(watcher.id) === watcher;
  }

  #isBehind(): boolean {
    for (const watcher of this.#watchers.values()) if (watcher.position < this.#target) return true;
    return false;
  }

  /** Asks for progress until nobody is behind. etcd answers once it has told all watches of a stream everything. */
  async #chase(): Promise<void> {
    this.#chasing = true;
    const waits = new Backoff({ firstMs: 10, maxMs: 200 });
    let since = this.#clock.monotonic();
    for (let stream = this.#stream; this.#isBehind() && !this.#closed; ) {
      if (stream !== this.#stream) {
        stream = this.#stream;
        since = this.#clock.monotonic();
      }
      if (stream && this.#clock.monotonic() - since > this.#silenceMs) stream.abort.abort();
      else if (stream) send(stream, { progressRequest: {} });
      await this.#clock.sleep(waits.next());
    }
    this.#chasing = false;
  }

  /** Something came over the stream. */
  #hear(): void {
    this.#heardAtMs = this.#clock.monotonic();
    if (this.#quietTimer === undefined) this.#listen(QUIET_MS);
  }

  #listen(delayMs: number): void {
    this.#quietTimer = this.#clock.setTimer(() => {
      this.#quietTimer = undefined;
      const stream = this.#stream;
      if (!stream) return;
      const quietMs = this.#clock.monotonic() - this.#heardAtMs;
      if (quietMs < QUIET_MS) return this.#listen(QUIET_MS - quietMs);
      if (quietMs >= QUIET_MS + this.#silenceMs) return stream.abort.abort();
      send(stream, { progressRequest: {} });
      this.#listen(this.#silenceMs);
    }, delayMs);
  }
}

interface Stream {
  readonly channel: GrpcChannel;
  readonly duplex: GrpcDuplex;
  readonly abort: AbortController;
}

interface Watcher {
  id: number;
  readonly prefix: string;
  readonly handler: WatchHandler;
  /** Everything up to here has been told. */
  position: Revision;
  /** Starts at `position`, not after it. */
  careful: boolean;
  /** Events up to here were told before this start. */
  floor: Revision;
  /** etcd has confirmed it on this stream. */
  created: boolean;
  /** Events whose rest has not come yet. */
  pieces: WatchEvent[];
  waiting: { readonly revision: Revision; readonly resolve: () => void }[];
}

/** The stream is gone, or the watch: who waits for its events need not wait longer. */
function lose(watcher: Watcher): void {
  watcher.created = false;
  watcher.pieces = [];
  for (const one of watcher.waiting) one.resolve();
  watcher.waiting = [];
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
