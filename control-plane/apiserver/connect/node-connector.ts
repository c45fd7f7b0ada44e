import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
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

  connect(_ctx: RequestContext, request: ApiRequest, target: ConnectTarget): Promise<ApiResponse> {
    if (this.upgrades.has(request)) return this.#tunnel(request, target);
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
        headers: forwardedHeaders(request),
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
    // What a kubelet refuses is told as a Status; what a pod or service answers is its own affair.
    if (target.kind === 'node' && code >= 400) throw refusal(code, await textOf(response));
    return {
      code,
      headers: answerHeaders(response),
      warnings: [],
      body: {
        form: 'stream',
        contentType: response.headers['content-type'] ?? 'application/octet-stream',
        chunks: response,
      },
    };
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
    if (value === undefined || NOT_FORWARDED.has(name) || name === 'content-type') continue;
    out[name] = Array.isArray(value) ? value.join(', ') : value;
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
