import type { Clock } from '../../libs/base/clock.ts';
import type { Files, OpenFile } from '../../libs/base/host.ts';
import { LINE_END, LogFilter, type LogSelection } from './logs.ts';
import { contentOf, type RotatedLog, rotatedLogs } from './rotated-logs.ts';

/** What reading a log needs of the machine. */
export type LogFiles = Pick<Files, 'open' | 'list' | 'statIfExists' | 'watch'>;

export interface ReadLogOptions extends LogSelection {
  readonly files: LogFiles;
  readonly clock: Clock;
  readonly path: string;
  /** Goes on with what is written later, until `running` says no or `signal` is aborted. */
  readonly follow?: boolean;
  /** Asked at the end of the file, when following: does the container still write? */
  readonly running?: () => Promise<boolean>;
  readonly signal?: AbortSignal;
}

const CHUNK_BYTES = 64 * 1024;
/** A change that nobody told of (a file system without notices) is found after so long. */
const LOOK_AGAIN_MS = 1_000;
/** So long a runtime that has begun a new file may still write to the old one what it had taken by then. */
const LAST_WORDS_MS = 100;

/**
 * A log as its reader sees it, chunk by chunk, read by demand.
 *
 * Following survives rotation: once another file stands at `path`, the old one is read to its end and then those that came
 * after it, each from its start, compressed or not. Throws the system's error (`ENOENT`) where there is no log at first.
 */
export async function* readLog(options: ReadLogOptions): AsyncGenerator<Uint8Array> {
  const { files, clock, path, signal } = options;
  const filter = new LogFilter(options);
  using changes = options.follow ? new ChangeWaiter(options) : undefined;
  const place = await LogPlace.open(files, path, options.follow ?? false);
  try {
    const { sizeBytes } = await place.file.stat();
    let position = options.tailLines === undefined ? 0 : await tailPosition(place.file, sizeBytes, options.tailLines);
    // The last lines are those of now: what is written while they are read would make them more.
    const endBytes = options.tailLines !== undefined && !changes ? sizeBytes : Number.POSITIVE_INFINITY;
    // Why the end of the file is no reason to wait: the container has ended, or another file has taken its place.
    let complete: 'ended' | 'rotated' | undefined;
    while (!signal?.aborted) {
      const wantedBytes = Math.min(CHUNK_BYTES, endBytes - position);
      if (wantedBytes <= 0) break;
      const chunk = await place.file.readAt(position, wantedBytes);
      if (chunk.length > 0) {
        position += chunk.length;
        const out = filter.push(chunk);
        if (out.length > 0) yield out;
        if (filter.done) return;
      } else if (!changes || complete === 'ended') break;
      else if (complete === 'rotated') {
        for await (const packed of place.next()) {
          const out = filter.push(packed);
          if (out.length > 0) yield out;
          if (filter.done) return;
        }
        position = 0;
        complete = undefined;
      } else if (await place.replaced()) {
        complete = 'rotated';
        await clock.sleep(LAST_WORDS_MS, signal).catch(() => {});
      } else if (options.running && !(await options.running())) complete = 'ended';
      else await changes.next();
    }
    const rest = filter.end();
    if (rest.length > 0 && !signal?.aborted) yield rest;
  } finally {
    await place[Symbol.asyncDispose]();
  }
}

/** Where a reader is among the files of a log. */
class LogPlace implements AsyncDisposable {
  readonly #files: LogFiles;
  readonly #path: string;
  file: OpenFile;
  /** Of those that were moved aside, what has this name or an earlier one is done with. */
  #after: string;
  /** `#after` is the name of the file itself; else that is still at the path, or was moved aside next. */
  #named = false;

  private constructor(files: LogFiles, path: string, file: OpenFile, after: string) {
    this.#files = files;
    this.#path = path;
    this.file = file;
    this.#after = after;
  }

  /** The newest file. `follow`: where it is among the others matters. */
  static async open(files: LogFiles, path: string, follow: boolean): Promise<LogPlace> {
    for (;;) {
      const place = new LogPlace(files, path, await files.open(path), '');
      if (!follow) return place;
      place.#after = (await place.#later()).at(-1)?.name ?? '';
      // Moved aside at this moment, it may be among those that were listed.
      if (await place.#isHeld(path)) return place;
      await place[Symbol.asyncDispose]();
    }
  }

  /** Whether another file stands at the path by now. None at all is no other: rotation renames first. */
  async replaced(): Promise<boolean> {
    const isThere = (await this.#files.statIfExists(this.#path)) !== undefined;
    return isThere && !(await this.#isHeld(this.#path));
  }

  /** Goes to the next file that is not compressed; says what those that are have, on the way. */
  async *next(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const [first] = await this.#later();
      // The first to be moved aside since is this file, unless that is too old to be there at all.
      if (!this.#named && first && (first.compressed || (await this.#isHeld(first.path)))) {
        this.#after = first.name;
        this.#named = true;
        continue;
      }
      if (!first) {
        const newest = await this.#files.open(this.#path);
        const isNext = (await this.#later()).length === 0;
        if (isNext) return this.#goTo(newest, false);
        await newest[Symbol.asyncDispose]();
        continue;
      }
      this.#after = first.name;
      this.#named = true;
      // One that is removed at this moment is too old to be shown.
      const opened = await this.#files.open(first.path).catch(() => undefined);
      if (opened && !first.compressed) return this.#goTo(opened, true);
      if (!opened) continue;
      await using packed = opened;
      yield* contentOf(packed).pipeThrough(new DecompressionStream('gzip'));
    }
  }

  async #goTo(file: OpenFile, named: boolean): Promise<void> {
    await this.file[Symbol.asyncDispose]();
    this.file = file;
    this.#named = named;
  }

  async #later(): Promise<RotatedLog[]> {
    return (await rotatedLogs(this.#files, this.#path)).filter(({ name }) => name > this.#after);
  }

  async #isHeld(path: string): Promise<boolean> {
    const [there, held] = await Promise.all([this.#files.statIfExists(path), this.file.stat()]);
    return there?.inode === held.inode && there.device === held.device;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.file[Symbol.asyncDispose]();
  }
}

/** Where the last `lines` lines of a file of `sizeBytes` begin. A last line without an end counts too. */
export async function tailPosition(file: Pick<OpenFile, 'readAt'>, sizeBytes: number, lines: number): Promise<number> {
  if (lines <= 0) return sizeBytes;
  let found = 0;
  let end = sizeBytes;
  while (end > 0) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = await file.readAt(start, end - start);
    for (let i = chunk.length - 1; i >= 0; i--) {
      // The end of the very last line begins no line.
      if (chunk[i] !== LINE_END || start + i === sizeBytes - 1) continue;
      if (++found === lines) return start + i + 1;
    }
    end = start;
  }
  return 0;
}

/** Waits for the folder of a log to change, for some time to pass, or for the reader to give up. */
class ChangeWaiter implements Disposable {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #watch: Disposable | undefined;
  #changed = false;
  #wake: (() => void) | undefined;

  constructor(options: ReadLogOptions) {
    this.#clock = options.clock;
    this.#signal = options.signal;
    try {
      this.#watch = options.files.watch(options.path.slice(0, options.path.lastIndexOf('/')), () => this.#change());
    } catch {
      // No notices left (their number is limited): the timer does alone.
    }
    this.#signal?.addEventListener('abort', this.#change);
  }

  /** Resolves at once when something changed since the last call. */
  async next(): Promise<void> {
    if (this.#changed || this.#signal?.aborted) {
      this.#changed = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(() => this.#wake?.(), LOOK_AGAIN_MS);
      // By its name: a function that is written right into a property is made old at once, and keeps all that it sees.
      const wake = () => {
        timer.cancel();
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
    });
    this.#changed = false;
  }

  readonly #change = () => {
    this.#changed = true;
    this.#wake?.();
  };

  [Symbol.dispose](): void {
    this.#watch?.[Symbol.dispose]();
    this.#signal?.removeEventListener('abort', this.#change);
    this.#wake?.();
  }
}
