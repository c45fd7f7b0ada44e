import { type Clock, withTimeout } from '../base/clock.ts';
import { type ByteDuplex, type ByteSource, readAll, StreamClosedError } from './channel.ts';
import {
  type ExitStatus,
  formatStatus,
  parseStatus,
  type RemoteCommandOptions,
  type RemoteCommandProtocol,
  type RemoteCommandSession,
  type RemoteCommandStreams,
  terminalSizeSink,
  terminalSizes,
} from './remotecommand.ts';
import { SpdyConnection } from './spdy/connection.ts';
import { RST } from './spdy/frames.ts';
import type { RawDeflate } from './spdy/headers.ts';
import { type SpdyStream, StreamResetError } from './spdy/stream.ts';

/**
 * Exec and attach over SPDY/3.1: the client opens one stream for each of error, stdin, stdout, stderr and resize, and
 * names it in the header `streamType`. Since v3 there is `resize`, since v4 the error stream carries a `Status` in JSON.
 */

/** How long a client may take to open the streams it announced, as upstream. */
export const STREAM_CREATION_TIMEOUT_MS = 30_000;
/** How long the peer may take to close its end after everything was said. */
const LINGER_MS = 5_000;

export interface SpdyTransport {
  readonly transport: ByteDuplex;
  readonly zlib: RawDeflate;
  readonly clock: Clock;
  readonly streamCreationTimeoutMs?: number;
}

type StreamType = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';

/**
 * The server's end, after the upgrade was answered. Waits for every stream that `options` announce; rejects with
 * `StreamClosedError` when they do not come in time, and the connection is closed then.
 */
export async function acceptSpdyRemoteCommand(
  wire: SpdyTransport,
  protocol: RemoteCommandProtocol,
  options: RemoteCommandOptions,
): Promise<RemoteCommandSession> {
  const wanted = streamTypes(protocol, options);
  const streams = new Map<StreamType, SpdyStream>();
  const complete = Promise.withResolvers<void>();
  const connection = new SpdyConnection({
    ...wire,
    role: 'server',
    streamsMax: 16,
    accept(stream) {
      const type = stream.headers['streamtype'] as StreamType | undefined;
      if (!type || !wanted.includes(type) || streams.has(type)) return stream.reset(RST.refusedStream);
      streams.set(type, stream);
      // At once and not when all are there: clients wait for the answer before they open the next.
      stream.reply().catch(() => {});
      if (streams.size === wanted.length) complete.resolve();
    },
  });
  connection.start();
  using deadline = withTimeout(wire.clock, wire.streamCreationTimeoutMs ?? STREAM_CREATION_TIMEOUT_MS);
  const failed = (error: Error) => {
    connection.destroy(error);
    complete.reject(error);
  };
  deadline.signal.addEventListener('abort', () => {
    const missing = wanted.filter((type) => !streams.has(type));
    failed(new StreamClosedError(`timed out waiting for the client to open streams: ${missing.join(', ')}`));
  });
  void connection.closed.then((error) => complete.reject(error ?? new StreamClosedError('the client has gone')));
  await complete.promise;

  const sink = (type: StreamType) => streams.get(type)?.sink;
  const source = (type: StreamType) => {
    const stream = streams.get(type);
    return stream && endAtCancel(stream.source);
  };
  const stdin = source('stdin');
  const stdout = sink('stdout');
  const stderr = sink('stderr');
  const resize = source('resize');
  const closed = Promise.withResolvers<void>();
  void connection.closed.then(() => closed.resolve());
  let finished: Promise<void> | undefined;
  const finish = async (status: ExitStatus): Promise<void> => {
    const error = sink('error');
    const text = formatStatus(status, protocol);
    try {
      if (text !== '') await error?.write(new TextEncoder().encode(text));
      for (const stream of streams.values()) await stream.sink.end();
    } catch {
      // The client has gone; there is nobody left to tell.
    }
    connection.close();
    linger(connection, wire.clock);
    closed.resolve();
  };
  return {
    ...(stdin && { stdin }),
    ...(stdout && { stdout }),
    ...(stderr && { stderr }),
    ...(resize && { resize: terminalSizes(resize) }),
    finish: (status) => (finished ??= finish(status)),
    closed: closed.promise,
  };
}

/**
 * The client's end, after the upgrade was answered: opens the streams and waits until the server has taken each.
 * Rejects when it refuses or the connection breaks.
 */
export async function dialSpdyRemoteCommand(
  wire: SpdyTransport,
  protocol: RemoteCommandProtocol,
  options: RemoteCommandOptions,
): Promise<RemoteCommandStreams> {
  const connection = new SpdyConnection({ ...wire, role: 'client' });
  connection.start();
  const streams = new Map<StreamType, SpdyStream>();
  try {
    using deadline = withTimeout(wire.clock, wire.streamCreationTimeoutMs ?? STREAM_CREATION_TIMEOUT_MS);
    deadline.signal.addEventListener('abort', () => connection.destroy(deadline.signal.reason));
    for (const type of streamTypes(protocol, options)) streams.set(type, connection.open({ streamtype: type }));
    for (const stream of streams.values()) await stream.replied;
  } catch (error) {
    connection.destroy();
    throw error;
  }
  const errors = streams.get('error') as SpdyStream;
  // Nothing is ever written to it by the client; servers wait for nothing else on it.
  await errors.sink.end();
  const status = readStatus(errors.source, protocol);
  status.catch(() => {});
  const stdin = streams.get('stdin')?.sink;
  const stdout = streams.get('stdout')?.source;
  const stderr = streams.get('stderr')?.source;
  const resize = streams.get('resize')?.sink;
  return {
    ...(stdin && { stdin }),
    ...(stdout && { stdout: endAtCancel(stdout) }),
    ...(stderr && { stderr: endAtCancel(stderr) }),
    ...(resize && { resize: terminalSizeSink(resize) }),
    status,
    close(reason) {
      for (const stream of streams.values()) stream.destroy(reason);
      connection.close();
      linger(connection, wire.clock);
    },
  };
}

/** The streams of a command, error first: the order in which clients open them. */
function streamTypes(protocol: RemoteCommandProtocol, options: RemoteCommandOptions): StreamType[] {
  const types: StreamType[] = ['error'];
  if (options.stdin) types.push('stdin');
  if (options.stdout) types.push('stdout');
  if (options.stderr && !options.tty) types.push('stderr');
  if (options.tty && protocol !== 'channel.k8s.io' && protocol !== 'v2.channel.k8s.io') types.push('resize');
  return types;
}

async function readStatus(source: ByteSource, protocol: RemoteCommandProtocol): Promise<ExitStatus> {
  const text = await readAll(endAtCancel(source));
  return parseStatus(new TextDecoder().decode(text), protocol);
}

/** The usual implementation resets with `cancel` the streams that are open when it closes; for a reader that is the end. */
export function endAtCancel(source: ByteSource): ByteSource {
  return {
    async read() {
      try {
        return await source.read();
      } catch (error) {
        if (error instanceof StreamResetError && error.status === RST.cancel) return undefined;
        throw error;
      }
    },
    cancel: (reason) => source.cancel(reason),
  };
}

/** Gives a closed connection's peer a while to close too. */
export function linger(connection: SpdyConnection, clock: Clock): void {
  const timer = clock.setTimer(() => connection.destroy(), LINGER_MS);
  void connection.over.then(() => timer.cancel());
}
