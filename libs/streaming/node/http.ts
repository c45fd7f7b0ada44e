import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import type { ByteDuplex } from '../channel.ts';
import { duplexOfSocket } from '../socket.ts';

/** An upgrade that was refused or broke. `code` is the HTTP status, where there was one; `body` what came with it. */
export class UpgradeError extends Error {
  readonly code: number | undefined;
  readonly body: string;
  constructor(message: string, code?: number, body = '') {
    super(message);
    this.name = 'UpgradeError';
    this.code = code;
    this.body = body;
  }
}

/** Where and how to dial. */
export interface DialTarget {
  /** `http:` or `https:`, with path and query. */
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** What `tls.connect` takes: `ca`, `cert`, `key`, `servername`, `rejectUnauthorized`. */
  readonly tls?: Readonly<{
    ca?: string;
    cert?: string;
    key?: string;
    servername?: string;
    rejectUnauthorized?: boolean;
  }>;
  /** Gives up the dialling; an open connection is not touched by it. */
  readonly signal?: AbortSignal;
  /** Makes the TCP connection, for hosts that are reached in another way than by name. */
  readonly connect?: () => Promise<Duplex>;
}

const BODY_BYTES_MAX = 64 * 1024;

/**
 * Asks for an upgrade and gives the bytes behind it. Rejects with `UpgradeError` when the server answers anything but
 * 101, or with the system's error when it cannot be reached.
 */
export async function dialUpgrade(
  target: DialTarget,
  protocol: string,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
): Promise<{ response: IncomingMessage; duplex: ByteDuplex }> {
  const url = new URL(target.url);
  const secure = url.protocol === 'https:';
  const { request: make } = await httpOf(secure);
  const connected = await target.connect?.();
  // The host is who the certificate must be of; without it, it would have to be of `localhost`.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const socket =
    connected && secure
      ? tlsConnect({ host, ...target.tls, socket: connected, ALPNProtocols: ['http/1.1'] })
      : connected;
  return new Promise((resolve, reject) => {
    const request = make(url, {
      method: target.method ?? 'POST',
      headers: {
        ...target.headers,
        ...mutable(headers),
        Connection: 'Upgrade',
        Upgrade: protocol,
        'Content-Length': '0',
      },
      ...target.tls,
      ...(secure && { ALPNProtocols: ['http/1.1'] }),
      // With an agent, Node would connect by itself.
      ...(socket ? { createConnection: () => socket } : { agent: false }),
    });
    const aborted = () => request.destroy(target.signal?.reason);
    if (target.signal?.aborted) aborted();
    target.signal?.addEventListener('abort', aborted, { once: true });
    request.once('upgrade', (response, upgraded, head) => {
      target.signal?.removeEventListener('abort', aborted);
      upgraded.setNoDelay?.(true);
      resolve({ response, duplex: duplexOfSocket(upgraded, head) });
    });
    request.once('response', (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        if (body.length < BODY_BYTES_MAX) body += part;
      });
      response.on('end', () => {
        request.destroy();
        reject(new UpgradeError(body.trim() || `unexpected answer ${response.statusCode}`, response.statusCode, body));
      });
    });
    request.once('error', reject);
    request.end();
  });
}

/**
 * What requests are made with, loaded when the first is: importing `node:http` also loads Node's own fetch, which is a
 * tenth of the time in which an API server starts.
 */
export function httpOf(secure: boolean): Promise<Pick<typeof import('node:http'), 'request'>> {
  return secure ? import('node:https') : import('node:http');
}

function mutable(headers: Readonly<Record<string, string | readonly string[]>>): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]),
  );
}
