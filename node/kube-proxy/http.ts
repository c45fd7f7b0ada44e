import type { Duplex } from 'node:stream';
import type { Clock } from '../../libs/base/clock.ts';
import type { Host, Listener } from '../../libs/base/host.ts';

export interface HttpAnswer {
  readonly status: 200 | 404 | 503;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const REQUEST_BYTES_MAX = 8_192;
const REQUEST_MS = 5_000;
const WORDS = { 200: 'OK', 404: 'Not Found', 503: 'Service Unavailable' } as const;
const NOT_FOUND: HttpAnswer = { status: 404, type: 'text/plain; charset=utf-8', body: '404 page not found\n' };

/**
 * Listens for the few who ask a proxy how it is: one request to a connection, answered by its path alone. Rejects with the
 * system's error where the port is taken. `answer`: undefined for a path that there is not.
 */
export function listenHttp(
  { host, clock }: { readonly host: Host; readonly clock: Clock },
  at: { readonly host: string; readonly port: number },
  answer: (path: string) => HttpAnswer | undefined,
): Promise<Listener> {
  return host.sockets.listen(at, (connection) => answerOne(clock, connection, answer));
}

function answerOne(clock: Clock, connection: Duplex, answer: (path: string) => HttpAnswer | undefined): void {
  const timer = clock.setTimer(() => connection.destroy(), REQUEST_MS);
  let text = '';
  connection.on('error', () => connection.destroy());
  connection.on('close', () => timer.cancel());
  connection.on('data', (data: Uint8Array) => {
    text += new TextDecoder('latin1').decode(data);
    if (text.length > REQUEST_BYTES_MAX) return void connection.destroy();
    if (!text.includes('\r\n\r\n')) return;
    connection.removeAllListeners('data');
    connection.resume();
    const [method = '', target = ''] = (text.split('\r\n', 1)[0] ?? '').split(' ');
    const { status, type, body, headers = {} } = answer(target.split('?')[0] ?? '') ?? NOT_FOUND;
    const bytes = new TextEncoder().encode(body);
    const lines = Object.entries({
      'Content-Type': type,
      'Content-Length': bytes.length,
      'X-Content-Type-Options': 'nosniff',
      ...headers,
      Connection: 'close',
    }).map(([name, value]) => `${name}: ${value}\r\n`);
    connection.write(`HTTP/1.1 ${status} ${WORDS[status]}\r\n${lines.join('')}\r\n`);
    connection.end(method === 'HEAD' ? undefined : bytes);
  });
}
