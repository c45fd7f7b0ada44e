import { asError, type ByteDuplex, duplexPair, Pipe, pump, type Source, StreamClosedError } from './channel.ts';

/**
 * Port-forward as streams, whatever carries them: many connections to ports of a pod over one transport.
 *
 * `PortForwarder` is the caller's end (towards the runtime), `PortForwardSession` the answering one (accepted from
 * kubectl). `bridgePortForward` joins them. In the pod every connection is an ordinary TCP connection.
 */
export interface PortForwarder {
  /**
   * Connects to `port`. Resolves when the transport has taken the request, which does not mean yet that somebody listens;
   * `error` tells that.
   */
  connect(port: number): Promise<ForwardedConnection>;
  close(reason?: Error): void;
  /** Resolves when the transport is gone. Never rejects. */
  readonly closed: Promise<void>;
}

export interface ForwardedConnection {
  readonly data: ByteDuplex;
  /** What went wrong at the other end, as text for people; undefined when the connection ended well. Never rejects. */
  readonly error: Promise<string | undefined>;
}

export interface PortForwardSession {
  /** Connections as the client opens them; ends with the transport. */
  readonly connections: Source<AcceptedConnection>;
  close(reason?: Error): void;
  readonly closed: Promise<void>;
}

export interface AcceptedConnection {
  readonly port: number;
  readonly data: ByteDuplex;
  /** Ends the connection; with a message the client is told what went wrong. Idempotent; never rejects. */
  finish(error?: string): Promise<void>;
}

/** The protocol of both streams of a connection, in SPDY. */
export const PORT_FORWARD_PROTOCOL = 'portforward.k8s.io';
/** The subprotocol under which SPDY with that protocol goes through a WebSocket. */
export const PORT_FORWARD_TUNNEL_SUBPROTOCOL = 'SPDY/3.1+portforward.k8s.io';

/** A port in a header or query; undefined where it is none. */
export function parsePort(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,5}$/.test(text)) return undefined;
  const port = Number(text);
  return port >= 1 && port <= 65535 ? port : undefined;
}

export interface PortForwardBridgeOptions {
  /** Turns what the runtime says into what the client is told. */
  readonly describe?: (port: number, message: string) => string;
}

/** Serves every connection of `session` through `forwarder`, until one of them is gone. Never rejects. */
export async function bridgePortForward(
  session: PortForwardSession,
  forwarder: PortForwarder,
  options: PortForwardBridgeOptions = {},
): Promise<void> {
  const describe = options.describe ?? ((_port, message) => message);
  void forwarder.closed.then(() => session.close());
  const open = new Set<Promise<void>>();
  try {
    for (let next = await session.connections.read(); next; next = await session.connections.read()) {
      const done: Promise<void> = forward(next, forwarder, describe).finally(() => open.delete(done));
      open.add(done);
    }
  } catch {
    // The client has gone without a word.
  }
  await Promise.all(open);
  forwarder.close();
}

async function forward(
  accepted: AcceptedConnection,
  forwarder: PortForwarder,
  describe: (port: number, message: string) => string,
): Promise<void> {
  const { port } = accepted;
  let connection: ForwardedConnection;
  try {
    connection = await forwarder.connect(port);
  } catch (error) {
    return accepted.finish(describe(port, asError(error).message));
  }
  // An error is told at once: the client's half of the bytes may never end by itself.
  const told = connection.error.then(async (message) => {
    if (message === undefined) return;
    await accepted.finish(describe(port, message));
    const reason = new StreamClosedError(message);
    accepted.data.destroy(reason);
    connection.data.destroy(reason);
  });
  await joinDuplex(accepted.data, connection.data);
  await told;
  await accepted.finish();
}

/**
 * Carries bytes both ways, each direction ending alone, until both have ended. A direction that breaks takes the other
 * with it. Never rejects; answers the error, if there was one.
 */
export async function joinDuplex(a: ByteDuplex, b: ByteDuplex): Promise<Error | undefined> {
  let failed: Error | undefined;
  const fail = (error: unknown) => {
    failed ??= asError(error);
    a.destroy(failed);
    b.destroy(failed);
  };
  await Promise.all([pump(a.source, b.sink).catch(fail), pump(b.source, a.sink).catch(fail)]);
  return failed;
}

/** How many connections may wait to be taken from a session. */
export const WAITING_CONNECTIONS_MAX = 128;

export function connectionPipe(): Pipe<AcceptedConnection> {
  return new Pipe<AcceptedConnection>({ sizeOf: () => 1, sizeMax: WAITING_CONNECTIONS_MAX });
}

/**
 * A forwarder inside the process: `listen` is asked for each connection and either takes its end of the bytes or throws
 * with the reason, as text for people.
 */
export function localPortForwarder(listen: (port: number, data: ByteDuplex) => Promise<void> | void): PortForwarder {
  const open = new Set<ByteDuplex>();
  const closed = Promise.withResolvers<void>();
  return {
    async connect(port) {
      const [near, far] = duplexPair();
      open.add(near);
      const error = (async () => {
        try {
          await listen(port, far);
          return undefined;
        } catch (cause) {
          far.destroy(asError(cause));
          return asError(cause).message;
        } finally {
          open.delete(near);
        }
      })();
      return { data: near, error };
    },
    close(reason) {
      for (const data of open) data.destroy(reason);
      closed.resolve();
    },
    closed: closed.promise,
  };
}
