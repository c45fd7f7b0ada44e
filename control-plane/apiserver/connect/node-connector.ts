import type { IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import type { Sockets } from '../../../libs/base/host.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { ConnectTarget } from '../../../libs/kind/kind.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { ApiError, badRequest, failure, internal, serviceUnavailable } from '../../../libs/machinery/errors.ts';
import { httpOf, UpgradeError } from '../../../libs/streaming/node/http.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import type { Connector } from '../registry/engine.ts';
import { textResponse } from '../responses.ts';
import type { UpgradeHook } from '../serve/serve.ts';
import { ledHtml, linksOf } from './links.ts';
import { Upgrades } from './upgrades.ts';

export interface NodeConnectorOptions {
  /** As whom the API server speaks to kubelets, and who signs kubelets' certificates. */
  readonly kubeletClient: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly kubeletAuthorityPem: string;
  readonly log: Logger;
  /** Where connections are made: this host's network, unless a test hands in another. */
  readonly sockets?: Pick<Sockets, 'connect'>;
}

const CONNECT_MS = 30_000;
const MESSAGE_BYTES_MAX = 64 * 1024;

/** Headers that belong to one connection, or that say who the client is: a kubelet is asked by the API server. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'cookie',
  'host',
  'keep-alive',
  'proxy-authorization',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Carries requests on to kubelets, pods and services: plain ones with their bodies, upgraded ones (exec, attach,
 * port-forward) byte by byte. It is both the `Connector` of the API server and the `UpgradeHook` of its sockets:
 *
 *     const connector = new NodeConnector({ kubeletClient, kubeletAuthorityPem, log });
 *     const server = createDefaultServer({ …, connector });
 *     await serve({ …, handle: (request) => server.handle(request), upgrade: connector.upgradeHook((r) => server.handle(r)) });
 */
export class NodeConnector implements Connector {
  readonly upgrades = new Upgrades();
  readonly #options: NodeConnectorOptions;

  constructor(options: NodeConnectorOptions) {
    this.#options = options;
  }

  async connect(ctx: RequestContext, request: ApiRequest, target: ConnectTarget): Promise<ApiResponse> {
    if (this.upgrades.has(request)) return this.#tunnel(request, target);
    // Links that are relative to `…/proxy` would miss what is behind it.
    const { path } = ctx.attributes;
    if (path === target.prefix && (request.method === 'GET' || request.method === 'HEAD')) {
      return movedTo(`${path}/${request.query === '' ? '' : `?${request.query}`}`);
    }
    if (target.kind === 'node' && /^\/(exec|attach|portForward)\//.test(target.path)) {
      throw badRequest('Upgrade request required');
    }
    return this.#proxy(request, target);
  }

  /** `alsoAt`: other paths that lead to servers which may agree to an upgrade. */
  upgradeHook(
    handle: (request: ApiRequest) => Promise<ApiResponse>,
    alsoAt: (path: string) => boolean = () => false,
  ): UpgradeHook {
    const mine = (path: string) => /\/(exec|attach|portforward|proxy)(\/|$)/.test(path);
    return this.upgrades.hook(handle, (path) => mine(path) || alsoAt(path));
  }

  async #tunnel(request: ApiRequest, target: ConnectTarget): Promise<ApiResponse> {
    try {
      const to = {
        url: urlOf(target),
        method: request.method,
        tls: this.#tls(target),
        signal: request.signal,
        ...this.#connectBy(target),
      };
      return await this.upgrades.tunnel(request, to, forwardedHeaders(request));
    } catch (error) {
      // What the other end says instead is passed on as it is: clients read its words, and may try an older protocol.
      if (error instanceof UpgradeError) return textResponse(error.code ?? 500, error.body || error.message);
      throw this.#unreachable(target, error);
    }
  }

  async #proxy(request: ApiRequest, target: ConnectTarget): Promise<ApiResponse> {
    const { body, signal } = request;
    const secure = target.scheme === 'https';
    const http = await httpOf(secure);
    const connected = await this.#connectBy(target).connect?.();
    const tls = this.#tls(target);
    const socket = connected && secure ? tlsConnect({ ...tls, host: target.host, socket: connected }) : connected;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = http.request(urlOf(target), {
        method: request.method,
        headers: { ...forwardedHeaders(request), ...proxyHeaders(request, target) },
        signal,
        timeout: CONNECT_MS,
        ...tls,
        ...(socket ? { createConnection: () => socket as never } : { agent: false }),
      });
      outgoing.once('response', (answer) => {
        outgoing.setTimeout(0);
        resolve(answer);
      });
      outgoing.once('timeout', () => outgoing.destroy(new Error('i/o timeout')));
      outgoing.once('error', reject);
      outgoing.end(body && 'bytes' in body ? body.bytes : body && JSON.stringify(body.value));
    }).catch((error: unknown) => {
      throw this.#unreachable(target, error);
    });
    const code = response.statusCode ?? 500;
    if (target.prefix !== undefined) return proxied(request, target, target.prefix, response);
    // What a kubelet refuses is told as a Status.
    if (code >= 400) throw refusal(code, await textOf(response));
    return streamed(code, answerHeaders(response), response, response);
  }

  #tls(target: ConnectTarget) {
    if (target.scheme !== 'https') return undefined;
    if (target.kind !== 'node') return { rejectUnauthorized: false };
    const { kubeletClient, kubeletAuthorityPem } = this.#options;
    return { ca: kubeletAuthorityPem, cert: kubeletClient.certificatePem, key: kubeletClient.privateKeyPem };
  }

  #connectBy({ host, port }: ConnectTarget): { connect?: () => Promise<Duplex> } {
    const { sockets } = this.#options;
    return sockets ? { connect: () => sockets.connect({ host, port }) } : {};
  }

  #unreachable(target: ConnectTarget, error: unknown): ApiError {
    const { message } = error as Error;
    this.#options.log.warn('a connection could not be made', { target: `${target.host}:${target.port}`, error });
    if (target.kind !== 'node') return serviceUnavailable(`error trying to reach service: ${message}`);
    return internal(`error dialing backend: ${message}`);
  }
}

const movedTo = (location: string): ApiResponse => ({
  code: 301,
  headers: { location },
  warnings: [],
  body: { form: 'empty' },
});

/** What a reverse proxy adds for the program behind it, which is asked under the name that the client knows. */
function proxyHeaders({ headers, peer }: ApiRequest, { kind, prefix, path }: ConnectTarget): Record<string, string> {
  if (prefix === undefined) return {};
  const { cookie } = headers;
  const before = headers['x-forwarded-for'];
  const chain = [before ?? [], peer.address]
    .flat()
    .filter((address) => address !== '')
    .join(', ');
  return {
    ...(kind === 'node' || cookie === undefined ? {} : { cookie: [cookie].flat().join('; ') }),
    ...(headers['host'] === undefined ? {} : { host: String(headers['host']) }),
    ...(chain === '' ? {} : { 'x-forwarded-for': chain }),
    'x-forwarded-uri': encodeURI(prefix) + path.replace(/\?.*$/s, ''),
  };
}

/** An answer as the program gave it, but for addresses of its own: those are led through the proxy again. */
async function proxied(
  request: ApiRequest,
  { host, port }: ConnectTarget,
  prefix: string,
  response: IncomingMessage,
): Promise<ApiResponse> {
  const code = response.statusCode ?? 500;
  const headers = answerHeaders(response);
  for (const name of Object.keys(headers)) if (name.startsWith('access-control-allow-')) delete headers[name];
  const links = linksOf({ prefix, own: `${host}:${port}`, asked: String(request.headers['host'] ?? '') });
  const { location } = headers;
  const type = response.headers['content-type']?.split(';')[0]?.trim();
  if (location !== undefined) headers['location'] = links(location);
  else if (type === 'text/html' && request.method !== 'HEAD') {
    const plain = await decoded(response);
    if (plain) {
      delete headers['content-encoding'];
      return streamed(code, headers, response, ledHtml(plain, links));
    }
  }
  const length = response.headers['content-length'];
  return streamed(code, length === undefined ? headers : { ...headers, 'content-length': length }, response, response);
}

/** The body without the encoding it was sent in; undefined for one that is not known. */
async function decoded(response: IncomingMessage): Promise<Readable | undefined> {
  const encoding = response.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity' || encoding === '') return response;
  if (encoding !== 'gzip' && encoding !== 'deflate') return undefined;
  const { createUnzip } = await import('node:zlib');
  const plain = createUnzip();
  response.once('error', (error) => plain.destroy(error));
  return response.pipe(plain);
}

function streamed(
  code: number,
  headers: Record<string, string>,
  response: IncomingMessage,
  chunks: AsyncIterable<Uint8Array>,
): ApiResponse {
  const contentType = response.headers['content-type'] ?? 'application/octet-stream';
  const cookies = response.headers['set-cookie'] ?? [];
  return { code, headers, cookies, warnings: [], body: { form: 'stream', contentType, chunks } };
}

function urlOf({ scheme, host, port, path }: ConnectTarget): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
}

function forwardedHeaders(request: ApiRequest): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (
      value === undefined ||
      NOT_FORWARDED.has(name) ||
      name.startsWith('impersonate-') ||
      name.startsWith('x-remote-')
    )
      continue;
    out[name] = Array.isArray(value) ? value.join(', ') : (value as string);
  }
  return out;
}

function answerHeaders(response: IncomingMessage): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value === undefined || NOT_FORWARDED.has(name) || name === 'content-type' || Array.isArray(value)) continue;
    out[name] = value;
  }
  return out;
}

async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const part of response) if (text.length < MESSAGE_BYTES_MAX) text += part as string;
  return text.trim();
}

/** A kubelet's plain refusal as the Status that clients know. */
function refusal(code: number, message: string): ApiError {
  if (code === 400) return badRequest(message);
  if (code === 404) return new ApiError(failure(404, 'NotFound', message));
  if (code === 403) return new ApiError(failure(403, 'Forbidden', message));
  return internal(message);
}
