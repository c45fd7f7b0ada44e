import { nodes as nodeResource } from '../api/resources.ts';
import type { Clock } from '../libs/base/clock.ts';
import type { Keys } from '../libs/base/keys.ts';
import type { Logger } from '../libs/base/log.ts';
import type { Random } from '../libs/base/random.ts';
import { createClient } from '../libs/client/client.ts';
import { createInformers, type StoppableInformers } from '../libs/client/informers.ts';
import type { Transport } from '../libs/client/transport.ts';
import { SimulatedImages } from '../node/cri/fake/image.ts';
import { SimulatedNetwork } from '../node/cri/fake/network.ts';
import { clusterNames } from './nodes/names.ts';
import { NodeInformers } from './nodes/node-informers.ts';
import { type NodeSnapshot, type NodeSpec, SimulatedNode } from './nodes/simulated-node.ts';

export type { NodeSnapshot, NodeSpec, NodeState, NodeTaint } from './nodes/simulated-node.ts';
export { SimulatedNode } from './nodes/simulated-node.ts';

export interface SimulatedNodesOptions {
  /** How many, or what each is. */
  readonly nodes: number | readonly NodeSpec[];
  /**
   * A way into the API server as a user: `system:node:<name>` of the group `system:nodes` for each node, and
   * `system:simulated-nodes` of `system:masters` for what they follow together.
   */
  transportAs(user: { readonly name: string; readonly groups: readonly string[] }): Promise<Transport>;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
  /** How long watches last, where the way to the server cannot die unseen. Default as of any client. */
  readonly watchSeconds?: number;
  /** Goes on from snapshots of nodes, in place of `nodes`. */
  readonly from?: readonly NodeSnapshot[];
  /** What containers' images do. Default: all run until they are stopped. */
  readonly images?: SimulatedImages;
  /**
   * Waits for work of the nodes that needs time to go on: under a virtual clock somebody has to advance it. Default: just
   * awaits, for a real clock.
   */
  drive?<T>(work: Promise<T>): Promise<T>;
  /** Starts what waits for time to pass; nothing where that has been. See `NodeSurroundings.begin`. */
  begin?(): Promise<void> | undefined;
}

/**
 * Nodes that start beside each other. What a thousand of them would have under way at once outlives several collections of
 * young objects, and from then on the engine makes such objects old from the start, in the whole process.
 */
const STARTS_AT_ONCE = 32;

/** Simulated nodes of one cluster. */
export interface SimulatedNodes {
  readonly nodes: readonly SimulatedNode[];
  readonly images: SimulatedImages;
  /** The network between pods, Services and nodes. */
  readonly network: SimulatedNetwork;
  /** The node whose address this is. */
  at(ip: string): SimulatedNode | undefined;
  /** Stops all kubelets. Their objects stay. */
  stop(): Promise<void>;
}

/**
 * Nodes without machines: the real kubelet's decisions over container runtimes in memory, in any cluster whose API server
 * is in reach. Resolves when all of them are registered.
 *
 *     const simulated = await startSimulatedNodes({ nodes: 100, transportAs, clock, random, keys, log });
 *     …
 *     await simulated.stop();
 *
 * A node takes about 30 KiB and, where nothing happens, one lease every 10 s; next to none on a virtual clock that may pass
 * over upkeep. For a cluster on the machine's own time (`tutti up --simulate 100`) hand in the real clock and leave out
 * `drive`.
 */
export async function startSimulatedNodes(options: SimulatedNodesOptions): Promise<SimulatedNodes> {
  const nodes = new NodeGroup(options);
  await nodes.start();
  return nodes;
}

/** Simulated nodes that may wait before they start: machines that are there, and nothing runs on them yet. */
export class NodeGroup implements SimulatedNodes {
  readonly nodes: readonly SimulatedNode[];
  readonly images: SimulatedImages;
  readonly network = new SimulatedNetwork();
  readonly #options: SimulatedNodesOptions;
  readonly #random: Random;
  readonly #byIp: ReadonlyMap<string, SimulatedNode>;
  #shared: StoppableInformers | undefined;
  #informers: NodeInformers | undefined;

  constructor(options: SimulatedNodesOptions) {
    this.#options = options;
    const { clock, random, keys, log, transportAs, from } = options;
    this.images = options.images ?? new SimulatedImages();
    this.#random = random.fork('simulated nodes');
    const around = {
      transportOf: (name: string) => transportAs({ name: `system:node:${name}`, groups: ['system:nodes'] }),
      informers: (name: string) => (this.#informers as NodeInformers).of(name),
      clock,
      random: this.#random,
      keys,
      log,
      images: this.images,
      network: this.network,
      drive: options.drive ?? (<T>(work: Promise<T>) => work),
      ...(options.begin && { begin: options.begin }),
    };
    const specs: readonly NodeSpec[] =
      typeof options.nodes === 'number' ? Array.from({ length: options.nodes }, () => ({})) : options.nodes;
    this.nodes = from
      ? from.map((one, index) => new SimulatedNode(one.spec, index, around, one))
      : specs.map((spec, index) => new SimulatedNode(spec, index, around));
    this.#byIp = new Map(this.nodes.map((node) => [node.ip, node]));
  }

  at(ip: string): SimulatedNode | undefined {
    return this.#byIp.get(ip) ?? this.nodes.find((node) => node.owns(ip));
  }

  async start(): Promise<void> {
    const { nodes } = this;
    const { clock, log, transportAs, watchSeconds, from, drive = (work) => work } = this.#options;
    const client = createClient(await transportAs({ name: 'system:simulated-nodes', groups: ['system:masters'] }), {
      userAgent: 'simulated-nodes',
      clock,
    });
    const shared = createInformers({
      client,
      clock,
      random: this.#random.fork('informers'),
      log,
      ...(watchSeconds && { watchSeconds }),
    });
    this.#shared = shared;
    this.#informers = new NodeInformers(shared);
    const names = clusterNames(shared, this.#random.fork('network'), () => clock.monotonic());
    this.network.configure({
      resolve: (host, port, from) => names.resolve(host, port, from),
      reachable(from, to) {
        const cut = nodes.filter((node) => node.unreachable);
        if (cut.length === 0) return true;
        const [sender, receiver] = [from, to].map((ip) => cut.find((node) => node.owns(ip)));
        // Within one machine that is cut off, its pods still reach each other.
        return sender === receiver && sender?.state !== 'paused';
      },
    });
    // As a network plugin does: pods get addresses of the range that the node was given.
    const byName = new Map(nodes.map((node) => [node.name, node]));
    shared.informer(nodeResource).on((node) => {
      if (node?.spec?.podCIDR) byName.get(node.metadata.name)?.runtime.setPodCidr(node.spec.podCIDR);
    });
    await drive(shared.synced());
    try {
      const down = new Set(nodes.filter((_, index) => from?.[index]?.crashed));
      // One that is cut off cannot register; it goes on trying.
      for (let at = 0; at < nodes.length; at += STARTS_AT_ONCE) {
        const some = nodes.slice(at, at + STARTS_AT_ONCE);
        const starts = some.map((node) => (down.has(node) ? node.restore() : node.start()));
        await drive(Promise.all(starts.filter((_, index) => !some[index]?.partitioned)));
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    this.#informers?.[Symbol.dispose]();
    await this.#shared?.stop();
  }
}
