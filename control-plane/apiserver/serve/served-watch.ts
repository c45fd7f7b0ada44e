import type { Clock } from '../../../libs/base/clock.ts';
import type { WatchFrame, WatchSink } from '../api.ts';
import type { WatchOutput } from './exchange.ts';

/** Longest stretch of writing before others get their turn. */
const STEP_MS = 4;
const WATCHES_PER_LOOK = 32;
/** More than these are written to when others have had their turn: all of them being told has taken its time already. */
const WATCHES_AT_ONCE = 200;

/**
 * Writes what watches were told in one turn together: an event that a thousand watchers are told is written a thousand
 * times after all of them know it, and several events for one watcher are one write.
 */
export class WatchFlusher {
  readonly #clock: Clock;
  readonly #waiting = new Set<ServedWatch>();
  #scheduled = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(watch: ServedWatch): void {
    this.#waiting.add(watch);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => void this.#flush());
  }

  remove(watch: ServedWatch): void {
    this.#waiting.delete(watch);
  }

  async #flush(): Promise<void> {
    if (this.#waiting.size > WATCHES_AT_ONCE) await this.#clock.yield();
    let stepEndMs = this.#clock.monotonic() + STEP_MS;
    let count = 0;
    for (const watch of this.#waiting) {
      this.#waiting.delete(watch);
      watch.flush();
      if (++count % WATCHES_PER_LOOK !== 0 || this.#clock.monotonic() < stepEndMs) continue;
      await this.#clock.yield();
      stepEndMs = this.#clock.monotonic() + STEP_MS;
    }
    this.#scheduled = false;
  }
}

/** The reader of a watch at the other end of a connection. */
export class ServedWatch implements WatchSink {
  readonly #output: WatchOutput;
  readonly #flusher: WatchFlusher;
  readonly #bufferBytes: number;
  readonly #ended: () => void;
  #frames: Uint8Array[] = [];
  #bytes = 0;
  /** What the output holds at most: to ask it costs as much as half a write, and most readers never fall behind. */
  #unsentAtMost = 0;
  #over = false;
  #room: { readonly promise: Promise<void>; readonly open: () => void } | undefined;

  /** `ended` is told when the server's side has ended the watch. */
  constructor(output: WatchOutput, flusher: WatchFlusher, bufferBytes: number, ended: () => void) {
    this.#output = output;
    this.#flusher = flusher;
    this.#bufferBytes = bufferBytes;
    this.#ended = ended;
    output.onDrain(() => this.#openRoom());
  }

  event(frame: WatchFrame): boolean {
    if (this.#over) return false;
    const bytes = frame.bytes();
    this.#frames.push(bytes);
    this.#bytes += bytes.length;
    this.#flusher.add(this);
    return true;
  }

  room(): Promise<void> | undefined {
    if (this.#over || this.#unsentAtMost + this.#bytes < this.#bufferBytes) return undefined;
    this.flush();
    this.#unsentAtMost = this.#output.bufferedBytes;
    if (this.#unsentAtMost < this.#bufferBytes) return undefined;
    if (!this.#room) {
      let open: () => void = () => {};
      const promise = new Promise<void>((resolve) => {
        open = resolve;
      });
      this.#room = { promise, open };
    }
    return this.#room.promise;
  }

  end(): void {
    if (this.#over) return;
    this.flush();
    this.gone();
    this.#output.end();
    this.#ended();
  }

  /** Writes what has come since the last time. */
  flush(): void {
    if (this.#over || this.#frames.length === 0) return;
    const frames = this.#frames;
    this.#unsentAtMost += this.#bytes;
    this.#frames = [];
    this.#bytes = 0;
    this.#output.write(frames);
  }

  /** The reader is no longer there. */
  gone(): void {
    this.#over = true;
    this.#flusher.remove(this);
    this.#frames = [];
    this.#openRoom();
  }

  #openRoom(): void {
    this.#room?.open();
    this.#room = undefined;
  }
}
