// A control plane on this machine, and where it is wanted a node: everything that `tutti up` and `tutti server` run.

import { nodes } from '../../api/resources.ts';
import type { Client } from '../../libs/kind/client.ts';
import { dataDirWords } from '../commands/options.ts';
import { NODE_COMPONENTS, type UpOptions } from '../commands/up-options.ts';
import { readRunRecord, writeRunRecord } from '../run-record.ts';
import { mergeIntoUserKubeconfig } from '../user-kubeconfig.ts';
import { type Machine, startApiServer } from './apiserver.ts';
import { type ClusterNetworks, keptNetworks, nodeAddress, ownAddress } from './cluster-network.ts';
import {
  type Around,
  type ComponentName,
  type ControlSettings,
  clientOf,
  startControllers,
  startSchedulerComponent,
} from './components.ts';
import { startJoinedNodes } from './joined-nodes.ts';
import { endRuntime, type RunningNode, type Runtime, type Step, startNode, startRuntime } from './node.ts';
import { localAccess } from './node-access.ts';
import type { Simulation } from './simulation.ts';

const READY_MS = 60_000;

/** Everything that one `tutti up` runs, from the first step to the last. */
export class Cluster {
  readonly #machine: Machine;
  readonly #options: UpOptions;
  readonly #step: Step;
  readonly #server = new AsyncDisposableStack();
  readonly #components = new AsyncDisposableStack();
  readonly #stopping = new AbortController();
  readonly #works = new Set<ComponentName>();
  #starting: Promise<void> | undefined;
  #runtime: Promise<Runtime> | undefined;
  #node: RunningNode | undefined;
  #simulation: Simulation | undefined;
  #kubeconfigPath = '';

  constructor(machine: Machine, options: UpOptions, step: Step) {
    this.#machine = machine;
    this.#options = options;
    this.#step = step;
  }

  /** Resolves with what a user can do next. */
  async start(): Promise<string> {
    this.#starting = this.#start();
    await this.#starting;
    return this.#hints();
  }

  async #start(): Promise<void> {
    const { wanted, dataDir, nodeName, store, etcdTls, audit, listenHost, port, tlsSans } = this.#options;
    const { historyBytes } = this.#options;
    const { leaderElect, nodeMonitorGraceMs, cgroupRoot, criEndpoint } = this.#options;
    const hasNode = NODE_COMPONENTS.some((name) => wanted.has(name));
    if (this.#options.simulate !== undefined) {
      this.#simulation = new (await import('./simulation.ts')).Simulation();
    }
    const simulation = this.#simulation;
    const { facts } = this.#machine.host;
    const nodeIp = hasNode ? nodeAddress(facts, this.#options.nodeIp) : (this.#options.nodeIp ?? ownAddress(facts));
    await this.#machine.host.files.makeDirectory(dataDir);
    const networks = await this.#networks();
    await writeRunRecord(this.#machine.host.files, dataDir, {
      role: 'cluster',
      startedMs: this.#machine.clock.now(),
      components: [...wanted],
      networks,
      cgroupRoot,
      ...(hasNode && { nodeName }),
      ...(criEndpoint !== undefined && { criEndpoint }),
    });
    // The runtime takes longest and needs nothing of the cluster: it starts beside the API server.
    const runtime = wanted.has('kubelet') ? startRuntime(this.#machine, this.#options) : undefined;
    this.#runtime = runtime;
    runtime?.then(
      ({ own }) => own && this.#step('containerd', own.adopted ? 'taken over as it ran' : own.endpoint),
      () => undefined,
    );
    const running = await startApiServer(this.#machine, {
      dataDir,
      store,
      ...(etcdTls && { etcdTls }),
      ...(audit && { audit }),
      ...(historyBytes !== undefined && { historyBytes }),
      listenHost,
      port,
      tlsSans,
      networks,
      works: (name) => this.#works.has(name),
      serviceRouting: wanted.has('kube-proxy') ? 'clusterIP' : 'endpoint',
      ...(hasNode && { nodeName }),
      ...(nodeIp !== undefined && { advertiseAddress: nodeIp }),
      ...(simulation && {
        nodeSockets: simulation.sockets,
        connectorOver: (upgrades) => simulation.connector(upgrades),
      }),
    });
    this.#server.use(running);
    this.#step('API server', `${running.url}, store in ${dataDir}`);
    this.#kubeconfigPath = running.kubeconfigPath;
    const around: Around = {
      machine: this.#machine,
      server: running.server,
      pki: running.pki,
      heldTokens: running.heldTokens,
      url: running.url,
      serveBeside: running.serveBeside,
    };
    const { host, random } = this.#machine;
    const control: ControlSettings = {
      networks,
      ...(nodeMonitorGraceMs !== undefined && { nodeMonitorGraceMs }),
      ...(leaderElect && { identity: `${host.facts.hostname}_${random.uuid()}` }),
    };
    if (wanted.has('controller-manager')) {
      this.#components.use(await startControllers(around, control));
      this.#works.add('controller-manager');
      this.#step('controllers', '');
    }
    if (wanted.has('scheduler')) {
      this.#components.use(await startSchedulerComponent(around, control));
      this.#works.add('scheduler');
      this.#step('scheduler', '');
    }
    if (simulation) {
      await simulation.start(around, this.#options.simulate ?? 0);
      this.#step('simulation', `${this.#options.simulate} nodes`);
    }
    const admin = clientOf(around, () => around.pki.admin.certificatePem, 'tutti');
    if (wanted.has('controller-manager') && !simulation) {
      this.#components.use(await startJoinedNodes(this.#machine, admin, networks));
    }
    if (hasNode) await this.#startNode(around, admin, networks, runtime, nodeIp!);
    if (this.#options.mergeKubeconfig) {
      const merged = await mergeIntoUserKubeconfig(this.#machine.host, running.kubeconfigPath);
      this.#step('kubeconfig', `context tutti in ${merged}`);
    }
  }

  /** Those of the data, where there are any. */
  async #networks(): Promise<ClusterNetworks> {
    const { dataDir, networks, namedNetworks, store } = this.#options;
    const { files } = this.#machine.host;
    const record = await readRunRecord(files, dataDir);
    const hasData = store === 'lmdb' ? await files.statIfExists(`${dataDir}/store`) : store !== 'memory';
    return record && hasData ? keptNetworks(networks, namedNetworks, record.networks, dataDir) : networks;
  }

  async #startNode(
    around: Around,
    admin: Client,
    networks: ClusterNetworks,
    runtime: ReturnType<typeof startRuntime> | undefined,
    nodeIp: string,
  ): Promise<void> {
    const { wanted, dataDir, nodeName, cgroupRoot, staticPodPath, kubelet } = this.#options;
    const settings = { dataDir, networks, nodeName, nodeIp, wanted, cgroupRoot, staticPodPath, kubelet };
    const access = localAccess(around, { nodeName, nodeIp, dnsIp: networks.dnsIp });
    this.#node = await startNode(access, await runtime, settings, this.#step);
    if (!wanted.has('kubelet') || !wanted.has('controller-manager')) return;
    const { clock } = this.#machine;
    const end = clock.monotonic() + READY_MS;
    for (;;) {
      const node = await admin
        .resource(nodes)
        .get(nodeName)
        .catch(() => undefined);
      const condition = node?.status?.conditions?.find(({ type }) => type === 'Ready');
      if (condition?.status === 'True') break;
      if (clock.monotonic() > end) {
        this.#step('node', `not ready yet: ${condition?.message ?? 'it has not told its state'}`);
        return;
      }
      if (this.#stopping.signal.aborted) return;
      await clock.sleep(20);
    }
    this.#step('node', `${nodeName} is ready`);
  }

  async stop(hurry: AbortSignal): Promise<void> {
    this.#stopping.abort();
    await this.#starting?.catch(() => undefined);
    if (!this.#node) await this.#runtime?.then(endRuntime, () => undefined);
    await Promise.all([
      this.#node?.stop(this.#options.keepPods, hurry),
      this.#simulation?.stop(),
      this.#components.disposeAsync(),
    ]);
    await this.#server.disposeAsync();
  }

  #hints(): string {
    const { wanted } = this.#options;
    const all =
      (wanted.has('kubelet') || this.#options.simulate) && wanted.has('scheduler') && wanted.has('controller-manager');
    const commands = all
      ? [
          'kubectl get nodes -o wide',
          'kubectl create deployment web --image=nginx --port=80',
          this.#simulation
            ? 'kubectl get pods -o wide --watch'
            : 'kubectl expose deployment web --type=NodePort && kubectl get service web',
        ]
      : wanted.has('scheduler') && wanted.has('controller-manager')
        ? [`tutti token create${dataDirWords(this.#options.dataDir)}`, 'kubectl get nodes --watch']
        : ['kubectl create configmap hello --from-literal=greeting=world', 'kubectl get configmaps --watch'];
    return `
kubeconfig: ${this.#kubeconfigPath}

What runs: ${[...wanted].join(', ')}. Try:

  export KUBECONFIG=${this.#kubeconfigPath}
${commands.map((command) => `  ${command}\n`).join('')}
Ctrl-C stops it; the data stays.
`;
  }
}
