// Simulated nodes in place of this machine: a whole cluster where real containers are impossible, or not wanted.

import { inProcessTransport } from '../../control-plane/apiserver/in-process.ts';
import type { Connector } from '../../control-plane/apiserver/registry/engine.ts';
import type { ConnectTarget, Sockets } from '../../libs/base/host.ts';
import { SimulatedConnector } from '../../testing/nodes/connector.ts';
import { KubeletServers } from '../../testing/nodes/kubelet-servers.ts';
import type { SimulatedNode } from '../../testing/nodes/simulated-node.ts';
import { type SimulatedNodes, startSimulatedNodes } from '../../testing/simulated-nodes.ts';
import type { Around } from './components.ts';
import { kubeletTls } from './kubelet-tls.ts';

/** Made before the API server, which reaches the nodes through it; started after it. */
export class Simulation {
  readonly #connector = new SimulatedConnector(() => this.#nodes);
  #nodes: SimulatedNodes | undefined;
  #servers: KubeletServers | undefined;

  /** Where the API server connects for exec, attach and port-forward. */
  readonly sockets: Pick<Sockets, 'connect'> = {
    connect: (target: ConnectTarget) => {
      if (!this.#servers || 'path' in target) throw new Error('connect: no route to host');
      return this.#servers.connect(target);
    },
  };

  /** What the API server uses: `upgrades` carries the streams. */
  connector(upgrades: Connector): Connector {
    this.#connector.upgrades = upgrades;
    return this.#connector;
  }

  /** Resolves when all nodes are registered. */
  async start(around: Around, count: number): Promise<void> {
    const { machine, server, heldTokens } = around;
    const { clock, random, keys, log } = machine;
    const nodes = await startSimulatedNodes({
      nodes: count,
      clock,
      random,
      keys,
      log: log.child('simulation'),
      transportAs: async ({ name, groups }) =>
        inProcessTransport({
          handle: (request) => server.handle(request),
          credentials: { token: heldTokens.issue({ name, groups: [...groups], extra: {} }) },
          userAgent: 'kubelet',
        }),
    });
    this.#nodes = nodes;
    this.#servers = new KubeletServers(nodes, ({ name, ip }: SimulatedNode) => kubeletTls(around, name, ip));
  }

  async stop(): Promise<void> {
    await this.#servers?.stop();
    await this.#nodes?.stop();
  }
}
