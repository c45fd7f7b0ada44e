import { nodes } from '../../../api/resources.ts';
import type { ContainerImage, Node, NodeStatus } from '../../../api/types/core/v1.generated.ts';
import { LazyAbort } from '../../../libs/base/abort.ts';
import type { Timer } from '../../../libs/base/clock.ts';
import { inOnePiece } from '../../../libs/base/text.ts';
import type { DeepReadonly, Live } from '../../../libs/kind/object.ts';
import { isAlreadyExists, isNotFound } from '../../../libs/machinery/errors.ts';
import { jsonEqual } from '../../../libs/machinery/json-equal.ts';
import type { KubeletEnvironment } from '../environment.ts';
import { Repeated } from '../repeated.ts';
import { type NodeHealth, nodeConditions } from './conditions.ts';
import { NodeEvents } from './events.ts';
import {
  allocatableOf,
  capacityOf,
  type MachineFacts,
  nodeAddresses,
  nodeInfo,
  type ResourceList,
  readMachineFacts,
} from './facts.ts';

const IMAGES_MAX = 50;
const IMAGE_NAMES_MAX = 5;
/** What pods of this node may be changed to while they run, by Kubernetes' names. */
const DECLARED_FEATURES = ['GuaranteedQoSPodCPUResize', 'RestartAllContainersOnContainerExits'] as const;
const RETRY_MS = 1_000;
/** A node that has just started and is not ready yet looks so often, for so long. */
const STARTING_MS = 50;
const STARTING_MS_MAX = 60_000;

export interface NodeStatusOptions {
  readonly env: KubeletEnvironment;
  /** The node as it is followed; undefined where it is not known yet, or no more. */
  readonly followed: () => Live<Node> | undefined;
  /** How long ago (ms) the runtime's containers were listed; undefined: never. */
  readonly listedAgoMs: () => number | undefined;
  /** What the node is short of. */
  readonly pressures: () => ReadonlySet<string>;
  /** See `KubeletOptions.resumed`. */
  readonly resumed: boolean;
}

/** Makes the node known to the API, and keeps telling how it is. */
export class NodeStatusReporter {
  readonly #env: KubeletEnvironment;
  readonly #options: NodeStatusOptions;
  readonly #stopped = new LazyAbort(() => new Error('the kubelet stops'));
  #machine: MachineFacts | undefined;
  #runtime = '';
  #capacity: ResourceList = {};
  /** With what others say that the node has: what `#allocatable` is of. */
  #given: ResourceList = {};
  #allocatable: ResourceList = {};
  #node: Live<Node> | undefined;
  #reportedMs = Number.NEGATIVE_INFINITY;
  /** Rings when it is to be told again. */
  #beat: Timer | undefined;
  #podCidr = '';
  /** It was made known to the API, as far as is known here. */
  #registered: boolean;
  #ready = false;
  #failed = false;
  #startedMs = 0;
  readonly #repeated: Repeated;
  readonly #events: NodeEvents;

  constructor(options: NodeStatusOptions) {
    this.#options = options;
    this.#env = options.env;
    const { clock, config, events, nodeName } = options.env;
    this.#registered = options.resumed;
    this.#events = new NodeEvents(events, nodeName);
    this.#repeated = new Repeated(clock, {
      run: () => this.#report(),
      delayMs: () => {
        if (!this.#node) return RETRY_MS;
        const starting = !this.#ready && clock.monotonic() - this.#startedMs < STARTING_MS_MAX;
        return starting ? STARTING_MS : config.nodeStatusUpdateFrequencyMs;
      },
      upkeep: () => (this.#node && this.#ready && !this.#failed ? 'check' : undefined),
    });
  }

  get allocatable(): ResourceList {
    return this.#allocatable;
  }

  get node(): Live<Node> | undefined {
    return this.#node;
  }

  /** Reads what the machine is. Rejects when the runtime does not answer. */
  async prepare(): Promise<string> {
    const { host, cri, config } = this.#env;
    await host.files.makeDirectory(config.rootDirectory, { mode: 0o750 });
    this.#machine = await readMachineFacts(host);
    const { runtimeName, runtimeVersion } = await cri.version({});
    this.#runtime = inOnePiece(runtimeName, '://', runtimeVersion);
    this.#capacity = await capacityOf(host, config);
    this.#allocatable = allocatableOf(this.#capacity, config);
    this.#given = this.#capacity;
    this.#startedMs = this.#env.clock.monotonic();
    return runtimeName;
  }

  /** Begins to report; the first report is under way when it returns. */
  start(): void {
    if (this.#options.resumed) this.#reportedMs = this.#startedMs;
    else this.#events.starting();
    this.#repeated.poke();
  }

  /** Something is to be told at once. */
  poke(): void {
    this.#repeated.poke();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#beat?.cancel();
    await this.#repeated.stop();
  }

  /** What does not change is told again after a while, as a sign of life: set anew by each look that finds all as it was. */
  #beatLater(): void {
    const { clock, config } = this.#env;
    this.#beat?.cancel();
    const dueMs = this.#reportedMs + config.nodeStatusReportFrequencyMs;
    const delayMs = Math.max(0, dueMs - clock.monotonic());
    if (!this.#stopped.aborted) this.#beat = clock.setTimer(() => this.poke(), delayMs, { upkeep: 'beat' });
  }

  async #report(): Promise<void> {
    const { log, nodeName } = this.#env;
    const failed = this.#failed;
    this.#failed = false;
    try {
      // What was told is younger than a period: the next report is due after one.
      const resumes = this.#registered && !this.#node;
      // Others write to it too: controllers that have not heard of it for a while, and people.
      if (this.#registered) this.#node = (failed ? undefined : this.#followed()) ?? (await this.#asked());
      let status = await this.#status();
      let made = false;
      if (!this.#registered) {
        made = await this.#register(status);
        this.#registered = true;
        // Since when its conditions are as they are is known only now.
        if (!made) status = await this.#status();
      }
      const before = made ? [] : (this.#node?.status?.conditions ?? []);
      if (!resumes) await this.#patch(status);
      this.#events.conditions(before, status.conditions ?? []);
      this.#events.schedulable(this.#node?.spec?.unschedulable === true);
      await this.#tellPodCidr();
    } catch (error) {
      if (this.#stopped.aborted) return;
      this.#failed = true;
      // Somebody has deleted it: it is made anew.
      if (isNotFound(error)) {
        this.#node = undefined;
        this.#registered = false;
      }
      log.warn('the node’s status could not be written', { node: nodeName, error });
    }
  }

  /** What is followed may be behind what was answered to the last report. */
  #followed(): Live<Node> | undefined {
    const own = this.#node;
    const followed = this.#options.followed();
    return own && followed && versionOf(own) > versionOf(followed) ? own : followed;
  }

  #asked(): Promise<Live<Node>> {
    const { client, nodeName } = this.#env;
    return client.resource(nodes).get(nodeName, { resourceVersion: '0', signal: this.#stopped.signal });
  }

  /** Whether the node was not there before. */
  async #register(status: NodeStatus): Promise<boolean> {
    const { client, nodeName, config, host } = this.#env;
    const { signal } = this.#stopped;
    const { platform, architecture } = host.facts;
    const labels = {
      'beta.kubernetes.io/arch': architecture,
      'beta.kubernetes.io/os': platform,
      'kubernetes.io/arch': architecture,
      'kubernetes.io/hostname': nodeName,
      'kubernetes.io/os': platform,
      ...config.nodeLabels,
    };
    if (!config.registerNode) {
      this.#node = await client.resource(nodes).get(nodeName, { signal });
      return false;
    }
    const wanted: Node = {
      metadata: { name: nodeName, labels },
      spec: {
        ...(config.providerId && { providerID: config.providerId }),
        ...(config.registerWithTaints.length > 0 && {
          taints: config.registerWithTaints.map((taint) => ({ ...taint })),
        }),
      },
      status,
    };
    try {
      this.#node = await client.resource(nodes).create(wanted, { signal });
      return true;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const found = await client.resource(nodes).get(nodeName, { signal });
      const missing = Object.entries(labels).filter(([key, value]) => found.metadata.labels?.[key] !== value);
      this.#node =
        missing.length === 0
          ? found
          : await client
              .resource(nodes)
              .patch(nodeName, { metadata: { labels: Object.fromEntries(missing) } }, { type: 'merge', signal });
      return false;
    }
  }

  async #patch(status: NodeStatus): Promise<void> {
    const { client, nodeName, clock, config } = this.#env;
    const before = (this.#node?.status ?? {}) as NodeStatus;
    const patch: Record<string, unknown> = {};
    for (const key of Object.keys(status) as (keyof NodeStatus)[]) {
      if (jsonEqual(withoutHeartbeats(before[key]), withoutHeartbeats(status[key]))) continue;
      patch[key] = key === 'allocatable' ? { ...noneOf(before.allocatable), ...status.allocatable } : status[key];
    }
    const due = clock.monotonic() - this.#reportedMs >= config.nodeStatusReportFrequencyMs;
    if (Object.keys(patch).length === 0 && !due) return this.#beatLater();
    patch['conditions'] = status.conditions;
    this.#node = await client
      .resource(nodes)
      .subresource('status')
      .patch(nodeName, { status: patch }, { type: 'strategic', signal: this.#stopped.signal });
    this.#reportedMs = clock.monotonic();
    this.#beatLater();
  }

  /** The runtime's own CNI configuration may be made from the range that the node was given. */
  async #tellPodCidr(): Promise<void> {
    const { cri } = this.#env;
    const podCidr = this.#node?.spec?.podCIDRs?.join(',') ?? this.#node?.spec?.podCIDR ?? '';
    if (podCidr === '' || podCidr === this.#podCidr) return;
    await cri.updateRuntimeConfig({ runtimeConfig: { networkConfig: { podCidr } } });
    this.#podCidr = podCidr;
  }

  async #status(): Promise<NodeStatus> {
    const { host, config, hostIps, clock, nodeName } = this.#env;
    const health = await this.#health();
    this.#ready = health.notReady.length === 0;
    // What others say that the node has (API concept "Advertise Extended Resources for a Node") it gives out, too.
    const capacity = { ...this.#node?.status?.capacity, ...this.#capacity };
    if (!jsonEqual(capacity, this.#given)) this.#allocatable = allocatableOf(capacity, config);
    this.#given = capacity;
    return {
      addresses: nodeAddresses(hostIps(), nodeName),
      capacity,
      allocatable: this.#allocatable,
      conditions: nodeConditions(health, this.#node?.status?.conditions ?? [], clock.now()),
      daemonEndpoints: { kubeletEndpoint: { Port: config.port } },
      nodeInfo: nodeInfo(host, this.#machine!, this.#runtime, config.version),
      images: await this.#images(),
      declaredFeatures: [...DECLARED_FEATURES],
    };
  }

  async #health(): Promise<NodeHealth> {
    const { cri } = this.#env;
    const notReady: string[] = [];
    try {
      const { status } = await cri.status({});
      for (const [type, words] of [
        ['RuntimeReady', 'container runtime not ready'],
        ['NetworkReady', 'container runtime network not ready'],
      ] as const) {
        const condition = status?.conditions.find((one) => one.type === type);
        if (condition?.status !== false) continue;
        notReady.push(`${words}: ${type}=false reason:${condition.reason} message:${condition.message}`);
      }
    } catch (error) {
      notReady.push(`container runtime is down: ${(error as Error).message}`);
    }
    const listedAgoMs = this.#options.listedAgoMs();
    if (listedAgoMs !== undefined && listedAgoMs > PLEG_MS_MAX) {
      notReady.push(
        `PLEG is not healthy: pleg was last seen active ${Math.round(listedAgoMs / 1000)}s ago; threshold is 3m0s`,
      );
    }
    const pressures = this.#options.pressures();
    return {
      notReady,
      memoryPressure: pressures.has('MemoryPressure'),
      diskPressure: pressures.has('DiskPressure'),
      pidPressure: pressures.has('PIDPressure'),
    };
  }

  async #images(): Promise<ContainerImage[]> {
    const { images } = await this.#env.cri.listImages({}).catch(() => ({ images: [] }));
    return images
      .map(({ repoDigests, repoTags, size }) => ({
        names: [...repoDigests, ...repoTags].slice(0, IMAGE_NAMES_MAX),
        sizeBytes: size,
      }))
      .filter(({ names }) => names.length > 0)
      .sort((a, b) => b.sizeBytes - a.sizeBytes)
      .slice(0, IMAGES_MAX);
  }
}

const PLEG_MS_MAX = 180_000;

/** In a patch, what is to go must be named. */
const noneOf = (list: DeepReadonly<ResourceList> = {}) =>
  Object.fromEntries(Object.keys(list).map((name) => [name, null]));

const versionOf = ({ metadata }: Live<Node>): number => Number(metadata.resourceVersion);

function withoutHeartbeats(value: unknown): unknown {
  if (!Array.isArray(value)) return value ?? null;
  // The API keeps no empty lists.
  if (value.length === 0) return null;
  return value.map((one) => {
    if (typeof one !== 'object' || one === null || !Object.hasOwn(one, 'lastHeartbeatTime')) return one;
    const { lastHeartbeatTime: _, ...rest } = one as Record<string, unknown>;
    return rest;
  });
}
