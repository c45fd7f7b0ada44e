import { type Clock, withTimeout } from '../base/clock.ts';
import { type ByteDuplex, readAll, StreamClosedError } from './channel.ts';
import {
  type AcceptedConnection,
  connectionPipe,
  type ForwardedConnection,
  type PortForwarder,
  type PortForwardSession,
  parsePort,
  WAITING_CONNECTIONS_MAX,
} from './portforward.ts';
import { endAtCancel, linger, type SpdyTransport, STREAM_CREATION_TIMEOUT_MS } from './remotecommand-spdy.ts';
import { SpdyConnection } from './spdy/connection.ts';
import { RST } from './spdy/frames.ts';
import type { SpdyStream } from './spdy/stream.ts';

/**
 * Port-forward over SPDY/3.1 (`portforward.k8s.io`): for each connection the client opens two streams with the headers
 * `port` and `requestID`, first `streamType: error`, then `streamType: data`. The error stream carries text from the
 * server; the client ends its own direction of it at once.
 */
const ERROR_BYTES_MAX = 64 * 1024;

/** The server's end, after the upgrade was answered. */
export function acceptSpdyPortForward(wire: SpdyTransport): PortForwardSession {
  const connections = connectionPipe();
  const pairs = new Map<string, { error?: SpdyStream; data?: SpdyStream; timer: { cancel(): void } }>();
  const connection = new SpdyConnection({
    ...wire,
    role: 'server',
    accept(stream) {
      const type = stream.headers['streamtype'];
      const port = parsePort(stream.headers['port']);
      if ((type !== 'error' && type !== 'data') || port === undefined) return stream.reset(RST.refusedStream);
      const id = requestId(stream, type);
      const pair = pairs.get(id) ?? { timer: wire.clock.setTimer(() => expire(id), timeoutMs) };
      pairs.set(id, pair);
      if (pair[type]) return stream.reset(RST.refusedStream);
      pair[type] = stream;
      stream.reply().catch(() => {});
      if (!pair.error || !pair.data) return;
      pairs.delete(id);
      pair.timer.cancel();
      if (connections.size >= WAITING_CONNECTIONS_MAX) {
        pair.error.reset(RST.refusedStream);
        pair.data.reset(RST.refusedStream);
      } else connections.write(accepted(port, pair.error, pair.data)).catch(() => {});
    },
  });
  const timeoutMs = wire.streamCreationTimeoutMs ?? STREAM_CREATION_TIMEOUT_MS;
  const expire = (id: string) => {
    const pair = pairs.get(id);
    pairs.delete(id);
    pair?.data?.reset(RST.refusedStream);
    const sink = pair?.error?.sink;
    sink
      ?.write(new TextEncoder().encode(`timed out waiting for the second stream of request ${id}`))
      .then(() => sink.end())
      .catch(() => {});
  };
  connection.start();
  void connection.closed.then(() => {
    for (const pair of pairs.values()) pair.timer.cancel();
    pairs.clear();
    void connections.end();
  });
  return {
    connections,
    close() {
      connection.close();
      linger(connection, wire.clock);
    },
    closed: connection.closed.then(() => {}),
  };
}

/** Clients from before `requestID` opened error and data streams in a row: the error stream's number names both. */
function requestId(stream: SpdyStream, type: 'error' | 'data'): string {
  return stream.headers['requestid'] ?? `stream ${type === 'error' ? stream.id : stream.id - 2}`;
}

function accepted(port: number, error: SpdyStream, data: SpdyStream): AcceptedConnection {
  let finished: Promise<void> | undefined;
  const finish = async (message?: string) => {
    try {
      if (message !== undefined) await error.sink.write(new TextEncoder().encode(message));
      await error.sink.end();
      await data.sink.end();
    } catch {
      // The client has gone; there is nobody left to tell.
    }
    if (message !== undefined && !data.isRemoteEnded) data.reset();
  };
  return { port, data: asDuplex(data), finish: (message) => (finished ??= finish(message)) };
}

function asDuplex(stream: SpdyStream): ByteDuplex {
  return { source: endAtCancel(stream.source), sink: stream.sink, destroy: (reason) => stream.destroy(reason) };
}

/** The client's end, after the upgrade was answered. */
export function dialSpdyPortForward(wire: SpdyTransport): PortForwarder {
  const connection = new SpdyConnection({ ...wire, role: 'client' });
  connection.start();
  let nextRequest = 0;
  return {
    connect: (port) => connectSpdy(connection, wire.clock, port, nextRequest++),
    close() {
      connection.close();
      linger(connection, wire.clock);
    },
    closed: connection.closed.then(() => {}),
  };
}

async function connectSpdy(
  connection: SpdyConnection,
  clock: Clock,
  port: number,
  request: number,
): Promise<ForwardedConnection> {
  const headers = { port: String(port), requestid: String(request) };
  const error = connection.open({ ...headers, streamtype: 'error' });
  try {
    using deadline = withTimeout(clock, STREAM_CREATION_TIMEOUT_MS);
    deadline.signal.addEventListener('abort', () => error.destroy(deadline.signal.reason));
    await error.replied;
    await error.sink.end();
    const data = connection.open({ ...headers, streamtype: 'data' });
    deadline.signal.addEventListener('abort', () => data.destroy(deadline.signal.reason));
    await data.replied;
    return { data: asDuplex(data), error: readError(error) };
  } catch (cause) {
    error.destroy();
    throw cause;
  }
}

async function readError(stream: SpdyStream): Promise<string | undefined> {
  try {
    const text = new TextDecoder().decode(await readAll(endAtCancel(stream.source), ERROR_BYTES_MAX));
    return text === '' ? undefined : text;
  } catch (error) {
    return error instanceof StreamClosedError ? error.message : String(error);
  }
}
