import type { Clock } from '../../libs/base/clock.ts';
import type { Keys } from '../../libs/base/keys.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Random } from '../../libs/base/random.ts';
import { createClient } from '../../libs/client/client.ts';
import type { Transport } from '../../libs/client/transport.ts';
import { mustParseQuantity, toCeil } from '../../libs/machinery/quantity.ts';
import type { DiskEntry } from '../../libs/testing/memory-files.ts';
import { MemoryHost } from '../../libs/testing/memory-host.ts';
import type { CriClient } from '../../node/cri/cri.ts';
import { simulatedCriClient } from '../../node/cri/fake/client.ts';
import type { SimulatedImages } from '../../node/cri/fake/image.ts';
import type { SimulatedNetwork } from '../../node/cri/fake/network.ts';
import { SimulatedRuntime, type SimulatedRuntimeOptions } from '../../node/cri/fake/runtime.ts';
import { type RuntimeSnapshot, restoreSnapshot, takeSnapshot } from '../../node/cri/fake/snapshot.ts';
import type { KubeletConfig } from '../../node/kubelet/config.ts';
import { type Kubelet, startKubelet } from '../../node/kubelet/kubelet.ts';
import { simulatedConnections } from '../../node/kubelet/simulated-connections.ts';
import { ClusterUsageError } from '../errors.ts';
import type { ExecOptions } from './exec.ts';
import { MachineLogs, writeMachineFacts } from './host.ts';
import { Link } from './link.ts';
import { type Ballast, type MachineResource, MachineResources } from './machine-resources.ts';
import { NodeClock } from './node-clock.ts';
import type { NodePods, NodeView } from './node-informers.ts';

/** A taint as a kubelet registers it. */
export interface NodeTaint {
  readonly key: string;
  readonly value?: string;
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute';
}

/** What one simulated node is. All of it may be left out. */
export interface NodeSpec {
  /** Default `node-1`, `node-2` … by its place. */
  readonly name?: string;
  /**
   * `{ cpu: '8', memory: '32Gi', pods: '250', 'ephemeral-storage': '100Gi', 'example.com/gpu': '4' }`; default 4 CPUs, 8Gi,
   * 110 pods, 64Gi.
   */
  readonly capacity?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: readonly NodeTaint[];
  /** More of the kubelet's configuration. */
  readonly kubelet?: Partial<KubeletConfig>;
}

/** What all nodes of a cluster share. */
export interface NodeSurroundings {
  /** As the node: `system:node:<name>` of the group `system:nodes`. */
  transportOf(nodeName: string): Promise<Transport>;
  /** What a node's kubelet follows. */
  informers(nodeName: string): NodeView;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
  readonly images: SimulatedImages;
  readonly network: SimulatedNetwork;
  /** Waits for work that needs time to go on. */
  drive<T>(work: Promise<T>): Promise<T>;
  /** Starts what waits for time to pass, this node too; nothing where that has been. Default: nothing waits. */
  begin?(): Promise<void> | undefined;
}

/** A node at one instant: what it is, what its runtime has, and its disk. */
export interface NodeSnapshot {
  readonly spec: NodeSpec;
  readonly runtime: RuntimeSnapshot;
  readonly disk: readonly DiskEntry[];
  readonly crashed: boolean;
  readonly partitioned: boolean;
  /** What the test has made it run short of. */
  readonly ballast?: Ballast;
}

/** What follows from the machine itself; all else that it has is extended. */
const MACHINE_RESOURCES: ReadonlySet<string> = new Set(['cpu', 'memory', 'pods', 'ephemeral-storage']);

export type NodeState = 'running' | 'paused' | 'crashed';

/** A simulated machine: the real kubelet's decisions over a runtime in memory. */
export class SimulatedNode {
  readonly name: string;
  /** Its address in the cluster's network. */
  readonly ip: string;
  readonly clock: NodeClock;
  readonly link: Link;
  #runtime: SimulatedRuntime;
  readonly #spec: NodeSpec;
  readonly #runtimeOptions: SimulatedRuntimeOptions;
  #restored: NodeSnapshot | undefined;
  readonly #host: MemoryHost;
  readonly #random: Random;
  readonly #around: NodeSurroundings;
  readonly #config: Partial<KubeletConfig>;
  readonly #resources: MachineResources;
  #kubelet: Kubelet | undefined;
  #cri: CriClient | undefined;
  #pods: NodePods | undefined;
  #crashed = true;
  #boots = 0;
  #wasRestored = false;
  #partitioned = false;

  /** `index`: its place among the nodes, from 0; the address follows from it. Nothing runs until `start`. */
  constructor(spec: NodeSpec, index: number, around: NodeSurroundings, from?: NodeSnapshot) {
    this.#spec = spec;
    this.#restored = from;
    const { random, images, network } = around;
    this.name = spec.name ?? `node-${index + 1}`;
    this.ip = `172.18.${Math.floor((index + 2) / 256)}.${(index + 2) % 256}`;
    this.#around = around;
    this.clock = new NodeClock(around.clock);
    const own = random.fork(`node ${this.name}`);
    this.#random = own.fork('machine');
    this.link = new Link(this.clock, own.fork('link'));
    const capacity = spec.capacity ?? {};
    const { clock, ip } = this;
    this.#host = new MemoryHost({
      clock,
      facts: {
        hostname: this.name,
        ...(capacity['cpu'] && { cpus: toCeil(mustParseQuantity(capacity['cpu'])) }),
        ...(capacity['memory'] && { memoryBytes: toCeil(mustParseQuantity(capacity['memory'])) }),
        addresses: () => [],
      },
    });
    if (capacity['ephemeral-storage'])
      this.#host.files.spaceBytes = toCeil(mustParseQuantity(capacity['ephemeral-storage']));
    const logs = new MachineLogs(this.#host.files);
    // Where nobody gives nodes their networks, each has one of its own all the same.
    const podCidr = `100.${64 + Math.floor(index / 256)}.${index % 256}.0/24`;
    const runtimeRandom = own.fork('runtime');
    this.#runtimeOptions = { clock, random: runtimeRandom, images, network, nodeIp: ip, logs, podCidr };
    if (from) {
      // What it draws from now on is this cluster's own: two clusters of one snapshot may go different ways.
      const { random: _, ...runtime } = from.runtime;
      this.#runtime = restoreSnapshot(runtime, this.#runtimeOptions);
    } else this.#runtime = new SimulatedRuntime(this.#runtimeOptions);
    this.#partitioned = from?.partitioned ?? false;
    this.link.cut = this.#partitioned;
    this.#config = {
      nodeLabels: { ...spec.labels },
      registerWithTaints: spec.taints ?? [],
      nodeIps: [ip],
      containerLogsDirectory: '',
      maxPods: Number(capacity['pods'] ?? 110),
      extendedResources: Object.fromEntries(Object.entries(capacity).filter(([name]) => !MACHINE_RESOURCES.has(name))),
      ...spec.kubelet,
    };
    this.#resources = new MachineResources(this.name, this.#host, () => this.#runtime, this.#config);
    this.#resources.restore(from?.ballast ?? {});
    // Its files lie in memory as they are: what is mounted makes no difference, and none is told of.
    this.#host.processes.program('cat', () => 0);
    this.#host.processes.program('mount', () => 0);
    this.#host.processes.program('umount', () => 0);
  }

  get runtime(): SimulatedRuntime {
    return this.#runtime;
  }

  get state(): NodeState {
    // One that goes on from a snapshot is what it was, also before its kubelet has started.
    const crashed = this.#restored ? this.#restored.crashed : this.#crashed;
    return crashed ? 'crashed' : this.clock.paused ? 'paused' : 'running';
  }

  get partitioned(): boolean {
    return this.#partitioned;
  }

  /** The kubelet that runs on it; undefined while it, or the machine, is crashed. */
  get kubelet(): Kubelet | undefined {
    return this.#kubelet;
  }

  /** Its container runtime, as its kubelet asks it; undefined while it is crashed or nobody reaches it. */
  get cri(): CriClient | undefined {
    return this.unreachable ? undefined : this.#cri;
  }

  /** Whether nothing is wrong with it that a test has made so. */
  get isWhole(): boolean {
    return (
      !this.#crashed &&
      this.#kubelet !== undefined &&
      !this.#partitioned &&
      this.link.isWhole &&
      this.clock.skewMs === 0
    );
  }

  /** Whether nobody reaches it. */
  get unreachable(): boolean {
    return this.#partitioned || this.state !== 'running';
  }

  /** Boots it. Resolves when its kubelet has registered it. */
  async start(): Promise<void> {
    if (!this.#crashed) return;
    const resumed = this.#restored?.crashed === false;
    this.restore();
    this.#crashed = false;
    if (this.#boots++ > 0 || !this.#wasRestored) await writeMachineFacts(this.#host.files, this.#random);
    await this.#startKubelet(resumed);
  }

  async #startKubelet(resumed: boolean): Promise<void> {
    const { transportOf, informers, random, keys, log, network } = this.#around;
    const { clock, name } = this;
    const client = createClient(this.link.over(await transportOf(name)), { userAgent: 'kubelet', clock });
    const view = informers(name);
    this.#pods = view.pods;
    if (this.#partitioned) view.pods.goDeaf();
    this.#cri = simulatedCriClient(this.#runtime, () => clock.whenRunning());
    this.#kubelet = await startKubelet({
      nodeName: name,
      client,
      informers: view.informers,
      cri: this.#cri,
      host: this.#host,
      clock,
      random: random.fork(`kubelet ${name}`),
      keys,
      log,
      connections: simulatedConnections(network, clock, this.ip),
      config: this.#config,
      resumed,
    });
  }

  /** Puts back what a snapshot held. Idempotent; for a node that stays down as well. */
  restore(): void {
    const from = this.#restored;
    this.#restored = undefined;
    if (!from) return;
    this.#wasRestored = true;
    this.#host.files.restore(from.disk);
  }

  async snapshot(): Promise<NodeSnapshot> {
    await this.#around.begin?.();
    const { random: _, ...runtime } = takeSnapshot(this.#runtime);
    return {
      spec: { ...this.#spec, name: this.name },
      runtime,
      disk: this.#host.files.content(),
      crashed: this.#crashed,
      partitioned: this.#partitioned,
      ballast: this.#resources.ballast,
    };
  }

  /** Stops its kubelet in order; pods go on running. */
  async stop(): Promise<void> {
    this.#crashed = true;
    this.clock.resume();
    await this.#stopKubelet();
  }

  async #stopKubelet(): Promise<void> {
    const kubelet = this.#kubelet;
    this.#kubelet = undefined;
    await kubelet?.[Symbol.asyncDispose]();
    await this.#cri?.close();
    this.#cri = undefined;
  }

  /**
   * Its kubelet's process is killed: what it was about to say is never said, and what runs on the machine runs on. Nothing
   * where none runs, and on a machine that stands still.
   */
  async crashKubelet(): Promise<void> {
    await this.#around.begin?.();
    if (!this.#kubelet || this.clock.paused) return;
    this.link.endLife();
    this.#pods?.goDeaf();
    await this.#around.drive(this.#stopKubelet());
  }

  /** It begins anew, and takes over what it finds running. Nothing where it runs, or where the machine is down. */
  async startKubelet(): Promise<void> {
    await this.#around.begin?.();
    if (this.#kubelet || this.#crashed) return;
    await this.#around.drive(this.#startKubelet(false));
  }

  /**
   * Power is lost: everything that ran has ended, and nobody is told. The API learns of it as of any node that is silent:
   * after 50 s it is NotReady, after 5 minutes more its pods are evicted.
   */
  async crash(): Promise<void> {
    await this.#around.begin?.();
    if (this.#crashed) return;
    this.link.endLife();
    this.#pods?.goDeaf();
    this.#runtime.powerOff();
    await this.#cri?.close();
    await this.#around.drive(this.stop());
  }

  /** Power is back, or off and on again: the kubelet starts and takes over what the runtime has kept. */
  async restart(): Promise<void> {
    await this.crash();
    await this.#around.drive(this.start());
  }

  /** Everything on it stands still, as a machine that is suspended. */
  async pause(): Promise<void> {
    await this.#around.begin?.();
    this.clock.pause();
    this.#pods?.goDeaf();
  }

  async resume(): Promise<void> {
    this.clock.resume();
    if (!this.#partitioned) this.#pods?.hear();
  }

  /** Cuts it off from the API server and from all other nodes; what runs on it goes on running. */
  async partition(): Promise<void> {
    this.#partitioned = true;
    this.link.cut = true;
    this.#pods?.goDeaf();
  }

  async heal(): Promise<void> {
    this.#partitioned = false;
    this.link.cut = false;
    if (!this.clock.paused) this.#pods?.hear();
  }

  /** Sets its wall clock wrong. Positive: ahead. */
  skew(byMs: number): void {
    this.clock.skewMs = byMs;
  }

  /** Ends the containers of an image's name or id with an exit code, as a signal or the kernel would. */
  kill(container: string, exitCode = 137, reason = 'Error'): void {
    for (const record of [...this.#runtime.containers.values()]) {
      const image = record.config.image?.userSpecifiedImage ?? record.config.image?.image;
      if (record.id === container || image === container) this.#runtime.killContainer(record.id, exitCode, reason);
    }
  }

  /**
   * The kernel kills a container for its memory (137, `OOMKilled`); default: the pod's first that runs. Throws
   * `ClusterUsageError` where there is none here.
   */
  async oomKill(pod: string, { namespace = 'default', container }: ExecOptions = {}): Promise<void> {
    await this.#around.begin?.();
    const found = [...this.#runtime.containers.values()].find(({ state, sandbox, config }) => {
      const { name, namespace: at } = sandbox.config.metadata ?? {};
      const isMeant = container === undefined || config.metadata?.name === container;
      return state === 'CONTAINER_RUNNING' && name === pod && at === namespace && isMeant;
    });
    if (!found) {
      const what = container === undefined ? 'no container' : `no container "${container}"`;
      throw new ClusterUsageError(`${what} of pod ${namespace}/${pod} runs on ${this.name}`);
    }
    this.#runtime.killContainer(found.id, 137, 'OOMKilled');
  }

  /**
   * The machine runs short: from now on so much is left (`50Mi`, `5%`), beside what pods use. Its kubelet sees that within
   * 10 s and does what a kubelet does: says so in a condition, and ends one pod after the other, the worst first, until
   * enough is left. Throws `ClusterUsageError` for a resource for which it has no threshold.
   */
  pressure(resource: MachineResource, left?: string): void {
    this.#resources.press(resource, left);
  }

  /** Ends that; for all resources by default. The condition stays for five minutes, as upstream's does. */
  relieve(resource?: MachineResource): void {
    this.#resources.relieve(resource);
  }

  /** Whether an address is its own or one of its pods'. */
  owns(ip: string): boolean {
    if (ip === this.ip) return true;
    for (const sandbox of this.#runtime.sandboxes.values()) if (sandbox.ip === ip) return true;
    return false;
  }
}
