import { PassThrough, Readable, type Writable } from 'node:stream';
import { LazyAbort } from '../base/abort.ts';
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

type Output = 'stdout' | 'stderr';

/**
 * A stream that is made when somebody asks for it: most programs read and say nothing, and V8 makes every stream of Node's
 * that can be written to old, with all that it sees (docs/decisions/closures-that-live-long.md).
 */
class LazyStream {
  readonly #made: (stream: PassThrough) => void;
  #stream: PassThrough | undefined;
  #over = false;

  /** `made` is told of the stream before anybody else has it. */
  constructor(made: (stream: PassThrough) => void) {
    this.#made = made;
  }

  get stream(): PassThrough {
    if (this.#stream) return this.#stream;
    const stream = new PassThrough();
    this.#stream = stream;
    // What a killed program still writes goes nowhere.
    stream.on('error', () => undefined);
    this.#made(stream);
    if (this.#over) stream.end();
    return stream;
  }

  /** Nothing more is written. */
  end(): void {
    this.#over = true;
    this.#stream?.end();
  }

  destroy(): void {
    this.#over = true;
    this.#stream?.destroy();
  }
}

/** A process from both of its sides: what its program sees, and what whoever started it does. */
class Running {
  readonly context: ProgramContext;
  readonly caught = new Map<string, () => void>();
  readonly exited: Promise<{ code: number | null; signal: string | null }>;
  readonly #stdin: LazyStream;
  readonly #outputs: Readonly<Record<Output, LazyStream>>;
  readonly #killed = new LazyAbort(() => new Error(`killed by ${this.#killedBy}`));
  readonly #exit = Promise.withResolvers<{ code: number | null; signal: string | null }>();
  #killedBy = '';

  /** `made` is told of each output that is used. */
  constructor(call: { pid: number } & ProcessCall, made: (stream: PassThrough, output: Output) => void) {
    const { pid, args, options } = call;
    const { env = {}, cwd = '/', input } = options;
    this.exited = this.#exit.promise;
    this.#stdin = new LazyStream((stream) => {
      if (input !== undefined) stream.write(input);
    });
    if (input !== undefined) this.#stdin.end();
    this.#outputs = {
      stdout: new LazyStream((stream) => made(stream, 'stdout')),
      stderr: new LazyStream((stream) => made(stream, 'stderr')),
    };
    this.context = new Context({ pid, args, env, cwd }, this);
  }

  get stdin(): PassThrough {
    return this.#stdin.stream;
  }

  get stdout(): PassThrough {
    return this.#outputs.stdout.stream;
  }

  get stderr(): PassThrough {
    return this.#outputs.stderr.stream;
  }

  get killed(): AbortSignal {
    return this.#killed.signal;
  }

  endInput(): void {
    this.#stdin.end();
  }

  end(code: number | null, by: string | null): void {
    if (by !== null) {
      this.#killedBy = by;
      this.#killed.abort();
    }
    this.#stdin.destroy();
    this.#outputs.stdout.end();
    this.#outputs.stderr.end();
    this.#exit.resolve({ code, signal: by });
  }
}

class Context implements ProgramContext {
  readonly pid: number;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly #process: Running;

  constructor({ pid, args, env, cwd }: Pick<ProgramContext, 'pid' | 'args' | 'env' | 'cwd'>, process: Running) {
    this.pid = pid;
    this.args = args;
    this.env = env;
    this.cwd = cwd;
    this.#process = process;
  }

  get stdin(): Readable {
    return this.#process.stdin;
  }

  get stdout(): Writable {
    return this.#process.stdout;
  }

  get stderr(): Writable {
    return this.#process.stderr;
  }

  get killed(): AbortSignal {
    return this.#process.killed;
  }

  /** A property, so that a program may take it out of its context. */
  readonly catch = (signal: string, run: () => void): void => {
    this.#process.caught.set(signal, run);
  };
}

/** What whoever started a process has of it. */
class Child implements ChildProcess {
  readonly pid: number;
  readonly exited: ChildProcess['exited'];
  readonly #process: Running;
  readonly #options: SpawnOptions;
  readonly #signal: (signal: string) => unknown;

  constructor(pid: number, process: Running, options: SpawnOptions, signal: (signal: string) => unknown) {
    this.pid = pid;
    this.exited = process.exited;
    this.#process = process;
    this.#options = options;
    this.#signal = signal;
  }

  get stdin(): Writable {
    return this.#process.stdin;
  }

  get stdout(): Readable {
    return this.#options.outputFile === undefined ? this.#process.stdout : Readable.from([]);
  }

  get stderr(): Readable {
    return this.#options.outputFile === undefined ? this.#process.stderr : Readable.from([]);
  }

  kill(signal = 'SIGTERM'): void {
    this.#signal(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#options.detached) return;
    this.kill();
    await this.exited;
  }
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
    const outputs: Partial<Record<Output, Promise<string>>> = {};
    const { process } = this.#start(program, args, options, (stream, output) => {
      outputs[output] = collect(stream, outputBytesMax);
    });
    if (input === undefined) process.endInput();
    const { code, signal: by } = await process.exited;
    if (signal?.aborted) throw signal.reason;
    const [stdout = '', stderr = ''] = [await outputs.stdout, await outputs.stderr];
    if (by === null) return { code: code ?? 0, stdout, stderr };
    return { code: 128 + (SIGNAL_NUMBERS[by] ?? 0), signal: by, stdout, stderr };
  }

  spawn(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const { outputFile } = options;
    let last = Promise.resolve();
    const { pid, process } = this.#start(program, args, options, (stream) => {
      if (outputFile === undefined) return;
      // In the order in which it comes; a full disk loses it, as it would a real program's.
      stream.on('data', (chunk: Uint8Array) => {
        last = last.then(() => this.#files.append(outputFile, chunk)).catch(() => undefined);
      });
    });
    return new Child(pid, process, options, (signal) => this.signal(pid, signal));
  }

  #start(
    program: string,
    args: readonly string[],
    options: SpawnOptions,
    made: (stream: PassThrough, output: Output) => void,
  ): { readonly pid: number; readonly process: Running } {
    const { signal } = options;
    signal?.throwIfAborted();
    const call = { program, args, options };
    this.calls.push(call);
    const main = this.#programs.get(program);
    if (main === undefined) throw systemError('ENOENT', `spawn ${program}`);
    const pid = this.#nextPid++;
    const process = new Running({ pid, ...call }, made);
    this.#running.set(pid, process);
    if (signal) {
      const abort = () => void this.signal(pid, 'SIGKILL');
      signal.addEventListener('abort', abort, { once: true });
      void process.exited.then(() => signal.removeEventListener('abort', abort));
    }
    queueMicrotask(() => void this.#execute(pid, main, process));
    return { pid, process };
  }

  signal(pid: number, signal: string | 0): boolean {
    if (!Number.isInteger(pid) || pid < 1) throw systemError('EINVAL', 'kill');
    const running = this.#running.get(pid);
    if (running === undefined) return false;
    if (signal === 0) return true;
    const handler = signal === 'SIGKILL' ? undefined : running.caught.get(signal);
    if (handler) handler();
    else this.#end(pid, null, signal);
    return true;
  }

  #end(pid: number, code: number | null, by: string | null): void {
    const running = this.#running.get(pid);
    this.#running.delete(pid);
    running?.end(code, by);
  }

  async #execute(pid: number, main: Program, process: Running): Promise<void> {
    let code: number;
    try {
      code = this.#running.has(pid) ? ((await main(process.context)) ?? 0) : 0;
    } catch (error) {
      if (this.#running.has(pid)) process.stderr.write(`${error}\n`);
      code = 1;
    }
    this.#end(pid, code, null);
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
