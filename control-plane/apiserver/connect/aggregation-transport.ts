import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import type { Sockets } from '../../../libs/base/host.ts';
import type { ProxyCall, ProxyTransport } from '../aggregation/aggregator.ts';
import type { ApiResponse } from '../api.ts';

export interface AggregationTransportOptions {
  /** The front proxy's client certificate, asked for at each connection: it is renewed. */
  identity(): { readonly certificatePem: string; readonly privateKeyPem: string };
  /** Where connections are made, unless it is this machine's network. */
  readonly sockets?: Pick<Sockets, 'connect'>;
}

/** What belongs to one connection, or is written by whoever serves the answer on. */
const NOT_HANDED_ON: ReadonlySet<string> = new Set([
  'audit-id',
  'cache-control',
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'transfer-encoding',
]);
const SILENT_MS_MAX = 60_000;

/** Extension API servers over HTTPS, one connection for each request; answers come as they are written. */
export function httpsAggregation(options: AggregationTransportOptions): ProxyTransport {
  return {
    async send(call) {
      const socket = await options.sockets?.connect({ host: call.host, port: call.port }, { signal: call.signal });
      const response = await exchange(call, options.identity(), socket);
      return answerOf(response);
    },
  };
}

function exchange(
  call: ProxyCall,
  identity: ReturnType<AggregationTransportOptions['identity']>,
  socket: Duplex | undefined,
): Promise<IncomingMessage> {
  const { host, port, serverName, authorityPem, insecure, signal } = call;
  const tls = {
    host,
    port,
    servername: serverName,
    cert: identity.certificatePem,
    key: identity.privateKeyPem,
    ALPNProtocols: ['http/1.1'],
    ...(authorityPem ? { ca: authorityPem } : {}),
    ...(insecure ? { rejectUnauthorized: false } : {}),
  };
  const headers: Record<string, string[]> = { host: [`${serverName}:${port}`] };
  for (const [name, value] of call.headers) headers[name] = [...(headers[name] ?? []), value];
  if (call.body) headers['content-length'] = [String(call.body.length)];
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        ...tls,
        method: call.method,
        path: call.path,
        headers: Object.fromEntries(
          Object.entries(headers).map(([name, all]) => [name, all.length > 1 ? all : all[0]]),
        ),
        agent: false,
        signal,
        timeout: SILENT_MS_MAX,
        ...(socket ? { createConnection: () => tlsConnect({ ...tls, socket }) } : {}),
      },
      (response) => {
        // From here on a watch may be silent for as long as its client wants.
        request.setTimeout(0);
        resolve(response);
      },
    );
    request.on('timeout', () => request.destroy(new Error('i/o timeout')));
    request.on('error', reject);
    request.end(call.body);
  });
}

function answerOf(response: IncomingMessage): ApiResponse {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value === undefined || NOT_HANDED_ON.has(name)) continue;
    headers[name] = typeof value === 'string' ? value : value.join(', ');
  }
  const contentType = response.headers['content-type'] ?? 'application/octet-stream';
  return {
    code: response.statusCode ?? 502,
    headers,
    warnings: [],
    body: { form: 'stream', contentType, chunks: response },
  };
}
