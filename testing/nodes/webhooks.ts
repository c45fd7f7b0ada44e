import type { WebhookAnswer, WebhookCall, WebhookTransport } from '../../control-plane/apiserver/webhook/client.ts';
import type {
  SimulatedHandler,
  SimulatedNetwork,
  SimulatedRequest,
  SimulatedResponse,
} from '../../node/cri/fake/network.ts';
import { ClusterUsageError } from '../errors.ts';

interface Served {
  readonly origin: string;
  readonly path: string;
  readonly handler: SimulatedHandler;
}

/**
 * How the API server of a simulated cluster calls webhooks: those that have a `url` are functions of the test, those that
 * have a Service lead through the simulated network to its pods.
 */
export class SimulatedWebhooks implements WebhookTransport {
  readonly #network: () => SimulatedNetwork | undefined;
  readonly #served: Served[] = [];

  constructor(network: () => SimulatedNetwork | undefined) {
    this.#network = network;
  }

  /** Throws `ClusterUsageError` for what is no URL of a webhook. */
  serve(url: string, handler: SimulatedHandler): Disposable {
    let parsed: URL;
    try {
      parsed = new URL(url);
    } catch {
      throw new ClusterUsageError(
        `"${url}" is no URL; webhooks are at addresses like "https://hooks.example.com/validate"`,
      );
    }
    if (parsed.protocol !== 'https:') throw new ClusterUsageError(`webhooks are reached by https, not as "${url}"`);
    const served = { origin: originOf(parsed.hostname, Number(parsed.port || 443)), path: parsed.pathname, handler };
    this.#served.unshift(served);
    return {
      [Symbol.dispose]: () => {
        const at = this.#served.indexOf(served);
        if (at >= 0) this.#served.splice(at, 1);
      },
    };
  }

  async post({ host, port, path, serverName, body, signal }: WebhookCall): Promise<WebhookAnswer> {
    signal.throwIfAborted();
    const origin = originOf(serverName, port);
    const found = this.#served.find((one) => one.origin === origin && isBelow(path.split('?')[0] ?? '', one.path));
    const work = found
      ? answerOf(found.handler, { path, body, serverName })
      : this.#through(host, port, path, body, serverName);
    const aborted = Promise.withResolvers<never>();
    const abort = () => aborted.reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([work, aborted.promise]);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async #through(host: string, port: number, path: string, body: string, serverName: string): Promise<WebhookAnswer> {
    const network = this.#network();
    if (!network) throw new Error(`dial tcp: lookup ${serverName}: no such host`);
    const at = host.includes(':') ? `[${host}]` : host;
    const { status, body: said } = await network.request(`http://${at}:${port}${path}`, {
      method: 'POST',
      body,
      headers: headersOf(serverName),
    });
    return { code: status, body: said };
  }
}

async function answerOf(
  handler: SimulatedHandler,
  { path, body, serverName }: Pick<WebhookCall, 'path' | 'body' | 'serverName'>,
): Promise<WebhookAnswer> {
  const request: SimulatedRequest = {
    method: 'POST',
    path,
    headers: headersOf(serverName),
    body,
    from: 'kube-apiserver',
  };
  try {
    const given: string | Partial<SimulatedResponse> = await handler(request);
    return typeof given === 'string'
      ? { code: 200, body: given }
      : { code: given.status ?? 200, body: given.body ?? '' };
  } catch (error) {
    return { code: 500, body: String((error as Error)?.message ?? error) };
  }
}

const headersOf = (serverName: string) => ({ host: serverName, 'content-type': 'application/json' });
const originOf = (host: string, port: number) => `${host.replace(/^\[(.*)\]$/, '$1').toLowerCase()}:${port}`;
const isBelow = (path: string, folder: string) =>
  path === folder || path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
