import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import type { Sockets } from '../../../libs/base/host.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { ConnectTarget } from '../../../libs/kind/kind.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { ApiError, badRequest, failure, internal, serviceUnavailable } from '../../../libs/machinery/errors.ts';
import { dialUpgrade, UpgradeError } from '../../../libs/streaming/node/http.ts';
import { acceptTunnel } from '../../../libs/streaming/node/upgrade.ts';
import { joinDuplex } from '../../../libs/streaming/portforward.ts';
import type { ApiRequest, ApiResponse } from '../api.ts';
import type { Connector } from '../registry/engine.ts';
import type { UpgradeHook } from '../serve/serve.ts';

export interface NodeConnectorOptions {
  /** As whom the API server speaks to kubelets, and who signs kubelets' certificates. */
  readonly kubeletClient: { readonly certificatePem: string; readonly privateKeyPem: string };
  readonly kubeletAuthorityPem: string;
  readonly log: Logger;
  /** Where connections are made: this host's network, unless a test hands in another. */
  readonly sockets?: Pick<Sockets, 'connect'>;
}

interface Taken {
  readonly socket: Duplex;
  readonly head: Uint8Array;
  tunnelled: boolean;
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
  readonly #options: NodeConnectorOptions;
  /** Upgrades under way, by their request, until the engine has said where they lead. */
  readonly #upgrades = new WeakMap<ApiRequest, Taken>();

  constructor(options: NodeConnectorOptions) {
    this.#options = options;
  }

  connect(_ctx: RequestContext, request: ApiRequest, target: ConnectTarget): Promise<ApiResponse> {
    const upgrade = this.#upgrades.get(request);
    if (upgrade) return this.#tunnel(request, target, upgrade);
    if (target.kind === 'node' && /^\/(exec|attach|portForward)\//.test(target.path)) {
      throw badRequest('Upgrade request required');
    }
    return this.#proxy(request, target);
  }

  upgradeHook(handle: (request: ApiRequest) => Promise<ApiResponse>): UpgradeHook {
    return {
      accepts: ({ path, headers }) =>
        /\/(exec|attach|portforward|proxy)(\/|$)/.test(path) &&
        /websocket|spdy\/3\.1/i.test(String(headers['upgrade'] ?? '')),
      handle: (request, socket, head) => {
        const taken: Taken = { socket, head, tunnelled: false };
        this.#upgrades.set(request, taken);
        socket.on('error', () => socket.destroy());
        handle(request).then(
          (response) => {
            if (!taken.tunnelled) void answerPlainly(socket, response);
          },
          () => socket.destroy(),
        );
      },
    };
  }

  /** Resolves once the other end has agreed; the bytes go on by themselves. */
  async #tunnel(request: ApiRequest, target: ConnectTarget, upgrade: Taken): Promise<ApiResponse> {
    const protocol = String(request.headers['upgrade'] ?? '');
    const headers = forwardedHeaders(request);
    let answer: Awaited<ReturnType<typeof dialUpgrade>>;
    try {
      answer = await dialUpgrade(
        {
          url: urlOf(target),
          method: request.method,
          headers,
          tls: this.#tls(target),
          signal: request.signal,
          ...this.#connectBy(target),
        },
        protocol,
      );
    } catch (error) {
      if (error instanceof UpgradeError) throw refusal(error.code ?? 500, error.body || error.message);
      throw this.#unreachable(target, error);
    }
    const { response, duplex } = answer;
    upgrade.tunnelled = true;
    const client = acceptTunnel({ request: undefined as never, socket: upgrade.socket, head: upgrade.head }, response);
    void joinDuplex(client, duplex).then(() => {
      client.destroy();
      duplex.destroy();
    });
    return { code: 101, headers: {}, warnings: [], body: { form: 'empty' } };
  }

  async #proxy(request: ApiRequest, target: ConnectTarget): Promise<ApiResponse> {
    const { body, signal } = request;
    const connected = await this.#connectBy(target).connect?.();
    const secure = target.scheme === 'https';
    const tls = this.#tls(target);
    const socket = connected && secure ? tlsConnect({ ...tls, host: target.host, socket: connected }) : connected;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = (secure ? httpsRequest : httpRequest)(urlOf(target), {
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

/** An upgrade that leads nowhere is answered as if nobody had asked for one. */
async function answerPlainly(socket: Duplex, response: ApiResponse): Promise<void> {
  const { body, code } = response;
  const pieces = body.form === 'whole' ? [...body.bytes()] : [];
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const type = body.form === 'whole' ? `Content-Type: ${body.contentType}\r\n` : '';
  socket.write(
    `HTTP/1.1 ${code} ${REASONS[code] ?? 'Error'}\r\n${type}Content-Length: ${length}\r\nConnection: close\r\n\r\n`,
  );
  for (const piece of pieces) socket.write(piece);
  socket.end();
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};
