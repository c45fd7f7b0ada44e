import type { ApiRequest, ApiResponse } from '../../control-plane/apiserver/api.ts';
import type { Connector } from '../../control-plane/apiserver/registry/engine.ts';
import type { ConnectTarget } from '../../libs/kind/kind.ts';
import type { RequestContext } from '../../libs/kind/request.ts';
import { ApiError, badRequest, failure, internal, serviceUnavailable } from '../../libs/machinery/errors.ts';
import { containerLog, parseLogQuery } from '../../node/kubelet/server/container-logs.ts';
import { RequestError } from '../../node/kubelet/server/errors.ts';
import { statsSummary } from '../../node/kubelet/server/stats.ts';
import type { SimulatedNodes } from '../simulated-nodes.ts';
import type { SimulatedNode } from './simulated-node.ts';

/**
 * How the API server of a simulated cluster reaches nodes, pods and Services: by the simulated network, without sockets.
 * Upgraded connections (exec, attach, port-forward) exist with a real endpoint only; `upgrades` then carries them.
 */
export class SimulatedConnector implements Connector {
  readonly #nodes: () => SimulatedNodes | undefined;
  upgrades: Connector | undefined;

  constructor(nodes: () => SimulatedNodes | undefined) {
    this.#nodes = nodes;
  }

  async connect(ctx: RequestContext, request: ApiRequest, target: ConnectTarget): Promise<ApiResponse> {
    if (request.headers['upgrade'] && this.upgrades) return this.upgrades.connect(ctx, request, target);
    if (target.kind === 'node') return this.#askKubelet(request, target);
    return this.#proxy(request, target);
  }

  async #askKubelet(request: ApiRequest, target: ConnectTarget): Promise<ApiResponse> {
    const node = this.#nodes()?.nodes.find(({ name, ip }) => name === target.node || ip === target.host);
    const kubelet = reachableKubelet(node, target);
    const url = new URL(target.path, 'https://kubelet');
    const [first = '', namespace = '', pod = '', container = ''] = url.pathname
      .split('/')
      .slice(1)
      .map(decodeURIComponent);
    try {
      if (first === 'containerLogs') {
        const query = parseLogQuery(url.searchParams, kubelet.env.clock.now());
        const chunks = await containerLog(kubelet, { namespace, pod, container }, query, request.signal);
        return { ...OK, body: { form: 'stream', contentType: 'text/plain', chunks } };
      }
      if (first === 'healthz') return text('ok');
      if (first === 'pods' || first === 'runningpods')
        return json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: kubelet.pods() });
      if (first === 'stats') return json(await statsSummary(kubelet, new Map()));
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      if (error.code === 400) throw badRequest(error.message);
      throw error.code === 404 ? new ApiError(failure(404, 'NotFound', error.message)) : internal(error.message);
    }
    if (/^(exec|attach|portForward)$/.test(first)) throw badRequest('Upgrade request required');
    throw new ApiError(failure(404, 'NotFound', '404 page not found'));
  }

  async #proxy(request: ApiRequest, { host, port, path }: ConnectTarget): Promise<ApiResponse> {
    const { body } = request;
    const decoder = new TextDecoder();
    const sent = body === undefined ? '' : 'bytes' in body ? decoder.decode(body.bytes) : JSON.stringify(body.value);
    try {
      const network = this.#nodes()?.network;
      if (!network) throw new Error('no endpoints available');
      const at = host.includes(':') ? `[${host}]` : host;
      const answer = await network.request(`http://${at}:${port}${path}`, { method: request.method, body: sent });
      const { 'content-type': contentType = 'text/plain; charset=utf-8', ...headers } = answer.headers;
      return { code: answer.status, headers, warnings: [], body: stream(answer.body, contentType) };
    } catch (error) {
      throw serviceUnavailable(`error trying to reach service: ${(error as Error).message}`);
    }
  }
}

/** Throws as the API server does where a node cannot be dialled. */
export function reachableKubelet(
  node: SimulatedNode | undefined,
  target: { readonly host: string; readonly port: number },
) {
  if (node?.kubelet && !node.unreachable) return node.kubelet;
  throw internal(`error dialing backend: dial tcp ${target.host}:${target.port}: connect: no route to host`);
}

const OK = { code: 200, headers: {}, warnings: [] } as const;

function stream(body: string, contentType: string): ApiResponse['body'] {
  const chunks = async function* () {
    if (body !== '') yield new TextEncoder().encode(body);
  };
  return { form: 'stream', contentType, chunks: chunks() };
}

const text = (body: string): ApiResponse => ({ ...OK, body: stream(body, 'text/plain; charset=utf-8') });
const json = (value: unknown): ApiResponse => {
  const body = JSON.stringify(value, (_key, member) => (typeof member === 'bigint' ? Number(member) : member));
  return { ...OK, body: stream(body, 'application/json') };
};
