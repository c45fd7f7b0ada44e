import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocket, WebSocketServer } from 'ws';
import { BoundedQueue } from '../../base/queue.ts';
import { StreamClosedError } from '../channel.ts';
import { SUBPROTOCOL_HEADER, subprotocolsOf } from '../subprotocols.ts';
import type { Message, MessageSocket } from '../websocket-channels.ts';
import { type DialTarget, UpgradeError } from './http.ts';

/** The longest message that is taken: clients send pieces of some 32 KiB. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** Messages that wait for their reader before the socket is no longer read. */
const WAITING_MESSAGES = 16;

/** A `ws` socket with back-pressure both ways. */
export function messageSocketOf(ws: WebSocket, protocol: string): MessageSocket {
  // Messages that were in the parser when it was told to pause still come: the bound is the parser's buffer.
  const queue = new BoundedQueue<Message>('websocket messages', Number.POSITIVE_INFINITY);
  const closed = Promise.withResolvers<void>();
  let error: Error | undefined;
  let paused = false;
  let ending = false;
  ws.on('message', (data, isBinary) => {
    if (ending) return;
    const bytes = Buffer.isBuffer(data) ? data : Buffer.concat(Array.isArray(data) ? data : [Buffer.from(data)]);
    queue.offer(isBinary ? bytes : bytes.toString('utf8'));
    if (queue.length >= WAITING_MESSAGES && !paused) {
      paused = true;
      ws.pause();
    }
  });
  ws.on('error', (cause) => {
    error ??= cause;
  });
  ws.on('close', (code) => {
    // 1006: the connection broke without a close frame.
    if (code === 1006 && !ending) error ??= new StreamClosedError('the WebSocket broke off');
    queue.close();
    closed.resolve();
  });
  const resume = () => {
    if (!paused || queue.length > WAITING_MESSAGES / 2) return;
    paused = false;
    ws.resume();
  };
  return {
    protocol,
    closed: closed.promise,
    source: {
      async read() {
        const message = await queue.take();
        resume();
        if (message === undefined && error) throw error;
        return message;
      },
      cancel: () => ws.terminate(),
    },
    sink: {
      write: (message) =>
        new Promise((resolve, reject) => {
          if (ws.readyState !== WebSocket.OPEN) reject(error ?? new StreamClosedError('the WebSocket is closed'));
          else
            ws.send(message, { binary: typeof message !== 'string' }, (cause) => (cause ? reject(cause) : resolve()));
        }),
      async end() {
        ending = true;
        ws.close(1000);
        // The close frame of the peer stands behind what it still has to say: it is read and dropped.
        if (paused) ws.resume();
      },
      abort: (reason) => {
        error ??= reason;
        ws.terminate();
      },
    },
    close(code, reason) {
      ending = true;
      ws.close(code, reason);
      if (paused) ws.resume();
    },
    destroy(reason) {
      if (reason) error ??= reason;
      ending = true;
      ws.terminate();
    },
  };
}

/** As much of a request as its handshake takes. */
export type HandshakeRequest = Pick<IncomingMessage, 'method' | 'headers'>;

export const offeredSubprotocols = ({ headers }: HandshakeRequest): string[] =>
  subprotocolsOf(headers[SUBPROTOCOL_HEADER]);

/**
 * Answers a WebSocket handshake, with `subprotocol` where there is one. Rejects with `UpgradeError` when the handshake is
 * malformed (it has been answered then).
 */
export function acceptWebSocket(
  upgrade: { request: HandshakeRequest; socket: Duplex; head: Uint8Array },
  subprotocol: string | undefined,
): Promise<MessageSocket> {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
  });
  // Subprotocols are agreed on here and hidden from `ws`, which refuses the `/` in `SPDY/3.1+portforward.k8s.io`: it is no
  // letter of an RFC 6455 name, but it is what kubectl sends.
  delete upgrade.request.headers[SUBPROTOCOL_HEADER];
  if (subprotocol !== undefined) server.on('headers', (lines) => lines.push(`Sec-WebSocket-Protocol: ${subprotocol}`));
  return new Promise((resolve, reject) => {
    server.once('wsClientError', (error: Error, socket: Duplex) => {
      socket.end(
        `HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: ${error.message.length}\r\n\r\n${error.message}`,
      );
      reject(new UpgradeError(error.message, 400));
    });
    upgrade.socket.once('close', () => reject(new UpgradeError('the client has gone')));
    const head = Buffer.from(upgrade.head.buffer, upgrade.head.byteOffset, upgrade.head.byteLength);
    server.handleUpgrade(upgrade.request as IncomingMessage, upgrade.socket, head, (ws) =>
      resolve(messageSocketOf(ws, subprotocol ?? '')),
    );
  });
}

/** Opens a WebSocket. Rejects with `UpgradeError` when the server answers anything but 101 or speaks none of ours. */
export async function dialWebSocket(target: DialTarget, subprotocols: readonly string[]): Promise<MessageSocket> {
  const url = target.url.replace(/^http/, 'ws');
  const connected = await target.connect?.();
  let agreed: string | undefined;
  const ws = new WebSocket(url, [], {
    ...(target.headers && { headers: target.headers }),
    ...target.tls,
    ...(connected && { createConnection: () => connected as never }),
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES_MAX,
    finishRequest(request) {
      request.setHeader(SUBPROTOCOL_HEADER, subprotocols.join(', '));
      request.prependListener('upgrade', (response) => {
        agreed = response.headers[SUBPROTOCOL_HEADER];
        delete response.headers[SUBPROTOCOL_HEADER];
      });
      request.end();
    },
  });
  // From the start, so that nothing that comes with the answer is lost.
  const socket = messageSocketOf(ws, '');
  return new Promise((resolve, reject) => {
    const give = (error: Error) => {
      reject(error);
      ws.terminate();
    };
    const aborted = () => give(target.signal?.reason);
    if (target.signal?.aborted) return aborted();
    target.signal?.addEventListener('abort', aborted, { once: true });
    ws.once('unexpected-response', (_request, response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        if (body.length < 64 * 1024) body += part;
      });
      response.on('end', () =>
        give(new UpgradeError(body.trim() || `status ${response.statusCode}`, response.statusCode, body)),
      );
    });
    ws.once('error', give);
    ws.once('open', () => {
      target.signal?.removeEventListener('abort', aborted);
      ws.removeListener('error', give);
      if (agreed !== undefined && subprotocols.includes(agreed)) resolve({ ...socket, protocol: agreed });
      else give(new UpgradeError(`the server chose the subprotocol ${JSON.stringify(agreed)}, which nobody offered`));
    });
  });
}
