import type { Status } from '../machinery/errors.ts';
import { asError, type ByteSink, type ByteSource, bytePipe, Pipe, pump, type Sink, type Source } from './channel.ts';

/**
 * Exec and attach as streams, whatever carries them.
 *
 * There are two ends. `RemoteCommandStreams` is the caller's: what one gets who runs a command. `RemoteCommandSession`
 * is the answering one: what a server has accepted from a client. The API server and the kubelet hold one of each and
 * `bridge` them; a container's implementation (the simulated one) holds a session alone.
 *
 *     client ── WebSocket v5 ──▶ session │ bridge │ streams ── SPDY v4 ──▶ container runtime
 *
 * A stream that was not asked for is absent. With a terminal there is no stderr: the terminal mixes both into stdout.
 */
export interface RemoteCommandStreams {
  /** `end` closes the command's standard input, where the protocol can (WebSocket v4 cannot). */
  readonly stdin?: ByteSink;
  readonly stdout?: ByteSource;
  readonly stderr?: ByteSource;
  /** Present with a terminal. */
  readonly resize?: Sink<TerminalSize>;
  /** How the command ended. Rejects when the connection broke before that was known. */
  readonly status: Promise<ExitStatus>;
  /** Gives up: the connection is closed and the streams break. Whether the command ends too is the runtime's to say. */
  close(reason?: Error): void;
}

export interface RemoteCommandSession {
  readonly stdin?: ByteSource;
  readonly stdout?: ByteSink;
  readonly stderr?: ByteSink;
  readonly resize?: Source<TerminalSize>;
  /** Tells the client how the command ended, after all output, and ends the connection. Idempotent; never rejects. */
  finish(status: ExitStatus): Promise<void>;
  /** Resolves when the client has gone, or after `finish`. Never rejects. */
  readonly closed: Promise<void>;
}

/** Which streams a command has. What `exec` and `attach` requests say in their query. */
export interface RemoteCommandOptions {
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly tty?: boolean;
}

export interface TerminalSize {
  readonly width: number;
  readonly height: number;
}

/** The `Status` that ends a command; what the protocols send on their error stream. */
export type ExitStatus = Pick<Status, 'status' | 'message' | 'reason' | 'details'> & {
  readonly metadata?: object;
  readonly code?: number;
};

/** The reason and the cause by which clients find an exit code. */
export const NON_ZERO_EXIT_CODE = 'NonZeroExitCode';
export const EXIT_CODE_CAUSE = 'ExitCode';

/** The protocols, in the order in which a server likes to speak them. v5 adds the half-close to WebSockets. */
export const REMOTE_COMMAND_PROTOCOLS = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v3.channel.k8s.io',
  'v2.channel.k8s.io',
  'channel.k8s.io',
] as const;
export type RemoteCommandProtocol = (typeof REMOTE_COMMAND_PROTOCOLS)[number];

/** The status of a command that ended with `code`. */
export function exitStatus(code: number): ExitStatus {
  if (code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${code}`,
    reason: NON_ZERO_EXIT_CODE,
    details: { causes: [{ reason: EXIT_CODE_CAUSE, message: String(code) }] },
  };
}

/** The status of a command that could not be run, or whose end is not known. */
export function errorStatus(error: unknown): ExitStatus {
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${asError(error).message}`,
    reason: 'InternalError',
    details: { causes: [{ message: asError(error).message }] },
    code: 500,
  };
}

/** The exit code in a status; undefined where the command did not end by itself. */
export function exitCodeOf(status: ExitStatus): number | undefined {
  if (status.status === 'Success') return 0;
  if (status.reason !== NON_ZERO_EXIT_CODE) return undefined;
  const cause = status.details?.causes?.find((c) => c.reason === EXIT_CODE_CAUSE);
  const code = Number(cause?.message);
  return cause?.message && Number.isInteger(code) ? code : undefined;
}

/**
 * What the error stream carried, as a status. Since v4 it is always JSON, so that nothing means that the end is not
 * known; before, it was the bare text of a failure, and nothing meant success.
 */
export function parseStatus(text: string, protocol: RemoteCommandProtocol): ExitStatus {
  if (!hasJsonStatus(protocol)) {
    return text === '' ? { metadata: {}, status: 'Success' } : { metadata: {}, status: 'Failure', message: text };
  }
  if (text !== '') {
    try {
      const value: unknown = JSON.parse(text);
      const status = (value as { status?: unknown } | null)?.status;
      if (status === 'Success' || status === 'Failure') return value as ExitStatus;
    } catch {
      // A peer that writes bare text, against its protocol: the text is all there is to say.
    }
    return { metadata: {}, status: 'Failure', message: text };
  }
  return errorStatus(new Error('the command ended without a status'));
}

/** The reverse of `parseStatus`. */
export function formatStatus(status: ExitStatus, protocol: RemoteCommandProtocol): string {
  if (hasJsonStatus(protocol)) return JSON.stringify(status);
  return status.status === 'Success' ? '' : (status.message ?? 'the command failed');
}

function hasJsonStatus(protocol: RemoteCommandProtocol): boolean {
  return protocol === 'v4.channel.k8s.io' || protocol === 'v5.channel.k8s.io';
}

/** A terminal size as it travels: `{"Width":80,"Height":24}` and a line end. */
export function formatTerminalSize(size: TerminalSize): string {
  return `${JSON.stringify({ Width: size.width, Height: size.height })}\n`;
}

/** Sizes out of a byte stream: JSON objects one after the other. What cannot be read is skipped. */
export class TerminalSizeParser {
  #rest = '';
  readonly #decoder = new TextDecoder();

  push(chunk: Uint8Array): TerminalSize[] {
    this.#rest += this.#decoder.decode(chunk, { stream: true });
    const sizes: TerminalSize[] = [];
    for (let end = this.#rest.indexOf('}'); end >= 0; end = this.#rest.indexOf('}')) {
      const size = readSize(this.#rest.slice(0, end + 1));
      this.#rest = this.#rest.slice(end + 1);
      if (size) sizes.push(size);
    }
    if (this.#rest.length > 1024) this.#rest = '';
    return sizes;
  }
}

function readSize(text: string): TerminalSize | undefined {
  try {
    const { Width: width, Height: height } = JSON.parse(text) as { Width?: unknown; Height?: unknown };
    const fits = (n: unknown): n is number => Number.isInteger(n) && (n as number) > 0 && (n as number) < 65536;
    return fits(width) && fits(height) ? { width, height } : undefined;
  } catch {
    return undefined;
  }
}

/** A byte stream of sizes, read as sizes. */
export function terminalSizes(source: ByteSource): Source<TerminalSize> {
  const parser = new TerminalSizeParser();
  const ready: TerminalSize[] = [];
  return {
    async read() {
      while (ready.length === 0) {
        const chunk = await source.read();
        if (!chunk) return undefined;
        ready.push(...parser.push(chunk));
      }
      return ready.shift();
    },
    cancel: (reason) => source.cancel(reason),
  };
}

/** A sink of sizes on a byte stream. */
export function terminalSizeSink(sink: ByteSink): Sink<TerminalSize> {
  const encoder = new TextEncoder();
  return {
    write: (size) => sink.write(encoder.encode(formatTerminalSize(size))),
    end: () => sink.end(),
    abort: (reason) => sink.abort(reason),
  };
}

/** A pipe for terminal sizes. */
export function terminalSizePipe(): Pipe<TerminalSize> {
  return new Pipe<TerminalSize>({ sizeOf: () => 1, sizeMax: 16 });
}

/** Both ends of a command inside the process, without any protocol between them. */
export function remoteCommandPair(options: RemoteCommandOptions): [RemoteCommandStreams, RemoteCommandSession] {
  const stdin = options.stdin ? bytePipe() : undefined;
  const stdout = options.stdout ? bytePipe() : undefined;
  const stderr = options.stderr && !options.tty ? bytePipe() : undefined;
  const resize = options.tty ? terminalSizePipe() : undefined;
  const status = Promise.withResolvers<ExitStatus>();
  const closed = Promise.withResolvers<void>();
  status.promise.catch(() => {});
  const streams: RemoteCommandStreams = {
    ...(stdin && { stdin }),
    ...(stdout && { stdout }),
    ...(stderr && { stderr }),
    ...(resize && { resize }),
    status: status.promise,
    close(reason = new Error('the caller gave up')) {
      stdin?.abort(reason);
      resize?.abort(reason);
      stdout?.cancel(reason);
      stderr?.cancel(reason);
      status.reject(reason);
      closed.resolve();
    },
  };
  const session: RemoteCommandSession = {
    ...(stdin && { stdin }),
    ...(stdout && { stdout }),
    ...(stderr && { stderr }),
    ...(resize && { resize }),
    async finish(result) {
      await Promise.all([stdout?.end(), stderr?.end()]);
      stdin?.cancel();
      resize?.cancel();
      status.resolve(result);
      closed.resolve();
    },
    closed: closed.promise,
  };
  return [streams, session];
}

/**
 * Joins a client's session to a command's streams: input one way, output the other, half-close included, until the
 * command has ended and all its output is through. If the client goes first, the command's streams are closed.
 * Never rejects: what went wrong is told to the client as a status.
 */
export async function bridge(session: RemoteCommandSession, streams: RemoteCommandStreams): Promise<void> {
  let clientGone = false;
  let known: ExitStatus | undefined;
  void session.closed.then(() => {
    clientGone = true;
    streams.close();
  });
  const status = streams.status.then((value) => {
    known = value;
  });
  // Input may end or break at any time without the command being over; output decides.
  if (session.stdin && streams.stdin) pump(session.stdin, streams.stdin).catch(() => {});
  if (session.resize && streams.resize) pump(session.resize, streams.resize).catch(() => {});
  const all = [status, carry(streams.stdout, session.stdout), carry(streams.stderr, session.stderr)];
  let failed: unknown;
  for (const result of await Promise.allSettled(all)) if (result.status === 'rejected') failed ??= result.reason;
  if (!clientGone) await session.finish(known ?? errorStatus(failed));
  streams.close();
}

/** Output that the client did not ask for, or takes no more of, is dropped, so that the command is not stopped by it. */
async function carry(source: ByteSource | undefined, sink: ByteSink | undefined): Promise<void> {
  let open = sink;
  for (let chunk = await source?.read(); chunk !== undefined; chunk = await source?.read()) {
    try {
      await open?.write(chunk);
    } catch {
      open = undefined;
    }
  }
  await open?.end().catch(() => {});
}
