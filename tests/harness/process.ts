import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, readFileSync, type WriteStream } from 'node:fs';

/**
 * Child processes for tests: `run` for commands that end, `RunningProgram` for daemons. Every child is in a session of
 * its own, so that Ctrl-C in a terminal reaches only the test, which then ends its children in order.
 */

export interface RunOptions {
  readonly cwd?: string;
  /** Added to this process's environment; undefined removes a name. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string | Uint8Array;
  /** After this the child gets SIGKILL and the call rejects; default 60,000. */
  readonly timeoutMs?: number;
  /** Whether a code other than 0 rejects; default true. */
  readonly check?: boolean;
}

export interface RunResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const OUTPUT_KEPT_MAX = 4 << 20;

function mergedEnv(extra: RunOptions['env']): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, ...extra };
  // A test runner's child would otherwise speak the runner's protocol on its standard output.
  if (extra === undefined || !Object.hasOwn(extra, 'NODE_TEST_CONTEXT')) delete env.NODE_TEST_CONTEXT;
  for (const name of Object.keys(env)) if (env[name] === undefined) delete env[name];
  return env;
}

/** Runs to the end and returns what was printed. Rejects when the program is missing, times out or (`check`) fails. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { timeoutMs = 60_000, check = true } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd: options.cwd,
      env: mergedEnv(options.env),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      // Its whole session: a shell's children would keep the pipes open.
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // A child that ends without reading its input is no error of ours.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      const result = {
        code,
        signal,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      };
      const what = argv.join(' ').slice(0, 500);
      if (timedOut) reject(new Error(`no end within ${timeoutMs} ms: ${what}\n${result.stderr}${result.stdout}`));
      else if (check && code !== 0)
        reject(new Error(`${what}: ${signal ?? `code ${code}`}\n${result.stderr}${result.stdout}`));
      else resolve(result);
    });
  });
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: RunOptions['env'];
  /** Where everything it prints also goes; appended to. */
  readonly logFile?: string;
  /** Standard input stays open as `stdin`; default closed. */
  readonly stdin?: boolean;
}

/**
 * A program that runs until it is stopped. It never keeps the test process alive by itself: a test that forgets it ends
 * all the same, and the harness's warden (leftovers.ts) removes it.
 */
export class RunningProgram implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  readonly child: ChildProcess;
  /** Resolves when it has ended; never rejects. */
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  #output = '';
  #ended = false;
  readonly #watchers = new Set<() => void>();

  constructor(argv: readonly string[], options: StartOptions = {}) {
    this.name = argv.join(' ').slice(0, 200);
    this.child = spawn(argv[0]!, argv.slice(1), {
      cwd: options.cwd,
      env: mergedEnv(options.env),
      stdio: [options.stdin === true ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.pid = this.child.pid ?? -1;
    const log: WriteStream | undefined =
      options.logFile === undefined ? undefined : createWriteStream(options.logFile, { flags: 'a' });
    const take = (chunk: Buffer): void => {
      log?.write(chunk);
      this.#output += chunk.toString();
      if (this.#output.length > OUTPUT_KEPT_MAX) this.#output = this.#output.slice(-OUTPUT_KEPT_MAX / 2);
      for (const look of this.#watchers) look();
    };
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.on('data', take);
      (stream as unknown as { unref(): void }).unref();
    }
    this.child.unref();
    this.exited = new Promise((resolve) => {
      const end = (code: number | null, signal: string | null, text: string): void => {
        this.#ended = true;
        if (text !== '') take(Buffer.from(text));
        log?.end();
        resolve({ code, signal });
        for (const look of this.#watchers) look();
      };
      this.child.on('error', (error) => end(null, null, `${error.message}\n`));
      this.child.on('exit', (code, signal) => end(code, signal, ''));
    });
  }

  get running(): boolean {
    return !this.#ended;
  }

  /** What it printed so far, both streams, the newest few megabytes. */
  get output(): string {
    return this.#output;
  }

  /** Resolves once `pattern` is in the output. Rejects when the program ends first or time is up; default 10,000 ms. */
  waitFor(pattern: RegExp | string, timeoutMs = 10_000): Promise<void> {
    const found = (): boolean =>
      typeof pattern === 'string' ? this.#output.includes(pattern) : pattern.test(this.#output);
    return new Promise((resolve, reject) => {
      const finish = (problem?: string): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        if (problem === undefined) resolve();
        else
          reject(
            new Error(
              `${this.name}: ${problem} before ${pattern} was printed. Output ends:\n${this.#output.slice(-3000)}`,
            ),
          );
      };
      const look = (): void => {
        if (found()) finish();
        else if (this.#ended) finish('it ended');
      };
      const timer = setTimeout(() => finish(`${timeoutMs} ms passed`), timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** Resolves with how it ended; rejects after `timeoutMs` (default 10,000). */
  wait(timeoutMs = 10_000): Promise<{ code: number | null; signal: string | null }> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name}: still running after ${timeoutMs} ms`)), timeoutMs);
      void this.exited.then((end) => {
        clearTimeout(timer);
        resolve(end);
      });
    });
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    if (this.#ended || this.pid <= 0) return;
    try {
      process.kill(this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** SIGTERM, and SIGKILL when it is still there after `graceMs` (default 5,000). */
  async stop(graceMs = 5_000): Promise<void> {
    this.kill('SIGTERM');
    await this.wait(graceMs).catch(() => {
      this.kill('SIGKILL');
      return this.wait();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** The ticks since boot at which a process started, which with its pid names it for good; undefined when it is gone. */
export function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie holds nothing any more.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

export const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks `condition` every `everyMs` until it gives something truthy, which is returned; rejects when time is up. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = 10_000, everyMs = 20 }: { timeoutMs?: number; everyMs?: number } = {},
): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(everyMs);
  }
}
