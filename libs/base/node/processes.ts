import { type ChildProcess as NodeChild, spawn as nodeSpawn, type StdioOptions } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync, statSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { Readable, Writable } from 'node:stream';
import type { ChildProcess, Processes, ProcessOptions, RunResult, SpawnOptions } from '../host.ts';

const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
/** How long a process that was asked to end may take before it is killed. */
const GRACE_MS = 5_000;
/** A terminal's Ctrl-C is for us alone: what we started is ended in its turn. */
const OUT_OF_TERMINAL = { detached: process.platform !== 'win32' };

/** The machine's processes. */
export function createNodeProcesses(): Processes {
  return {
    run,
    spawn,
    signal(pid, signal) {
      // 0 and below would reach whole process groups.
      if (!Number.isInteger(pid) || pid < 1) throw systemError('EINVAL', `${pid} is no process id`);
      try {
        const there = process.kill(pid, signal as NodeJS.Signals | 0);
        return signal === 0 ? there && !isZombie(pid) : there;
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code;
        if (code === 'ESRCH') return false;
        if (code === 'EPERM' && signal === 0) return true;
        throw error;
      }
    },
  };
}

function run(program: string, args: readonly string[], options: ProcessOptions = {}): Promise<RunResult> {
  const { input, signal, outputBytesMax = OUTPUT_BYTES_MAX } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stdio: StdioOptions = [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'];
    const child = nodeSpawn(program, args, { ...environment(options), ...OUT_OF_TERMINAL, stdio });
    const stdout = collect(child.stdout, outputBytesMax);
    const stderr = collect(child.stderr, outputBytesMax);
    const abort = () => {
      child.kill('SIGKILL');
      for (const stream of child.stdio) stream?.destroy();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
    child.on('error', (error) => {
      signal?.removeEventListener('abort', abort);
      reject(error);
    });
    // 'close', not 'exit': all of the output has been read by then.
    child.on('close', (code, by) => {
      signal?.removeEventListener('abort', abort);
      resolve({ ...exitOf(code, by), stdout: stdout(), stderr: stderr() });
    });
    feed(child.stdin, input);
  });
}

function spawn(program: string, args: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const { input, signal, detached = false, outputFile } = options;
  signal?.throwIfAborted();
  const file = outputFile === undefined ? undefined : openSync(outputFile, 'a', 0o600);
  // What outlives us must not hold a pipe to us.
  const output = file ?? (detached ? 'ignore' : 'pipe');
  let child: NodeChild;
  try {
    const stdio: StdioOptions = [detached ? 'ignore' : 'pipe', output, output];
    child = nodeSpawn(program, args, { ...environment(options), ...OUT_OF_TERMINAL, stdio });
  } finally {
    if (file !== undefined) closeSync(file);
  }
  // Node tells of a program that is not there one turn later; here the caller learns it at once.
  child.on('error', () => undefined);
  const { pid } = child;
  if (pid === undefined) throw whyNotStarted(program, options);

  const abort = () => child.kill('SIGKILL');
  signal?.addEventListener('abort', abort, { once: true });
  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.on('exit', (code, by) => {
      signal?.removeEventListener('abort', abort);
      resolve({ code, signal: by });
    });
  });
  if (detached) child.unref();
  feed(child.stdin, input, 'stay open');
  return {
    pid,
    stdin: child.stdin ?? new Writable({ write: (_data, _encoding, done) => done() }),
    stdout: child.stdout ?? Readable.from([]),
    stderr: child.stderr ?? Readable.from([]),
    exited,
    kill: (name = 'SIGTERM') => void child.kill(name as NodeJS.Signals),
    async [Symbol.asyncDispose]() {
      if (detached) return;
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
      await exited;
      clearTimeout(kill);
    },
  };
}

function environment({ env, cwd }: ProcessOptions) {
  return { env: { ...process.env, ...env }, cwd };
}

/** Collects a stream's text up to `bytesMax`; what comes after is read and dropped, so that the writer is not stopped. */
function collect(stream: Readable | null, bytesMax: number): () => string {
  const chunks: Buffer[] = [];
  let left = bytesMax;
  stream?.on('data', (chunk: Buffer) => {
    if (left <= 0) return;
    chunks.push(chunk.subarray(0, left));
    left -= chunk.length;
  });
  stream?.on('error', () => undefined);
  return () => Buffer.concat(chunks).toString('utf8');
}

function feed(stdin: Writable | null, input: string | Uint8Array | undefined, after?: 'stay open'): void {
  // A program may end without reading its input: no error of ours.
  stdin?.on('error', () => undefined);
  if (input !== undefined) stdin?.end(input);
  else if (after === undefined) stdin?.end();
}

function exitOf(code: number | null, by: NodeJS.Signals | null): { code: number; signal?: string } {
  if (by === null) return { code: code ?? 0 };
  return { code: 128 + (osConstants.signals[by] ?? 0), signal: by };
}

function whyNotStarted(program: string, { env, cwd }: SpawnOptions): Error {
  if (cwd !== undefined && !statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) {
    return systemError('ENOENT', `${program}: there is no folder ${cwd} to start it in`);
  }
  const path = env?.PATH ?? process.env.PATH ?? '';
  const places = program.includes('/') ? [program] : path.split(delimiter).map((folder) => join(folder, program));
  const found = places.filter((place) => statSync(place, { throwIfNoEntry: false })?.isFile());
  if (found.length === 0) return systemError('ENOENT', `${program}: there is no such program`);
  const runnable = found.some((place) => {
    try {
      accessSync(place, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (!runnable) return systemError('EACCES', `${program}: not allowed to run ${found[0]}`);
  return systemError('EAGAIN', `${program}: the system cannot start another process`);
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}

/** A process that has ended but that nobody has collected still takes signals; it is not there for any other purpose. */
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) === 'Z';
  } catch {
    return false; // no /proc here, or it has gone just now
  }
}
