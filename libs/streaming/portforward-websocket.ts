import type { ByteDuplex, Pipe } from './channel.ts';
import { type AcceptedConnection, connectionPipe, type PortForwardSession, parsePort } from './portforward.ts';
import { ChannelSocket, type MessageSocket } from './websocket-channels.ts';

/**
 * The older port-forward over a WebSocket (`v4.channel.k8s.io`, no SPDY inside): the ports stand in the query, and each
 * has one connection, open from the start, on two channels: `2i` for its bytes and `2i + 1` for the error. The server
 * begins both with the port as two bytes, the lower first.
 */
export const PORT_FORWARD_CHANNEL_SUBPROTOCOLS: readonly string[] = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io'];

/**
 * The ports of a request's query (`?ports=80&ports=443`, or `?ports=80,443`). Throws an error for people when there is
 * none or one is not a port.
 */
export function portsOfQuery(values: readonly string[]): number[] {
  const texts = values.flatMap((value) => value.split(',')).filter((text) => text !== '');
  if (texts.length === 0) throw new RangeError('at least one "ports" parameter is needed');
  return texts.map((text) => {
    const port = parsePort(text);
    if (port === undefined) throw new RangeError(`unable to parse ${JSON.stringify(text)} as a port`);
    return port;
  });
}

/** The server's end of an accepted WebSocket. */
export function acceptWebSocketPortForward(socket: MessageSocket, ports: readonly number[]): PortForwardSession {
  const encoding = socket.protocol.includes('base64.') ? 'base64' : 'binary';
  const channels = new ChannelSocket(socket, { encoding, closeSignal: false, reads: ports.map((_, i) => i * 2) });
  const connections: Pipe<AcceptedConnection> = connectionPipe();
  channels.start();
  let open = ports.length;
  for (const [i, port] of ports.entries()) {
    const dataSink = channels.sink(i * 2);
    const errorSink = channels.sink(i * 2 + 1);
    const prefix = Uint8Array.of(port & 0xff, port >> 8);
    const ready = Promise.all([dataSink.write(prefix), errorSink.write(prefix.slice())]);
    ready.catch(() => {});
    const data: ByteDuplex = {
      source: channels.source(i * 2),
      sink: { ...dataSink, abort: () => {} },
      destroy: () => channels.source(i * 2).cancel(),
    };
    let finished: Promise<void> | undefined;
    const finish = async (message?: string) => {
      try {
        await ready;
        if (message !== undefined) await errorSink.write(new TextEncoder().encode(message));
      } catch {
        // The client has gone; there is nobody left to tell.
      }
      // Nothing in the protocol ends one connection alone: the last one ends them all.
      if (--open === 0) await channels.close().catch(() => {});
    };
    connections.write({ port, data, finish: (message) => (finished ??= finish(message)) }).catch(() => {});
  }
  void connections.end();
  void channels.closed.then(() => connections.cancel());
  return { connections, close: (reason) => channels.destroy(reason), closed: channels.closed };
}
