import type { WatchBody, WatchFrame, WatchHandle, WatchSink } from './api.ts';
import type { RequestFigures } from './request-figures.ts';

/** Who is told how a watch goes. */
export interface WatchFollower {
  /** Counts what is open and what is sent, where somebody counts. */
  readonly figures: RequestFigures | undefined;
  /** Told once when the first state has been sent, where that was asked for: a bookmark closes it, the first there is. */
  readonly listed: (() => void) | undefined;
  /** Told once when the watch is over. */
  readonly over: (() => void) | undefined;
}

/** The body of a watch, with who follows it. A class for the reason of `OpenedWatch`. */
export class FollowedBody implements WatchBody, WatchFollower {
  readonly form = 'watch';
  readonly contentType: string;
  readonly figures: RequestFigures | undefined;
  readonly listed: (() => void) | undefined;
  readonly over: (() => void) | undefined;
  readonly #body: WatchBody;

  constructor(
    body: WatchBody,
    figures: RequestFigures | undefined,
    listed: (() => void) | undefined,
    over: (() => void) | undefined,
  ) {
    this.contentType = body.contentType;
    this.figures = figures;
    this.listed = listed;
    this.over = over;
    this.#body = body;
  }

  open(sink: WatchSink): WatchHandle {
    return new OpenedWatch(sink, this).begin(this.#body);
  }
}

/**
 * A watch between the cache and its reader, for those who follow it. A class, as a cluster opens a hundred watches when it
 * starts: of literals V8 would make all later ones old, and each holds the server (`docs/decisions/closures-that-live-long.md`).
 */
export class OpenedWatch implements WatchSink, WatchHandle {
  readonly #sink: WatchSink;
  readonly #follower: WatchFollower;
  #handle: WatchHandle | undefined;
  #isListed = false;
  #closed = false;

  constructor(sink: WatchSink, follower: WatchFollower) {
    this.#sink = sink;
    this.#follower = follower;
    follower.figures?.opened();
  }

  begin(body: WatchBody): this {
    this.#handle = body.open(this);
    return this;
  }

  event(frame: WatchFrame): boolean {
    const { figures, listed } = this.#follower;
    if (figures) figures.events++;
    const taken = this.#sink.event(frame);
    if (listed && !this.#isListed && frame.type === 'BOOKMARK') {
      this.#isListed = true;
      listed();
    }
    return taken;
  }

  room(): Promise<void> | undefined {
    return this.#sink.room?.();
  }

  end(): void {
    this.#sink.end();
  }

  close(): void {
    this.#handle?.close();
    if (this.#closed) return;
    this.#closed = true;
    this.#follower.figures?.closed();
    this.#follower.over?.();
  }
}
