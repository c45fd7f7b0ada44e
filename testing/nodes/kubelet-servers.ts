import type { Duplex } from 'node:stream';
import { type KubeletServer, type KubeletTls, startKubeletServer } from '../../node/kubelet/server/server.ts';
import type { SimulatedNodes } from '../simulated-nodes.ts';
import { reachableKubelet } from './connector.ts';
import type { SimulatedNode } from './simulated-node.ts';

interface Served {
  readonly kubelet: SimulatedNode['kubelet'];
  readonly server: Promise<KubeletServer>;
}

/**
 * The kubelets' own HTTPS servers, for clients that come through a real endpoint: each starts when somebody first
 * connects to its node, on sockets in memory.
 */
export class KubeletServers {
  readonly #nodes: SimulatedNodes;
  readonly #tlsOf: (node: SimulatedNode) => Promise<KubeletTls>;
  readonly #served = new Map<SimulatedNode, Served>();

  constructor(nodes: SimulatedNodes, tlsOf: (node: SimulatedNode) => Promise<KubeletTls>) {
    this.#nodes = nodes;
    this.#tlsOf = tlsOf;
  }

  /** A connection to a node's kubelet. Rejects where the node cannot be reached. */
  async connect(target: { readonly host?: string; readonly port?: number }): Promise<Duplex> {
    const { host = '', port = 0 } = target;
    const node = this.#nodes.nodes.find((one) => one.ip === host || one.name === host);
    const kubelet = reachableKubelet(node, { host, port });
    let served = this.#served.get(node as SimulatedNode);
    if (served?.kubelet !== kubelet) {
      await (await served?.server)?.[Symbol.asyncDispose]();
      const starting = this.#tlsOf(node as SimulatedNode).then((tls) =>
        startKubeletServer({ kubelet, host: (node as SimulatedNode).ip, port: 0, tls }),
      );
      served = { kubelet, server: starting };
      this.#served.set(node as SimulatedNode, served);
    }
    const server = await served.server;
    return kubelet.env.host.sockets.connect({ host: (node as SimulatedNode).ip, port: server.port });
  }

  async stop(): Promise<void> {
    for (const { server } of this.#served.values()) await (await server)[Symbol.asyncDispose]();
    this.#served.clear();
  }
}
