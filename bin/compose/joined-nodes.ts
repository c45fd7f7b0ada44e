// What a control plane does for nodes of other machines: tells them the cluster's networks, and pods where their DNS is.

import { configMaps, nodes } from '../../api/resources.ts';
import type { Node } from '../../api/types/core/v1.generated.ts';
import { createInformers } from '../../libs/client/informers.ts';
import type { Client, Informer } from '../../libs/kind/client.ts';
import type { Live } from '../../libs/kind/object.ts';
import { isAlreadyExists } from '../../libs/machinery/errors.ts';
import type { Machine } from './apiserver.ts';
import type { ClusterNetworks } from './cluster-network.ts';
import { type DnsEndpoint, ensureDnsService, publishDnsEndpoint, removeDnsEndpoint } from './dns.ts';

/** Of `kube-system`; nodes and who joins may read it (`tutti:node-config`). */
export const NODE_CONFIG = 'tutti-node-config';
/** On a Node, written by the node itself: the port at which its DNS answers. */
export const DNS_PORT_ANNOTATION = 'dns.tutti.io/port';

const RETRY_MS = 1_000;

/** What a node must know of its cluster before it can run pods. */
export function nodeConfigOf({ podCidrs, serviceCidrs, apiServerIp, dnsIp }: ClusterNetworks): Record<string, string> {
  return { podCidrs: podCidrs.join(','), serviceCidrs: serviceCidrs.join(','), apiServerIp, dnsIp };
}

/** The reverse; undefined where something is missing. */
export function networksOfConfig(data: Readonly<Record<string, string>> = {}): ClusterNetworks | undefined {
  const { podCidrs, serviceCidrs, apiServerIp, dnsIp } = data;
  if (!podCidrs || !serviceCidrs || !apiServerIp || !dnsIp) return undefined;
  return { podCidrs: podCidrs.split(','), serviceCidrs: serviceCidrs.split(','), apiServerIp, dnsIp };
}

/**
 * Begins to look after joined nodes. `admin` may do everything. Resolves when nodes can join; disposing ends it. Several
 * servers may do it at once: each does the same.
 */
export async function startJoinedNodes(
  machine: Machine,
  admin: Client,
  networks: ClusterNetworks,
): Promise<AsyncDisposable> {
  const { clock, random } = machine;
  const log = machine.log.child('joined-nodes');
  await Promise.all([publishConfig(admin, networks), ensureDnsService(admin, networks.dnsIp)]);
  const informers = createInformers({ client: admin, clock, random, log });
  const follower = new DnsFollower({ ...machine, log }, admin, informers.informer(nodes));
  return {
    async [Symbol.asyncDispose]() {
      await follower[Symbol.asyncDispose]();
      await informers.stop();
    },
  };
}

async function publishConfig(admin: Client, networks: ClusterNetworks): Promise<void> {
  const all = admin.resource(configMaps).namespace('kube-system');
  const data = nodeConfigOf(networks);
  try {
    await all.create({ metadata: { name: NODE_CONFIG, namespace: 'kube-system' }, data });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    await all.patch(NODE_CONFIG, { data }, { type: 'merge' });
  }
}

/** Where a joined node's DNS answers; undefined for nodes that have none, or that the control plane's machine tells of. */
export function dnsEndpointOf({ metadata, status }: Live<Node>): DnsEndpoint | undefined {
  const port = Number(metadata.annotations?.[DNS_PORT_ANNOTATION]);
  const nodeIp = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  if (!(Number.isInteger(port) && port > 0 && port <= 65_535) || nodeIp === undefined) return undefined;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
  return { nodeName: metadata.name, nodeIp, port, ready };
}

/** Keeps an endpoint for each node that says it has DNS; one whose node is not ready is asked no more. */
class DnsFollower implements AsyncDisposable {
  readonly #machine: Machine;
  readonly #admin: Client;
  readonly #nodes: Informer<Node>;
  readonly #handler: Disposable;
  readonly #stopped = new AbortController();
  /** As published, by node. */
  readonly #published = new Map<string, string>();
  #running: Promise<void> | undefined;

  constructor(machine: Machine, admin: Client, informer: Informer<Node>) {
    this.#machine = machine;
    this.#admin = admin;
    this.#nodes = informer;
    this.#handler = informer.on(() => this.#look());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new Error('the control plane stops'));
    this.#handler[Symbol.dispose]();
    await this.#running;
  }

  #look(): void {
    if (this.#stopped.signal.aborted || this.#changes().length === 0) return;
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
    });
  }

  #changes(): (readonly [name: string, endpoint: DnsEndpoint | undefined])[] {
    const wanted = new Map(
      this.#nodes.list().flatMap((node) => {
        const endpoint = dnsEndpointOf(node);
        return endpoint ? [[node.metadata.name, endpoint] as const] : [];
      }),
    );
    return [
      ...[...wanted].filter(([name, endpoint]) => this.#published.get(name) !== JSON.stringify(endpoint)),
      ...[...this.#published.keys()].filter((name) => !wanted.has(name)).map((name) => [name, undefined] as const),
    ];
  }

  async #work(): Promise<void> {
    const { clock, log } = this.#machine;
    const { signal } = this.#stopped;
    for (;;) {
      const changes = this.#changes();
      if (signal.aborted || changes.length === 0) return;
      try {
        for (const [name, endpoint] of changes) {
          if (endpoint) {
            await publishDnsEndpoint(this.#admin, endpoint);
            this.#published.set(name, JSON.stringify(endpoint));
          } else {
            await removeDnsEndpoint(this.#admin, name);
            this.#published.delete(name);
          }
        }
      } catch (error) {
        log.warn('pods could not be told where DNS is', { error });
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }
}
