import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import type { ByteDuplex } from '../channel.ts';
import { PORT_FORWARD_PROTOCOL, PORT_FORWARD_TUNNEL_SUBPROTOCOL, type PortForwardSession } from '../portforward.ts';
import { acceptSpdyPortForward } from '../portforward-spdy.ts';
import {
  acceptWebSocketPortForward,
  PORT_FORWARD_CHANNEL_SUBPROTOCOLS,
  portsOfQuery,
} from '../portforward-websocket.ts';
import {
  REMOTE_COMMAND_PROTOCOLS,
  type RemoteCommandOptions,
  type RemoteCommandProtocol,
  type RemoteCommandSession,
} from '../remotecommand.ts';
import { acceptSpdyRemoteCommand, type SpdyTransport } from '../remotecommand-spdy.ts';
import { acceptWebSocketRemoteCommand, REMOTE_COMMAND_SUBPROTOCOLS } from '../remotecommand-websocket.ts';
import { duplexOfSocket } from '../socket.ts';
import { duplexOfMessages, type MessageSocket } from '../websocket-channels.ts';
import { UpgradeError } from './http.ts';
import { acceptWebSocket, type HandshakeRequest, offeredSubprotocols } from './websocket.ts';
import { nodeZlib } from './zlib.ts';

/** What Node's `upgrade` event hands over. Whoever authenticates and authorises does so before calling these. */
export interface Upgrade<Request = IncomingMessage> {
  readonly request: Request;
  readonly socket: Duplex;
  readonly head: Uint8Array;
}

export interface AcceptOptions {
  readonly clock: Clock;
  readonly streamCreationTimeoutMs?: number;
  /** A connection on which nothing moves for so long is closed (a kubelet's `streamingConnectionIdleTimeout`). Default: never. */
  readonly idleTimeoutMs?: number;
}

/** Which transport a request asks for; undefined for a request that is no upgrade to one of the two. */
export function upgradeKind(request: IncomingMessage): 'websocket' | 'spdy' | undefined {
  const wanted = (request.headers.upgrade ?? '').toLowerCase();
  if (!/(^|,)\s*upgrade\s*(,|$)/i.test(request.headers.connection ?? '')) return undefined;
  if (wanted === 'websocket') return 'websocket';
  return wanted === 'spdy/3.1' ? 'spdy' : undefined;
}

/**
 * Answers an exec or attach request and gives the client's streams. Rejects with `UpgradeError` when the client asks for
 * what nobody speaks (it has been answered then), and with `StreamClosedError` when it does not open its streams.
 */
export async function acceptRemoteCommand(
  upgrade: Upgrade,
  command: RemoteCommandOptions,
  options: AcceptOptions,
): Promise<RemoteCommandSession> {
  if (upgradeKind(upgrade.request) === 'websocket') {
    const socket = await acceptWebSocket(upgrade, choose(upgrade, REMOTE_COMMAND_SUBPROTOCOLS));
    prepare(upgrade.socket, options.idleTimeoutMs);
    return acceptWebSocketRemoteCommand(socket, command, options.clock);
  }
  const protocol = negotiate(upgrade, REMOTE_COMMAND_PROTOCOLS, options) ?? 'channel.k8s.io';
  return acceptSpdyRemoteCommand(spdyTransport(upgrade, options), protocol as RemoteCommandProtocol, command);
}

/** Answers a port-forward request in any of its three forms. Errors as `acceptRemoteCommand`. */
export async function acceptPortForward(upgrade: Upgrade, options: AcceptOptions): Promise<PortForwardSession> {
  if (upgradeKind(upgrade.request) !== 'websocket') {
    negotiate(upgrade, [PORT_FORWARD_PROTOCOL], options);
    return acceptSpdyPortForward(spdyTransport(upgrade, options));
  }
  const offered = offeredSubprotocols(upgrade.request);
  if (offered.includes(PORT_FORWARD_TUNNEL_SUBPROTOCOL)) {
    const socket = await acceptWebSocket(upgrade, PORT_FORWARD_TUNNEL_SUBPROTOCOL);
    prepare(upgrade.socket, options.idleTimeoutMs);
    return acceptSpdyPortForward({ ...options, transport: duplexOfMessages(socket), zlib: nodeZlib });
  }
  let ports: number[];
  try {
    ports = portsOfQuery(new URL(upgrade.request.url ?? '/', 'http://localhost').searchParams.getAll('ports'));
  } catch (error) {
    throw refuse(upgrade, 400, (error as Error).message);
  }
  const socket = await acceptWebSocket(upgrade, choose(upgrade, PORT_FORWARD_CHANNEL_SUBPROTOCOLS));
  prepare(upgrade.socket, options.idleTimeoutMs);
  return acceptWebSocketPortForward(socket, ports);
}

/**
 * Answers the handshake of a WebSocket for messages without channels. `ours`: the subprotocols to choose among; `any`:
 * the one that the client names. Errors as `acceptRemoteCommand`.
 */
export async function acceptMessages(
  upgrade: Upgrade<HandshakeRequest>,
  ours: readonly string[] | 'any',
): Promise<MessageSocket> {
  const subprotocol = ours === 'any' ? offeredSubprotocols(upgrade.request)[0] : choose(upgrade, ours);
  const socket = await acceptWebSocket(upgrade, subprotocol);
  prepare(upgrade.socket);
  return socket;
}

/**
 * Answers an upgrade with the head of another server's answer, and gives the client's bytes: for proxies, which join
 * them with what `dialUpgrade` gave.
 */
export function acceptTunnel(upgrade: Upgrade, answer: IncomingMessage): ByteDuplex {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage ?? ''}`];
  for (let i = 0; i + 1 < answer.rawHeaders.length; i += 2)
    lines.push(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}`);
  prepare(upgrade.socket);
  upgrade.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  return duplexOfSocket(upgrade.socket, upgrade.head);
}

function spdyTransport(upgrade: Upgrade, options: AcceptOptions): SpdyTransport {
  return { ...options, transport: duplexOfSocket(upgrade.socket, upgrade.head), zlib: nodeZlib };
}

/** Agrees on the first of the client's protocols that is among `ours` and answers 101; undefined: the client named none. */
function negotiate(upgrade: Upgrade, ours: readonly string[], options: AcceptOptions): string | undefined {
  if (upgradeKind(upgrade.request) !== 'spdy') {
    throw refuse(upgrade, 400, 'unable to upgrade: the Upgrade header must name SPDY/3.1 or websocket');
  }
  const offered = (upgrade.request.headersDistinct['x-stream-protocol-version'] ?? [])
    .flatMap((value) => value.split(','))
    .map((value) => value.trim());
  const agreed = offered.find((protocol) => ours.includes(protocol));
  if (offered.length > 0 && agreed === undefined) {
    const accepted = ours.map((protocol) => `X-Accepted-Stream-Protocol-Versions: ${protocol}\r\n`).join('');
    const message = `unable to upgrade: unable to negotiate protocol: client supports [${offered.join(' ')}], server accepts [${ours.join(' ')}]`;
    throw refuse(upgrade, 403, message, accepted);
  }
  prepare(upgrade.socket, options.idleTimeoutMs);
  const version = agreed === undefined ? '' : `X-Stream-Protocol-Version: ${agreed}\r\n`;
  upgrade.socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n${version}\r\n`,
  );
  return agreed;
}

/** Picks a subprotocol, or refuses a client that offers only others; one that offers none speaks the first of all. */
function choose(upgrade: Upgrade<HandshakeRequest>, ours: readonly string[]): string | undefined {
  const offered = offeredSubprotocols(upgrade.request);
  const agreed = offered.find((name) => ours.includes(name));
  if (offered.length > 0 && agreed === undefined) {
    const message = `unable to upgrade: client offers the subprotocols [${offered.join(' ')}], server accepts [${ours.join(' ')}]`;
    throw refuse(upgrade, 403, message);
  }
  return agreed;
}

const REASONS: Readonly<Record<number, string>> = { 400: 'Bad Request', 403: 'Forbidden' };

function refuse(upgrade: Upgrade<HandshakeRequest>, code: number, message: string, headers = ''): UpgradeError {
  const body = `${message}\n`;
  const length = new TextEncoder().encode(body).length;
  upgrade.socket.on('error', () => {});
  upgrade.socket.end(
    `HTTP/1.1 ${code} ${REASONS[code]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n${headers}Content-Length: ${length}\r\n\r\n${body}`,
  );
  return new UpgradeError(message, code);
}

/** An upgraded connection says short things that should not wait, and may be silent for hours, but not for ever. */
function prepare(socket: Duplex, idleTimeoutMs = 0): void {
  const tcp = socket as Partial<Pick<Socket, 'setNoDelay' | 'setTimeout' | 'setKeepAlive'>>;
  tcp.setNoDelay?.(true);
  tcp.setTimeout?.(idleTimeoutMs, () => socket.destroy());
  tcp.setKeepAlive?.(true, 30_000);
}
