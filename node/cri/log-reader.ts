import type { Clock } from '../../libs/base/clock.ts';
import type { Files, OpenFile } from '../../libs/base/host.ts';
import { LINE_END, LogFilter, type LogSelection } from './logs.ts';

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

/**
 * A log as its reader sees it, chunk by chunk, read by demand.
 *
 * Following survives rotation: once another file stands at `path`, the old one is read to its end and then those that came
 * after it, each from its start. Throws the system's error (`ENOENT`) where there is no log at first.
 */
export async function* readLog(options: ReadLogOptions): AsyncGenerator<Uint8Array> {
  const { files, path, signal } = options;
  const filter = new LogFilter(options);
  using changes = options.follow ? new ChangeWaiter(options) : undefined;
  let file = await files.open(path);
  try {
    const { sizeBytes } = await file.stat();
    let position = options.tailLines === undefined ? 0 : await tailPosition(file, sizeBytes, options.tailLines);
    // The last lines are those of now: what is written while they are read would make them more.
    const endBytes = options.tailLines !== undefined && !changes ? sizeBytes : Number.POSITIVE_INFINITY;
    // Why the end of the file is no reason to wait: the container has ended, or another file has taken its place.
    let complete: 'ended' | 'rotated' | undefined;
    while (!signal?.aborted) {
      const wantedBytes = Math.min(CHUNK_BYTES, endBytes - position);
      if (wantedBytes <= 0) break;
      const chunk = await file.readAt(position, wantedBytes);
      if (chunk.length > 0) {
        position += chunk.length;
        const out = filter.push(chunk);
        if (out.length > 0) yield out;
        if (filter.done) return;
      } else if (!changes || complete === 'ended') break;
      else if (complete === 'rotated') {
        const next = await openNext(files, path, file);
        await file[Symbol.asyncDispose]();
        file = next;
        position = 0;
        complete = undefined;
      } else if (await replaced(files, path, file)) complete = 'rotated';
      else if (options.running && !(await options.running())) complete = 'ended';
      else await changes.next();
    }
    const rest = filter.end();
    if (rest.length > 0 && !signal?.aborted) yield rest;
  } finally {
    await file[Symbol.asyncDispose]();
  }
}

/** Whether another file stands at `path` by now. None at all is no other: rotation renames first. */
async function replaced(files: LogFiles, path: string, file: OpenFile): Promise<boolean> {
  const [there, held] = await Promise.all([files.statIfExists(path), file.stat()]);
  return there !== undefined && (there.inode !== held.inode || there.device !== held.device);
}

/** What came after the file that was read: the next one that rotation has moved aside by now, else the one at `path`. */
async function openNext(files: LogFiles, path: string, file: OpenFile): Promise<OpenFile> {
  const slash = path.lastIndexOf('/');
  const [folder, name] = [path.slice(0, slash), path.slice(slash + 1)];
  const held = await file.stat();
  const aside = (await files.list(folder)).filter((one) => one.startsWith(`${name}.`)).sort();
  let passed = false;
  for (const one of aside) {
    const stat = await files.statIfExists(`${folder}/${one}`);
    // One that is removed at this moment is too old to be shown.
    const opened = passed && stat ? await files.open(`${folder}/${one}`).catch(() => undefined) : undefined;
    if (opened) return opened;
    passed ||= stat?.inode === held.inode && stat.device === held.device;
  }
  return files.open(path);
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
      this.#wake = () => {
        timer.cancel();
        this.#wake = undefined;
        resolve();
      };
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
