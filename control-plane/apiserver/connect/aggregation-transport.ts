import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import type { Sockets } from '../../../libs/base/host.ts';
import { UpgradeError } from '../../../libs/streaming/node/http.ts';
import type { ProxyCall, ProxyTransport } from '../aggregation/aggregator.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import { textResponse } from '../responses.ts';
import type { Upgrades } from './upgrades.ts';

export interface AggregationTransportOptions {
  /** The front proxy's client certificate, asked for at each connection: it is renewed. */
  identity(): { readonly certificatePem: string; readonly privateKeyPem: string };
  /** Where connections are made, unless it is this machine's network. */
  readonly sockets?: Pick<Sockets, 'connect'>;
  /** Connections that want to be something else; without it such wishes are not carried on. */
  readonly upgrades?: Upgrades;
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
      const { request } = call;
      if (request && options.upgrades?.has(request)) return tunnel(options, options.upgrades, call, request);
      const socket = await options.sockets?.connect({ host: call.host, port: call.port }, { signal: call.signal });
      const response = await exchange(call, options.identity(), socket);
      return answerOf(response);
    },
  };
}

async function tunnel(
  { sockets, identity }: AggregationTransportOptions,
  upgrades: Upgrades,
  call: ProxyCall,
  request: ApiRequest,
): Promise<ApiResponse> {
  const { host, port, method, path, signal } = call;
  try {
    const target = {
      url: `https://${host.includes(':') ? `[${host}]` : host}:${port}${path}`,
      method,
      tls: tlsOf(call, identity()),
      signal,
      ...(sockets ? { connect: () => sockets.connect({ host, port }, { signal }) } : {}),
    };
    return await upgrades.tunnel(request, target, headersOf(call));
  } catch (error) {
    if (!(error instanceof UpgradeError) || error.code === undefined) throw error;
    return textResponse(error.code, error.body);
  }
}

function exchange(
  call: ProxyCall,
  identity: ReturnType<AggregationTransportOptions['identity']>,
  socket: Duplex | undefined,
): Promise<IncomingMessage> {
  const tls = {
    host: call.host,
    port: call.port,
    ...tlsOf(call, identity),
    ALPNProtocols: ['http/1.1'],
  };
  const headers = { ...headersOf(call), ...(call.body ? { 'content-length': String(call.body.length) } : {}) };
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        ...tls,
        method: call.method,
        path: call.path,
        headers,
        signal: call.signal,
        timeout: SILENT_MS_MAX,
        // With an agent, Node would connect by itself.
        ...(socket ? { createConnection: () => tlsConnect({ ...tls, socket }) } : { agent: false }),
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

function tlsOf(
  { serverName, authorityPem, insecure }: ProxyCall,
  { certificatePem, privateKeyPem }: ReturnType<AggregationTransportOptions['identity']>,
) {
  return {
    servername: serverName,
    cert: certificatePem,
    key: privateKeyPem,
    ...(authorityPem ? { ca: authorityPem } : {}),
    ...(insecure ? { rejectUnauthorized: false } : {}),
  };
}

/** Repeated ones as lists: groups are told one by one. */
function headersOf({ serverName, port, headers }: ProxyCall): Record<string, string | string[]> {
  const all: Record<string, string[]> = { host: [`${serverName}:${port}`] };
  for (const [name, value] of headers) all[name] = [...(all[name] ?? []), value];
  return Object.fromEntries(
    Object.entries(all).map(([name, values]) => [name, values.length > 1 ? values : (values[0] as string)]),
  );
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
