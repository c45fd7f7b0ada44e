import type { ByteDuplex } from '../../../libs/streaming/channel.ts';
import type { SimulatedRequest, SimulatedResponse } from './network.ts';

const HEAD_BYTES_MAX = 64 * 1024;
const BODY_BYTES_MAX = 1024 * 1024;

/**
 * Speaks HTTP/1.1 on a connection into a simulated pod (port-forward, proxies): one request after the other, bodies by
 * `Content-Length`. Ends the connection after an answer that the client wants to be the last, or at nonsense. Never
 * rejects.
 */
export async function serveHttp(
  connection: ByteDuplex,
  from: string,
  answer: (request: SimulatedRequest) => Promise<SimulatedResponse>,
): Promise<void> {
  let buffer = '';
  const more = async (): Promise<boolean> => {
    const chunk = await connection.source.read();
    // One character for each byte, so that lengths are lengths in bytes.
    if (chunk)
      for (let at = 0; at < chunk.length; at += 8192) buffer += String.fromCharCode(...chunk.subarray(at, at + 8192));
    return chunk !== undefined;
  };
  try {
    for (let open = true; open; ) {
      let end = buffer.indexOf('\r\n\r\n');
      for (; end < 0; end = buffer.indexOf('\r\n\r\n'))
        if (buffer.length > HEAD_BYTES_MAX || !(await more())) return await connection.sink.end();
      const [line = '', ...rest] = buffer.slice(0, end).split('\r\n');
      buffer = buffer.slice(end + 4);
      const match = /^([A-Z]+) (\S+) HTTP\/1\.([01])$/.exec(line);
      const headers = Object.fromEntries(
        rest.map((row) => [row.slice(0, row.indexOf(':')).toLowerCase(), row.slice(row.indexOf(':') + 1).trim()]),
      );
      const length = Number(headers['content-length'] ?? 0);
      if (!match || !(length >= 0 && length <= BODY_BYTES_MAX)) {
        await send(connection, { status: 400, headers: {}, body: 'bad request\n' }, false);
        return await connection.sink.end();
      }
      while (buffer.length < length) if (!(await more())) return await connection.sink.end();
      const body = decode(buffer.slice(0, length));
      buffer = buffer.slice(length);
      open = match[3] === '1' && headers['connection']?.toLowerCase() !== 'close';
      const response = await answer({ method: match[1] as string, path: match[2] as string, headers, body, from });
      await send(connection, response, open, match[1] === 'HEAD');
    }
    await connection.sink.end();
  } catch (error) {
    connection.destroy(error as Error);
  }
}

async function send(
  connection: ByteDuplex,
  response: SimulatedResponse,
  open: boolean,
  headOnly = false,
): Promise<void> {
  const body = new TextEncoder().encode(response.body);
  const lines = [
    `HTTP/1.1 ${response.status} ${REASONS[response.status] ?? 'Status'}`,
    ...Object.entries(response.headers).map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${body.length}`,
    `Connection: ${open ? 'keep-alive' : 'close'}`,
  ];
  const head = new TextEncoder().encode(`${lines.join('\r\n')}\r\n\r\n`);
  await connection.sink.write(head);
  if (!headOnly && body.length > 0) await connection.sink.write(body);
}

const decode = (binary: string): string => new TextDecoder().decode(Uint8Array.from(binary, (c) => c.charCodeAt(0)));

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  301: 'Moved Permanently',
  302: 'Found',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};
