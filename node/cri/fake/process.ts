import { LazyAbort } from '../../../libs/base/abort.ts';
import type { Clock, Timer } from '../../../libs/base/clock.ts';
import type { Random } from '../../../libs/base/random.ts';
import {
  asError,
  type ByteDuplex,
  type ByteSource,
  bytePipe,
  type Pipe,
  pump,
} from '../../../libs/streaming/channel.ts';
import { exitStatus, type RemoteCommandSession } from '../../../libs/streaming/remotecommand.ts';
import { LogWriter } from '../logs.ts';
import type { Mount } from '../schema.generated.ts';
import type { ExecHandler, ResourceUsage, SimulatedContainer, SimulatedImage } from './image.ts';
import type { SimulatedNetwork } from './network.ts';
import { type ContainerRecord, podUidOf } from './records.ts';

/** What a process needs of the runtime around it. */
export interface ProcessHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: SimulatedNetwork;
  /** The address it listens on: the pod's, or the node's for pods on the host's network. */
  readonly ip: string;
  readonly restored: boolean;
  nowNanos(): bigint;
  appendLog(data: Uint8Array): void;
  used(usage: ResourceUsage): void;
  exited(code: number, reason: string): void;
  /** The image's function threw. */
  failed(error: Error): void;
}

/** SIGKILL, and SIGTERM without anybody who handles it. */
const KILLED = 137;
const TERMINATED = 143;

/** A running container: its function or policy, what it serves, and its end, which comes once. */
export class SimulatedProcess {
  readonly #record: ContainerRecord;
  readonly #image: SimulatedImage;
  readonly #host: ProcessHost;
  readonly #stopping = new LazyAbort(askedToEnd);
  /** Fires once the runtime knows that it has ended. */
  readonly #ended = new LazyAbort(hasEnded);
  #isEnded = false;
  readonly #exit = Promise.withResolvers<void>();
  readonly #listening: Disposable[] = [];
  readonly #stdin: Pipe<Uint8Array> | undefined;
  readonly #writers = { stdout: new LogWriter('stdout'), stderr: new LogWriter('stderr') };
  readonly #attached = new Set<RemoteCommandSession>();
  #timer: Timer | undefined;
  /** They end it where it does not end by itself. */
  #killers: readonly Timer[] = [];
  #exec: ExecHandler | undefined;
  #stop: (() => number | void | Promise<number | void>) | undefined;

  constructor(record: ContainerRecord, image: SimulatedImage, host: ProcessHost) {
    this.#record = record;
    this.#image = image;
    this.#host = host;
    this.#stdin = record.config.stdin ? bytePipe() : undefined;
  }

  /** Resolves when the process has ended. */
  get exited(): Promise<void> {
    return this.#exit.promise;
  }

  start(): void {
    const { clock, random } = this.#host;
    const { exitAtMs } = this.#record;
    if (this.#image.usage) this.#use(this.#image.usage);
    if (exitAtMs !== undefined) {
      const code = this.#image.exitCode ?? 0;
      this.#timer = clock.setTimer(() => this.end(code), Math.max(0, exitAtMs - clock.monotonic()));
    }
    if (!this.#host.restored && this.#image.failureRate && random.next() < this.#image.failureRate) {
      this.#timer?.cancel();
      this.#timer = clock.setTimer(() => this.end(1), 0);
    } else if (this.#image.run) void this.#run();
  }

  /** SIGTERM, and SIGKILL after `graceMs`; resolves when the process has ended. */
  async stop(graceMs: number): Promise<void> {
    if (graceMs <= 0) this.kill();
    else if (!this.#isEnded) {
      this.#killers = [...this.#killers, this.#host.clock.setTimer(() => this.kill(), graceMs)];
      if (!this.#stopping.aborted) {
        this.#stopping.abort();
        void this.#terminate();
      }
    }
    await this.exited;
  }

  kill(reason = 'Error'): void {
    this.end(KILLED, reason);
  }

  /** Ends the process with a code. Idempotent. */
  end(code: number, reason = code === 0 ? 'Completed' : 'Error'): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const timer of this.#killers) timer.cancel();
    this.#timer?.cancel();
    for (const listening of this.#listening) listening[Symbol.dispose]();
    const at = this.#host.nowNanos();
    for (const writer of [this.#writers.stdout, this.#writers.stderr]) {
      const rest = writer.end(at);
      if (rest.length > 0) this.#host.appendLog(rest);
    }
    this.#host.exited(code, reason);
    this.#ended.abort();
    for (const session of this.#attached) void session.finish(exitStatus(0));
    this.#attached.clear();
    this.#stdin?.cancel();
    this.#exit.resolve();
  }

  /** Runs a command in the container, to the end of `session`. Never rejects. */
  async exec(session: RemoteCommandSession, command: readonly string[], tty: boolean): Promise<void> {
    const gone = new AbortController();
    void session.closed.then(() => gone.abort(new Error('the caller has gone')));
    const ended = this.#ended.signal;
    const killed = () => {
      gone.abort(ended.reason);
      void session.finish(exitStatus(KILLED));
    };
    ended.addEventListener('abort', killed);
    const write = async (text: string) => session.stdout?.write(new TextEncoder().encode(text));
    const writeError = async (text: string) =>
      (session.stderr ?? session.stdout)?.write(new TextEncoder().encode(text));
    let code: number;
    try {
      const stdin = session.stdin ?? NO_INPUT;
      code = (await this.#exec?.({ command, tty, stdin, write, writeError, signal: gone.signal })) ?? 0;
    } catch (error) {
      code = 1;
      await writeError(`${asError(error).message}\n`).catch(() => {});
    }
    ended.removeEventListener('abort', killed);
    await session.finish(exitStatus(code));
  }

  /** Joins `session` to what the container says from now on, and to its standard input. */
  attach(session: RemoteCommandSession): void {
    this.#attached.add(session);
    void session.closed.then(() => this.#attached.delete(session));
    const stdin = this.#stdin;
    if (!session.stdin || !stdin) return;
    // The first client that ends its input ends the container's, where it was made with `stdinOnce`.
    const once = this.#record.config.stdinOnce ?? false;
    const sink = once
      ? stdin
      : { write: (chunk: Uint8Array) => stdin.write(chunk), end: async () => {}, abort: () => {} };
    pump(session.stdin, sink).catch(() => {});
  }

  async #run(): Promise<void> {
    let code: number | undefined;
    try {
      // Not within the call that starts the container: its answer comes first.
      await undefined;
      const result = await this.#image.run?.(this.#container());
      const goesOn =
        this.#listening.length > 0 || this.#exec !== undefined || this.#stop !== undefined || this.#timer !== undefined;
      code = typeof result === 'number' ? result : goesOn ? undefined : 0;
    } catch (error) {
      if (this.#isEnded) return;
      this.#write('stderr', `${asError(error).message}\n`);
      this.#host.failed(asError(error));
      code = 1;
    }
    if (code !== undefined) this.end(code);
  }

  async #terminate(): Promise<void> {
    const { clock } = this.#host;
    try {
      if (this.#stop) return this.end((await this.#stop()) ?? 0);
    } catch (error) {
      this.#write('stderr', `${asError(error).message}\n`);
      return this.end(1);
    }
    const { stopMs = 0 } = this.#image;
    if (stopMs === 0) this.end(TERMINATED);
    else if (Number.isFinite(stopMs)) {
      this.#timer?.cancel();
      this.#timer = clock.setTimer(() => this.end(TERMINATED), stopMs);
    }
  }

  #write(stream: 'stdout' | 'stderr', text: string): void {
    if (this.#isEnded) return;
    const bytes = new TextEncoder().encode(text);
    const lines = this.#writers[stream].write(bytes, this.#host.nowNanos());
    if (lines.length > 0) this.#host.appendLog(lines);
    for (const session of this.#attached) {
      const sink =
        stream === 'stderr'
          ? (session.stderr ?? (this.#record.config.tty ? session.stdout : undefined))
          : session.stdout;
      sink?.write(bytes).catch(() => this.#attached.delete(session));
    }
  }

  #use(usage: ResourceUsage): void {
    this.#host.used(usage);
    const limit = this.#record.config.linux?.resources?.memoryLimitInBytes ?? 0;
    if (limit > 0 && (usage.memoryBytes ?? 0) > limit) this.kill('OOMKilled');
  }

  #container(): SimulatedContainer {
    const { config, sandbox } = this.#record;
    const host = this.#host;
    const { metadata } = sandbox.config;
    const decoder = new TextDecoder();
    const alive = () => {
      if (this.#isEnded) throw hasEnded();
    };
    return {
      id: this.#record.id,
      name: config.metadata?.name ?? '',
      image: config.image?.userSpecifiedImage || (config.image?.image ?? ''),
      attempt: config.metadata?.attempt ?? 0,
      command: config.command ?? [],
      args: config.args ?? [],
      env: Object.fromEntries((config.envs ?? []).map(({ key, value }) => [key ?? '', decoder.decode(value)])),
      mounts: (config.mounts ?? []) as readonly Mount[],
      labels: (config.labels ?? {}) as Record<string, string>,
      annotations: (config.annotations ?? {}) as Record<string, string>,
      pod: {
        name: metadata?.name ?? '',
        namespace: metadata?.namespace ?? '',
        uid: podUidOf(sandbox),
        ip: host.ip,
        hostname: sandbox.config.hostname ?? '',
      },
      clock: host.clock,
      random: host.random,
      stopping: this.#stopping.signal,
      ended: this.#ended.signal,
      restored: host.restored,
      stdin: this.#stdin ?? NO_INPUT,
      log: (line) => this.#write('stdout', `${line}\n`),
      logError: (line) => this.#write('stderr', `${line}\n`),
      serve: (port, handler) => {
        alive();
        this.#listening.push(host.network.listen(host.ip, port, { http: handler }));
      },
      listen: (port: number, accept: (connection: ByteDuplex) => void) => {
        alive();
        this.#listening.push(host.network.listen(host.ip, port, { accept }));
      },
      onExec: (handler) => {
        this.#exec = handler;
      },
      onStop: (handler) => {
        this.#stop = handler;
      },
      sleep: (delayMs) => host.clock.sleep(delayMs, this.#ended.signal),
      exit: (code) => this.end(code),
      use: (usage) => this.#use(usage),
      fetch: (url, request) => host.network.request(url, { ...request, from: host.ip }),
    };
  }
}

const askedToEnd = () => new Error('the container was asked to end');
const hasEnded = () => new Error('the container has ended');

/** The input of a container or command that has none. */
const NO_INPUT: ByteSource = Object.freeze({
  async read() {
    return undefined;
  },
  cancel() {},
});
