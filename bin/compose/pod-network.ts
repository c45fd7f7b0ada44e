// The network of this node's pods, from what the API says of nodes to the kernel, for as long as the node runs.

import { existsSync } from 'node:fs';
import { nodes } from '../../api/resources.ts';
import type { Node } from '../../api/types/core/v1.generated.ts';
import type { Files } from '../../libs/base/host.ts';
import type { Informer, Informers } from '../../libs/kind/client.ts';
import type { Live } from '../../libs/kind/object.ts';
import { HostPorts } from '../../node/cni/host-ports.ts';
import { applyNetwork, removeNetwork } from '../../node/cni/network.ts';
import { BRIDGE, NETWORK_NAME, type NetworkNode } from '../../node/cni/plan.ts';
import type { Machine } from './apiserver.ts';
import { letPodsPass, stopPodsPassing } from './forwarding.ts';

export interface PodNetworkSettings {
  readonly nodeName: string;
  /** Follows all nodes. */
  readonly informers: Informers;
  readonly clusterCidrs: readonly string[];
}

export interface PodNetwork extends AsyncDisposable {
  /** Resolves when the node's network is there for the first time, ours or somebody else's. */
  readonly ready: Promise<void>;
  /** For the kubelet; works where the network is ours. */
  readonly hostPorts: HostPorts;
}

const RETRY_MS = 2_000;
/** Where CNI's plugins and the runtimes keep what they gave. */
const CNI_STATE = '/var/lib/cni';
const OWN_RESULT = new RegExp(`^${NETWORK_NAME}-([0-9a-f]+)-eth0$`);

/** Begins to bring the network of this node to what the API says of the nodes. Disposing it leaves the network. */
export function startPodNetwork(machine: Machine, settings: PodNetworkSettings): PodNetwork {
  return new Follower(machine, settings);
}

/** Takes the network away again, once no pod uses it. A configuration of somebody else stays. Idempotent. */
export async function removePodNetwork(machine: Machine, clusterCidrs: readonly string[]): Promise<void> {
  const { host, clock } = machine;
  await stopPodsPassing(machine, clusterCidrs);
  const ours = (await host.files.readTextIfExists('/etc/cni/net.d/10-tutti.conflist')) !== undefined;
  await removeNetwork({ host, clock });
  await forgetAddresses(host.files);
  if (!ours || !existsSync(`/sys/class/net/${BRIDGE}`)) return;
  await host.processes.run('ip', ['link', 'del', BRIDGE]);
}

/** What the plugins keep of pods that ended without them: else those addresses were never given again. */
async function forgetAddresses(files: Files): Promise<void> {
  await files.remove(`${CNI_STATE}/networks/${NETWORK_NAME}`);
  const results = `${CNI_STATE}/results`;
  if (!(await files.statIfExists(results))) return;
  const names = await files.list(results);
  const ids = names.flatMap((name) => OWN_RESULT.exec(name)?.[1] ?? []);
  const own = new Set(ids.flatMap((id) => [`${NETWORK_NAME}-${id}-eth0`, `cni-loopback-${id}-lo`]));
  await Promise.all(names.filter((name) => own.has(name)).map((name) => files.remove(`${results}/${name}`)));
}

class Follower implements PodNetwork {
  readonly ready: Promise<void>;
  readonly hostPorts: HostPorts;
  readonly #machine: Machine;
  readonly #settings: PodNetworkSettings;
  readonly #nodes: Informer<Node>;
  readonly #handler: Disposable;
  readonly #stopped = new AbortController();
  #becameReady!: () => void;
  #applied = '';
  #running: Promise<void> | undefined;
  #portsOpen: Promise<void> | undefined;

  constructor(machine: Machine, settings: PodNetworkSettings) {
    this.#machine = machine;
    this.hostPorts = new HostPorts(machine);
    this.#settings = settings;
    this.ready = new Promise((resolve) => {
      this.#becameReady = resolve;
    });
    this.#nodes = settings.informers.informer(nodes);
    this.#handler = this.#nodes.on(() => this.#look());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new Error('the node stops'));
    this.#handler[Symbol.dispose]();
    await this.#running;
    await this.#portsOpen;
  }

  #look(): void {
    if (this.#stopped.signal.aborted || this.#wanted() === this.#applied) return;
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
    });
  }

  /** Says whether anything of it changed; empty while this node has no network. */
  #wanted(): string {
    const all = this.#nodes.list().map(networkNodeOf);
    const self = all.find(({ name }) => name === this.#settings.nodeName);
    if (!self || self.podCidrs.length === 0 || self.addresses.length === 0) return '';
    return JSON.stringify(all.filter(({ podCidrs }) => podCidrs.length > 0));
  }

  async #work(): Promise<void> {
    const { host, clock, log } = this.#machine;
    const { nodeName, clusterCidrs } = this.#settings;
    const { signal } = this.#stopped;
    for (;;) {
      const wanted = this.#wanted();
      if (signal.aborted || wanted === '' || wanted === this.#applied) return;
      const all = JSON.parse(wanted) as NetworkNode[];
      const self = all.find(({ name }) => name === nodeName)!;
      try {
        await passBridgedPackets(this.#machine);
        await letPodsPass(this.#machine, clusterCidrs);
        const result = await applyNetwork({ host, clock, self, nodes: all, clusterCidrs });
        if (result.kind === 'foreign') log.info('a network of somebody else is used', { file: result.file });
        else
          for (const { node, reason } of result.plan.unreachable)
            log.warn('pods of a node cannot be reached', { node, reason });
        // The plugins of another network see to host ports themselves.
        this.#portsOpen = this.hostPorts.use(result.kind === 'ours' ? self.podCidrs : undefined);
        this.#applied = wanted;
        this.#becameReady();
      } catch (error) {
        log.error('the pods’ network could not be made', { error });
        await clock.sleep(RETRY_MS, signal).catch(() => undefined);
      }
    }
  }
}

function networkNodeOf({ metadata, spec, status }: Live<Node>): NetworkNode {
  return {
    name: metadata.name,
    addresses: (status?.addresses ?? []).filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
    podCidrs: spec?.podCIDRs ?? [],
  };
}

/** Packets between pods of one bridge must be seen by Services' rules, which needs a module of the kernel. */
async function passBridgedPackets({ host, log }: Machine): Promise<void> {
  const folder = '/proc/sys/net/bridge';
  if (!existsSync(folder)) await host.processes.run('modprobe', ['br_netfilter']).catch(() => undefined);
  if (!existsSync(folder)) {
    log.warn('pods may not reach pods of the same node through a Service: the kernel lacks br_netfilter');
    return;
  }
  for (const name of ['bridge-nf-call-iptables', 'bridge-nf-call-ip6tables']) {
    if (existsSync(`${folder}/${name}`)) await host.files.write(`${folder}/${name}`, '1', { atomic: false });
  }
}
