// A node on this machine: container runtime, pod network, kubelet with its server, kube-proxy, DNS.

import { startLocalPathFolders } from '../../addons/local-path/folders.ts';
import { nodes } from '../../api/resources.ts';
import { withTimeout } from '../../libs/base/clock.ts';
import { createInformers, type StoppableInformers } from '../../libs/client/informers.ts';
import type { Client } from '../../libs/kind/client.ts';
import type { CriClient } from '../../node/cri/cri.ts';
import { connectCri } from '../../node/cri/dial/connect.ts';
import { removeKubeProxy, startKubeProxy } from '../../node/kube-proxy/kube-proxy.ts';
import type { KubeletConfig } from '../../node/kubelet/config.ts';
import { connectionsOf } from '../../node/kubelet/dial/connections.ts';
import { startKubelet } from '../../node/kubelet/kubelet.ts';
import { type KubeletServer, type KubeletTls, startKubeletServer } from '../../node/kubelet/server/server.ts';
import { CommandError } from '../errors.ts';
import type { Machine } from './apiserver.ts';
import type { ClusterNetworks } from './cluster-network.ts';
import type { ComponentName } from './components.ts';
import { type OwnContainerd, startContainerd } from './containerd.ts';
import { startNodeDns } from './dns.ts';
import { endPods, hasPods, removeLeftovers } from './end-pods.ts';
import type { NodeAccess } from './node-access.ts';
import { removePodNetwork, startPodNetwork } from './pod-network.ts';

export interface NodeSettings {
  readonly dataDir: string;
  readonly nodeName: string;
  readonly nodeIp: string;
  readonly networks: ClusterNetworks;
  /** Which of the node's parts to run. */
  readonly wanted: ReadonlySet<ComponentName>;
  /** The cgroup below which pods have theirs. */
  readonly cgroupRoot: string;
  /** Manifests of pods that run without an API server; '' for none. */
  readonly staticPodPath: string;
  /** What the user wants otherwise than it is by default. */
  readonly kubelet: Partial<KubeletConfig>;
}

export interface RuntimeSettings {
  readonly dataDir: string;
  /** A runtime of the user's; undefined: a containerd of our own. */
  readonly criEndpoint?: string;
  readonly mirrors: ReadonlyMap<string, string>;
}

export interface Runtime {
  readonly cri: CriClient;
  readonly own: OwnContainerd | undefined;
}

/** Tells what was done. */
export type Step = (what: string, detail: string) => void;

export interface RunningNode {
  /** Ends it. Pods go on running where they are to be kept; once `hurry` is aborted, others get no grace. */
  stop(keepPods: boolean, hurry?: AbortSignal): Promise<void>;
}

/** Begins with the container runtime: it takes longest, and needs nothing of the cluster. */
export async function startRuntime(machine: Machine, settings: RuntimeSettings): Promise<Runtime> {
  const { clock } = machine;
  if (settings.criEndpoint === undefined) {
    const own = await startContainerd(machine, {
      directory: `${settings.dataDir}/containerd`,
      mirrors: settings.mirrors,
    });
    return { own, cri: connectCri(own.endpoint, { clock }) };
  }
  const cri = connectCri(settings.criEndpoint, { clock });
  try {
    await cri.version({}, { timeoutMs: 5_000 });
  } catch (error) {
    await cri.close();
    const why = /\b(?:E[A-Z]{4,}|Invalid URL)\b/.exec((error as Error).message)?.[0] ?? (error as Error).message;
    throw new CommandError(
      `No container runtime answers at ${settings.criEndpoint} (${why}); start it, or leave --cri-endpoint out and one is started.`,
    );
  }
  return { cri, own: undefined };
}

/** A runtime without a node: containers that run go on, and nobody looks after them. */
export async function endRuntime({ cri, own }: Runtime): Promise<void> {
  await cri.close();
  await own?.stop();
}

/** Starts the parts in their order; `told` hears of each. What was started is stopped again where one fails. */
export async function startNode(
  access: NodeAccess,
  runtime: Runtime | undefined,
  settings: NodeSettings,
  told: Step,
): Promise<RunningNode> {
  const node = new Node(access, runtime, settings);
  try {
    await node.start(told);
  } catch (error) {
    // Pods of an earlier start that was killed go on; without any, nothing is left behind.
    await node.stop(runtime !== undefined && (await hasPods(runtime.cri)));
    await runtime?.own?.stop();
    throw error;
  }
  return node;
}

/** What a node leaves in the kernel and in folders of the machine. Nothing of it may run any more. Idempotent. */
export async function removeNode(
  machine: Machine,
  { wanted, networks, dataDir, cgroupRoot }: Pick<NodeSettings, 'wanted' | 'networks' | 'dataDir' | 'cgroupRoot'>,
): Promise<void> {
  const { host, clock } = machine;
  if (wanted.has('kube-proxy')) await removeKubeProxy({ host, clock, serviceCidrs: networks.serviceCidrs });
  if (!wanted.has('kubelet')) return;
  await removePodNetwork(machine, networks.podCidrs);
  await removeLeftovers(machine, { dataDir, cgroupRoot });
}

/** A network that takes longer is waited for by each pod. */
const NETWORK_MS = 3_000;

class Node implements RunningNode {
  readonly #access: NodeAccess;
  readonly #runtime: Runtime | undefined;
  readonly #settings: NodeSettings;
  readonly #informers: StoppableInformers[] = [];
  /** What ends before the pods do. */
  readonly #first = new AsyncDisposableStack();
  /** What pods may still need while they end. */
  readonly #last = new AsyncDisposableStack();

  constructor(access: NodeAccess, runtime: Runtime | undefined, settings: NodeSettings) {
    this.#access = access;
    this.#runtime = runtime;
    this.#settings = settings;
  }

  async start(told: Step): Promise<void> {
    const { wanted } = this.#settings;
    const parts: Promise<void>[] = [];
    if (wanted.has('kubelet')) parts.push(this.#startKubelet().then((detail) => told('kubelet', detail)));
    if (wanted.has('kube-proxy'))
      parts.push(this.#startKubeProxy().then(() => told('kube-proxy', 'Services in nftables')));
    if (wanted.has('dns'))
      parts.push(this.#startDns().then(() => told('dns', `cluster.local at ${this.#settings.networks.dnsIp}`)));
    const failed = (await Promise.allSettled(parts)).find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  async stop(keepPods: boolean, hurry?: AbortSignal): Promise<void> {
    const { machine } = this.#access;
    const { cri, own } = this.#runtime ?? {};
    await this.#first.disposeAsync();
    if (!keepPods && cri) await endPods(machine, cri, { ...(hurry && { hurry }) });
    await this.#last.disposeAsync();
    await Promise.all(this.#informers.map((informers) => informers.stop()));
    await cri?.close();
    if (keepPods) {
      own?.release();
      return;
    }
    await own?.stop();
    await removeNode(machine, this.#settings);
  }

  #informersOf(client: Client, component: string, fieldSelectors?: Record<string, string>): StoppableInformers {
    const { clock, random, log } = this.#access.machine;
    const options = { client, clock, random, log: log.child(component) };
    const informers = createInformers({ ...options, ...(fieldSelectors && { fieldSelectors }) });
    this.#informers.push(informers);
    return informers;
  }

  async #startKubelet(): Promise<string> {
    const { machine, kubelet: client, proxy } = this.#access;
    const { nodeName, nodeIp, networks, dataDir, cgroupRoot, staticPodPath, kubelet: wishes, wanted } = this.#settings;
    const { host, clock, random, keys, log } = machine;
    const cri = this.#runtime!.cri;
    const informers = this.#informersOf(client, 'kubelet', {
      pods: `spec.nodeName=${nodeName}`,
      nodes: `metadata.name=${nodeName}`,
    });
    const all = this.#informersOf(proxy, 'network');
    const network = startPodNetwork(machine, { nodeName, informers: all, clusterCidrs: networks.podCidrs });
    this.#last.use(network);
    await this.#networkOfBefore(all);
    const kubelet = await startKubelet({
      nodeName,
      client,
      informers,
      cri,
      host,
      clock,
      random,
      keys,
      log,
      metrics: this.#access.metrics.kubelet,
      hostPorts: network.hostPorts,
      connections: connectionsOf(host.sockets, clock),
      config: {
        ...wishes,
        rootDirectory: `${dataDir}/kubelet`,
        podLogsDirectory: `${dataDir}/logs/pods`,
        containerLogsDirectory: `${dataDir}/logs/containers`,
        cgroupRoot,
        staticPodPath,
        nodeIps: [nodeIp],
        ...(wanted.has('dns') && { clusterDNS: [networks.dnsIp] }),
      },
    });
    this.#first.use(kubelet);
    const folders = startLocalPathFolders({
      client,
      informers,
      host,
      nodeName,
      clock,
      random: random.fork('local-path'),
      keys,
      log: log.child('local-path'),
      directory: `${dataDir}/volumes`,
    });
    this.#first.defer(() => folders.stop());
    const { port } = kubelet.env.config;
    let server: KubeletServer | undefined;
    const serve = async (tls: KubeletTls): Promise<void> => {
      if (server) server.renew(tls);
      else server = this.#first.use(await startKubeletServer({ kubelet, host: '0.0.0.0', port, tls }));
    };
    const serving = this.#access.keepServing(serve).catch((error: unknown) => {
      if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
      throw new CommandError(
        `Port ${port}, the kubelet's, is in use: does another kubelet run on this machine? Stop it, or leave the node out with --only.`,
      );
    });
    this.#first.use(await serving);
    return `node ${nodeName} (${nodeIp})`;
  }

  /**
   * A node that comes back has addresses for its pods already: its network is made before they are looked at, as without
   * it the runtime can neither make nor end one.
   */
  async #networkOfBefore(informers: StoppableInformers): Promise<void> {
    const { clock } = this.#access.machine;
    const end = clock.monotonic() + NETWORK_MS;
    // Where the API is away the network is as it was, and pods of manifests run.
    using deadline = withTimeout(clock, NETWORK_MS);
    await informers.synced(deadline.signal).catch(() => undefined);
    if (!informers.informer(nodes).get(this.#settings.nodeName)?.spec?.podCIDRs?.length) return;
    while (clock.monotonic() < end) {
      const { status } = await this.#runtime!.cri.status({});
      if (status?.conditions.find(({ type }) => type === 'NetworkReady')?.status !== false) return;
      await clock.sleep(20);
    }
  }

  async #startKubeProxy(): Promise<void> {
    const { machine, proxy } = this.#access;
    const { nodeName, nodeIp, networks } = this.#settings;
    this.#last.use(
      await startKubeProxy({
        informers: this.#informersOf(proxy, 'kube-proxy', { nodes: `metadata.name=${nodeName}` }),
        host: machine.host,
        clock: machine.clock,
        log: machine.log.child('kube-proxy'),
        nodeName,
        clusterCidrs: networks.podCidrs,
        serviceCidrs: networks.serviceCidrs,
        nodeAddresses: [nodeIp],
        metrics: this.#access.metrics.proxy,
      }),
    );
  }

  async #startDns(): Promise<void> {
    const { nodeIp, networks } = this.#settings;
    const server = await startNodeDns(this.#access.machine, {
      informers: this.#informersOf(await this.#access.dns(), 'dns'),
      nodeIp,
      dnsIp: networks.dnsIp,
      podCidrs: networks.podCidrs,
    });
    this.#last.use(server);
    await this.#access.tellDns(server.port);
  }
}
