import { PassThrough, Readable, type Writable } from 'node:stream';
import type { ChildProcess, Files, Processes, ProcessOptions, RunResult, SpawnOptions } from '../base/host.ts';
import { systemError } from './system-error.ts';

/** What a program sees of itself. */
export interface ProgramContext {
  readonly pid: number;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Fires when the process is killed, by whatever signal. */
  readonly killed: AbortSignal;
  /** From now on that signal calls `run` in place of ending the process. SIGKILL cannot be caught. */
  catch(signal: string, run: () => void): void;
}

/** A function is a program; what it returns is the exit code (nothing: 0). What it throws is told on stderr, code 1. */
export type Program = (context: ProgramContext) => number | undefined | void | Promise<number | undefined | void>;

/** One start of a program, for asserting on. */
export interface ProcessCall {
  readonly program: string;
  readonly args: readonly string[];
  readonly options: SpawnOptions;
}

interface Running {
  readonly end: (code: number | null, signal: string | null) => void;
  readonly caught: Map<string, () => void>;
}

/**
 * Processes as functions. A program that nobody defined is not there (`ENOENT`).
 *
 *     host.processes.program('nft', ({ args, stdout }) => { stdout.write('table inet x'); });
 *     await host.processes.run('nft', ['list', 'tables']);       // { code: 0, stdout: 'table inet x', stderr: '' }
 *     host.processes.calls.at(-1)?.args;                         // ['list', 'tables']
 */
export class MemoryProcesses implements Processes {
  readonly calls: ProcessCall[] = [];
  readonly #programs = new Map<string, Program>();
  readonly #running = new Map<number, Running>();
  readonly #files: Files;
  #nextPid = 1000;

  /** `files` are where `outputFile` lies. */
  constructor(files: Files) {
    this.#files = files;
  }

  /** Defines a program, by the name that callers use. */
  program(name: string, main: Program): void {
    this.#programs.set(name, main);
  }

  /** The ids of the processes that run. */
  get running(): readonly number[] {
    return [...this.#running.keys()];
  }

  async run(program: string, args: readonly string[], options: ProcessOptions = {}): Promise<RunResult> {
    const { signal, outputBytesMax = 16 * 1024 * 1024, input } = options;
    const child = this.spawn(program, args, options);
    if (input === undefined) child.stdin.end();
    const outputs = [child.stdout, child.stderr].map((stream) => collect(stream, outputBytesMax));
    const { code, signal: by } = await child.exited;
    if (signal?.aborted) throw signal.reason;
    const [stdout = '', stderr = ''] = await Promise.all(outputs);
    if (by === null) return { code: code ?? 0, stdout, stderr };
    return { code: 128 + (SIGNAL_NUMBERS[by] ?? 0), signal: by, stdout, stderr };
  }

  spawn(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const { input, signal, env = {}, cwd = '/', outputFile } = options;
    signal?.throwIfAborted();
    this.calls.push({ program, args, options });
    const main = this.#programs.get(program);
    if (main === undefined) throw systemError('ENOENT', `spawn ${program}`);
    const pid = this.#nextPid++;
    const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const killed = new AbortController();
    const caught = new Map<string, () => void>();
    const kill = (name: string) => this.signal(pid, name);
    const abort = () => kill('SIGKILL');
    const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      const end = (code: number | null, by: string | null) => {
        if (!this.#running.delete(pid)) return;
        signal?.removeEventListener('abort', abort);
        if (by !== null) killed.abort(new Error(`killed by ${by}`));
        stdin.destroy();
        stdout.end();
        stderr.end();
        resolve({ code, signal: by });
      };
      this.#running.set(pid, { end, caught });
    });
    signal?.addEventListener('abort', abort, { once: true });
    // What a killed program still writes goes nowhere.
    for (const stream of [stdin, stdout, stderr]) stream.on('error', () => undefined);
    if (input !== undefined) stdin.end(input);
    const context: ProgramContext = {
      ...{ pid, args, env, cwd, stdin, stdout, stderr },
      killed: killed.signal,
      catch: (name, run) => void caught.set(name, run),
    };
    if (outputFile !== undefined) this.#keep([stdout, stderr], outputFile);
    queueMicrotask(() => void this.#execute(pid, main, context));
    return {
      ...{ pid, stdin, exited },
      stdout: outputFile === undefined ? stdout : Readable.from([]),
      stderr: outputFile === undefined ? stderr : Readable.from([]),
      kill: (name = 'SIGTERM') => void kill(name),
      async [Symbol.asyncDispose]() {
        if (options.detached) return;
        kill('SIGTERM');
        await exited;
      },
    };
  }

  signal(pid: number, signal: string | 0): boolean {
    if (!Number.isInteger(pid) || pid < 1) throw systemError('EINVAL', 'kill');
    const running = this.#running.get(pid);
    if (running === undefined) return false;
    if (signal === 0) return true;
    const handler = signal === 'SIGKILL' ? undefined : running.caught.get(signal);
    if (handler) handler();
    else running.end(null, signal);
    return true;
  }

  /** Appends what comes from the streams, in its order; a full disk loses it, as it would a real program's. */
  #keep(streams: readonly Readable[], outputFile: string): void {
    let last = Promise.resolve();
    for (const stream of streams) {
      stream.on('data', (chunk: Uint8Array) => {
        last = last.then(() => this.#files.append(outputFile, chunk)).catch(() => undefined);
      });
    }
  }

  async #execute(pid: number, main: Program, context: ProgramContext): Promise<void> {
    let code: number;
    try {
      code = this.#running.has(pid) ? ((await main(context)) ?? 0) : 0;
    } catch (error) {
      if (!context.killed.aborted) context.stderr.write(`${error}\n`);
      code = 1;
    }
    this.#running.get(pid)?.end(code, null);
  }
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
};

function collect(stream: Readable, bytesMax: number): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = [];
    let left = bytesMax;
    stream.on('data', (chunk: Uint8Array) => {
      if (left <= 0) return;
      chunks.push(chunk.subarray(0, left));
      left -= chunk.length;
    });
    stream.once('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}
