import type { Clock } from '../../base/clock.ts';
import { PORT_FORWARD_PROTOCOL, PORT_FORWARD_TUNNEL_SUBPROTOCOL, type PortForwarder } from '../portforward.ts';
import { dialSpdyPortForward } from '../portforward-spdy.ts';
import {
  REMOTE_COMMAND_PROTOCOLS,
  type RemoteCommandOptions,
  type RemoteCommandProtocol,
  type RemoteCommandStreams,
} from '../remotecommand.ts';
import { dialSpdyRemoteCommand } from '../remotecommand-spdy.ts';
import { dialWebSocketRemoteCommand, REMOTE_COMMAND_DIAL_SUBPROTOCOLS } from '../remotecommand-websocket.ts';
import { duplexOfMessages } from '../websocket-channels.ts';
import { type DialTarget, dialUpgrade, UpgradeError } from './http.ts';
import { dialWebSocket } from './websocket.ts';
import { nodeZlib } from './zlib.ts';

export type { DialTarget } from './http.ts';
export { UpgradeError } from './http.ts';

/** Which transport to speak. Container runtimes want SPDY: their WebSocket has no half-close of stdin. */
export type StreamTransport = 'spdy' | 'websocket';

export interface DialOptions {
  readonly clock: Clock;
  /** Default `spdy`. */
  readonly transport?: StreamTransport;
}

const SPDY = 'SPDY/3.1';
const PROTOCOL_HEADER = 'X-Stream-Protocol-Version';

/**
 * Runs a command at the other end: an API server, a kubelet or a runtime's streaming server. The URL says which command
 * and which streams; `command` repeats the streams. Rejects with `UpgradeError` when the server refuses.
 */
export async function dialRemoteCommand(
  target: DialTarget,
  command: RemoteCommandOptions,
  options: DialOptions,
): Promise<RemoteCommandStreams> {
  if (options.transport === 'websocket') {
    return dialWebSocketRemoteCommand(await dialWebSocket(target, REMOTE_COMMAND_DIAL_SUBPROTOCOLS), command);
  }
  const { response, duplex } = await dialUpgrade(target, SPDY, { [PROTOCOL_HEADER]: REMOTE_COMMAND_PROTOCOLS });
  const agreed = response.headers['x-stream-protocol-version'];
  // A server that names none is from before the negotiation and speaks the first protocol.
  const protocol = agreed === undefined ? 'channel.k8s.io' : REMOTE_COMMAND_PROTOCOLS.find((known) => known === agreed);
  if (!protocol) {
    duplex.destroy();
    throw new UpgradeError(`the server chose the stream protocol ${JSON.stringify(agreed)}, which nobody offered`);
  }
  return dialSpdyRemoteCommand(
    { transport: duplex, zlib: nodeZlib, clock: options.clock },
    protocol satisfies RemoteCommandProtocol,
    command,
  );
}

/** Opens a forwarder to ports of a pod. Rejects with `UpgradeError` when the server refuses. */
export async function dialPortForward(target: DialTarget, options: DialOptions): Promise<PortForwarder> {
  if (options.transport === 'websocket') {
    const socket = await dialWebSocket(target, [PORT_FORWARD_TUNNEL_SUBPROTOCOL]);
    return dialSpdyPortForward({ transport: duplexOfMessages(socket), zlib: nodeZlib, clock: options.clock });
  }
  const { duplex } = await dialUpgrade(target, SPDY, { [PROTOCOL_HEADER]: PORT_FORWARD_PROTOCOL });
  return dialSpdyPortForward({ transport: duplex, zlib: nodeZlib, clock: options.clock });
}
