import type { Clock } from '../../../libs/base/clock.ts';
import { BoundedQueue } from '../../../libs/base/queue.ts';
import type { Random } from '../../../libs/base/random.ts';
import type { Input } from '../../../libs/grpc/protobuf.ts';
import { CriError } from '../cri.ts';
import type {
  ContainerConfig,
  ContainerEventResponse,
  ContainerEventType,
  Image,
  PodSandboxConfig,
  RuntimeCondition,
} from '../schema.generated.ts';
import { imageId, normalizeReference, type SimulatedImage, type SimulatedImages } from './image.ts';
import { MemoryLogFiles, type SimulatedLogs } from './log-files.ts';
import { SimulatedNetwork } from './network.ts';
import { SimulatedProcess } from './process.ts';
import {
  type ContainerRecord,
  cpuNanosAt,
  isHostNetwork,
  logPathOf,
  owned,
  type SandboxRecord,
  toContainerStatus,
  toPodSandboxStatus,
} from './records.ts';

export interface SimulatedRuntimeOptions {
  readonly clock: Clock;
  /** Ids, start failures and what containers draw. Give each node a fork of its own. */
  readonly random: Random;
  readonly images: SimulatedImages;
  /** Shared by the nodes of a cluster. Default: one of its own. */
  readonly network?: SimulatedNetwork;
  /** Where logs are written. Default: in memory, see `logs`. */
  readonly logs?: SimulatedLogs;
  /** Addresses of pods until the kubelet says otherwise (`updateRuntimeConfig`). Default `10.244.0.0/24`. */
  readonly podCidr?: string;
  /** What pods on the host's network listen on. Default `127.0.0.1`. */
  readonly nodeIp?: string;
  /** Which version it plays: with events and `runtimeConfig` as containerd 2 (default), or without as 1.6. */
  readonly generation?: 1 | 2;
}

/** How many events may wait for one reader before it is cut off. */
const WAITING_EVENTS = 10_000;
const ID_LETTERS = '0123456789abcdef';

/**
 * A container runtime inside the process: sandboxes, containers, images and logs that behave as a CRI runtime's do, with
 * time and chance from outside. `client()` (client.ts) speaks to it; several clients may, and it outlives them.
 *
 * It is deterministic: one clock, one seed and one sequence of calls give one history.
 */
export class SimulatedRuntime {
  readonly clock: Clock;
  readonly random: Random;
  readonly images: SimulatedImages;
  readonly network: SimulatedNetwork;
  readonly logs: SimulatedLogs;
  readonly generation: 1 | 2;
  readonly nodeIp: string;
  readonly sandboxes = new Map<string, SandboxRecord>();
  readonly containers = new Map<string, ContainerRecord>();
  /** Image id → what the node has of it; frozen. */
  readonly local = new Map<string, Image>();
  readonly #processes = new Map<string, SimulatedProcess>();
  readonly #pulls = new Map<string, Promise<string>>();
  readonly #watchers = new Set<BoundedQueue<ContainerEventResponse>>();
  #podCidr: string;
  #networkReady = true;

  constructor(options: SimulatedRuntimeOptions) {
    this.clock = options.clock;
    this.random = options.random;
    this.images = options.images;
    this.network = options.network ?? new SimulatedNetwork();
    this.logs = options.logs ?? new MemoryLogFiles();
    this.generation = options.generation ?? 2;
    this.nodeIp = options.nodeIp ?? '127.0.0.1';
    this.#podCidr = options.podCidr ?? '10.244.0.0/24';
  }

  nowNanos(): bigint {
    return BigInt(Math.round(this.clock.now() * 1000)) * 1000n;
  }

  get podCidr(): string {
    return this.#podCidr;
  }

  setPodCidr(cidr: string): void {
    if (cidr !== '') this.#podCidr = cidr;
  }

  /** Whether the runtime says that pods can have a network. */
  setNetworkReady(ready: boolean): void {
    this.#networkReady = ready;
  }

  conditions(): RuntimeCondition[] {
    const network = this.#networkReady
      ? { type: 'NetworkReady', status: true, reason: '', message: '' }
      : {
          type: 'NetworkReady',
          status: false,
          reason: 'NetworkPluginNotReady',
          message: 'Network plugin returns error: cni plugin not initialized',
        };
    return [{ type: 'RuntimeReady', status: true, reason: '', message: '' }, network];
  }

  // ── Sandboxes ────────────────────────────────────────────────────────────────────────────────────────────────────

  runSandbox(given: Input<PodSandboxConfig>, runtimeHandler: string): SandboxRecord {
    const config = owned(given);
    const { name, namespace, uid, attempt = 0 } = config.metadata ?? {};
    if (!name || !namespace || !uid)
      throw new CriError('runPodSandbox', 'INVALID_ARGUMENT', 'the sandbox needs a name, a namespace and a uid');
    for (const other of this.sandboxes.values()) {
      const { metadata } = other.config;
      if (
        metadata?.uid !== uid ||
        metadata.name !== name ||
        metadata.namespace !== namespace ||
        (metadata.attempt ?? 0) !== attempt
      )
        continue;
      const full = `${name}_${namespace}_${uid}_${attempt}`;
      throw new CriError(
        'runPodSandbox',
        'UNKNOWN',
        `failed to reserve sandbox name "${full}": name "${full}" is reserved for "${other.id}"`,
      );
    }
    const hostNetwork = isHostNetwork(config);
    if (!hostNetwork && !this.#networkReady) {
      throw new CriError('runPodSandbox', 'UNKNOWN', 'failed to setup network for sandbox: cni plugin not initialized');
    }
    const ip = hostNetwork ? '' : this.network.allocate(this.#podCidr);
    if (ip === undefined) {
      throw new CriError(
        'runPodSandbox',
        'UNKNOWN',
        `failed to setup network for sandbox: no IP addresses available in range set: ${this.#podCidr}`,
      );
    }
    const record: SandboxRecord = {
      id: this.#newId(),
      config,
      runtimeHandler,
      createdNanos: this.nowNanos(),
      ip,
      ready: true,
      containers: [],
    };
    this.sandboxes.set(record.id, record);
    this.#tell(record.id, 'CONTAINER_CREATED_EVENT', record);
    this.#tell(record.id, 'CONTAINER_STARTED_EVENT', record);
    return record;
  }

  async stopSandbox(sandbox: SandboxRecord): Promise<void> {
    const ended = sandbox.containers.map((record) => this.stopContainer(record, 0));
    await Promise.all(ended);
    if (!sandbox.ready) return;
    sandbox.ready = false;
    if (sandbox.ip !== '') this.network.release(sandbox.ip);
    sandbox.ip = '';
    this.#tell(sandbox.id, 'CONTAINER_STOPPED_EVENT', sandbox);
  }

  async removeSandbox(sandbox: SandboxRecord): Promise<void> {
    await this.stopSandbox(sandbox);
    for (const record of sandbox.containers) await this.removeContainer(record);
    if (!this.sandboxes.delete(sandbox.id)) return;
    this.#tell(sandbox.id, 'CONTAINER_DELETED_EVENT', sandbox);
  }

  // ── Containers ───────────────────────────────────────────────────────────────────────────────────────────────────

  createContainer(sandbox: SandboxRecord, given: Input<ContainerConfig>): ContainerRecord {
    const config = owned(given);
    const fail = (code: 'NOT_FOUND' | 'UNKNOWN' | 'INVALID_ARGUMENT', message: string) =>
      new CriError('createContainer', code, message);
    if (!sandbox.ready) throw fail('UNKNOWN', `sandbox container "${sandbox.id}" is not running`);
    const { name, attempt = 0 } = config.metadata ?? {};
    if (!name) throw fail('INVALID_ARGUMENT', 'the container needs a name');
    for (const other of sandbox.containers) {
      const { metadata } = other.config;
      if (metadata?.name !== name || (metadata.attempt ?? 0) !== attempt) continue;
      throw fail(
        'UNKNOWN',
        `failed to reserve container name "${name}" (attempt ${attempt}): it is reserved for "${other.id}"`,
      );
    }
    const reference = config.image?.image ?? '';
    const image = this.findImage(reference);
    if (!image) throw fail('NOT_FOUND', `failed to resolve image "${reference}": not found`);
    const record: ContainerRecord = {
      id: this.#newId(),
      sandbox,
      config,
      imageId: image.id,
      createdNanos: this.nowNanos(),
      state: 'CONTAINER_CREATED',
      startedNanos: 0n,
      finishedNanos: 0n,
      exitCode: 0,
      reason: '',
      usage: {},
      cpuNanos: 0,
      usageSinceMs: 0,
      exitAtMs: undefined,
    };
    this.#keep(record);
    this.#tell(record.id, 'CONTAINER_CREATED_EVENT', sandbox);
    return record;
  }

  async startContainer(record: ContainerRecord): Promise<void> {
    if (record.state !== 'CONTAINER_CREATED') {
      throw new CriError(
        'startContainer',
        'UNKNOWN',
        `container "${record.id}" is in state ${record.state}, not CONTAINER_CREATED`,
      );
    }
    const image = this.imageOf(record);
    if (image.startMs) await this.clock.sleep(image.startMs);
    // It may have been removed, or its sandbox stopped, in the meantime.
    if (!this.containers.has(record.id) || !record.sandbox.ready) {
      throw new CriError('startContainer', 'NOT_FOUND', `container "${record.id}" was removed while it was started`);
    }
    if (image.startError !== undefined) {
      this.#ended(record, 128, 'StartError');
      throw new CriError(
        'startContainer',
        'UNKNOWN',
        `failed to create containerd task: failed to create shim task: ${image.startError}: unknown`,
      );
    }
    record.state = 'CONTAINER_RUNNING';
    record.startedNanos = this.nowNanos();
    // There is a log from the start on, though nothing may ever be written.
    const log = logPathOf(record);
    if (log !== '') this.logs.append(log, new Uint8Array(0));
    record.usageSinceMs = this.clock.monotonic();
    record.exitAtMs = image.exitAfterMs === undefined ? undefined : this.clock.monotonic() + image.exitAfterMs;
    this.#run(record, image, false);
    this.#tell(record.id, 'CONTAINER_STARTED_EVENT', record.sandbox);
  }

  /** SIGTERM, then SIGKILL after `graceMs`. Resolves when the container has ended. */
  async stopContainer(record: ContainerRecord, graceMs: number): Promise<void> {
    const process = this.#processes.get(record.id);
    if (process) return process.stop(graceMs);
    if (record.state === 'CONTAINER_CREATED' && !record.sandbox.ready) this.#ended(record, 137, 'Error');
  }

  async removeContainer(record: ContainerRecord): Promise<void> {
    await this.stopContainer(record, 0);
    if (!this.containers.delete(record.id)) return;
    const { sandbox } = record;
    sandbox.containers = sandbox.containers.filter((other) => other !== record);
    this.#tell(record.id, 'CONTAINER_DELETED_EVENT', sandbox);
  }

  /** The process of a running container. Throws as a runtime does for one that does not run. */
  processOf(record: ContainerRecord, method: string): SimulatedProcess {
    const process = this.#processes.get(record.id);
    if (!process) throw new CriError(method, 'UNKNOWN', `container is in ${record.state} state`);
    return process;
  }

  /** Whether a container of a pod runs here. */
  runs(namespace: string, pod: string): boolean {
    for (const { state, sandbox } of this.containers.values()) {
      const { metadata } = sandbox.config;
      if (state === 'CONTAINER_RUNNING' && metadata?.name === pod && metadata.namespace === namespace) return true;
    }
    return false;
  }

  // ── What happens to a node ───────────────────────────────────────────────────────────────────────────────────────

  /** Ends a running container from outside: an OOM kill (137, `OOMKilled`), a signal. */
  killContainer(id: string, exitCode = 137, reason = 'Error'): void {
    this.#processes.get(id)?.end(exitCode, reason);
  }

  /**
   * The machine loses power: everything that ran has ended with 255, and nobody was told. What was made is still there
   * when the runtime is asked again.
   */
  powerOff(): void {
    this.breakEvents();
    const processes = [...this.#processes];
    // Forgotten first, so that the ends below make no events and no exit codes of their own.
    this.#processes.clear();
    for (const [id, process] of processes) {
      const record = this.containers.get(id);
      process.end(255);
      if (record) Object.assign(record, { exitCode: 255, reason: 'Unknown' });
    }
    for (const sandbox of this.sandboxes.values()) {
      sandbox.ready = false;
      if (sandbox.ip !== '') this.network.release(sandbox.ip);
      sandbox.ip = '';
    }
  }

  // ── Images ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** By id or by any of its names. */
  findImage(reference: string): Image | undefined {
    const byId = this.local.get(reference) ?? this.local.get(`sha256:${reference}`);
    if (byId || reference === '') return byId;
    return this.local.get(imageId(reference));
  }

  imageOf(record: ContainerRecord): SimulatedImage {
    const [name] = this.local.get(record.imageId)?.repoTags ?? [];
    return this.images.find(name ?? record.config.image?.userSpecifiedImage ?? record.config.image?.image ?? '') ?? {};
  }

  /** Two pulls of one image at one time are one. */
  pullImage(reference: string): Promise<string> {
    const name = normalizeReference(reference);
    const under = this.#pulls.get(name);
    if (under) return under;
    const pull = this.#pull(name, reference).finally(() => this.#pulls.delete(name));
    this.#pulls.set(name, pull);
    return pull;
  }

  async #pull(name: string, reference: string): Promise<string> {
    const image = this.images.find(reference);
    const id = imageId(name);
    if (image?.pullMs && !this.local.has(id)) await this.clock.sleep(image.pullMs);
    const error = image
      ? image.pullError
      : `failed to pull and unpack image "${name}": failed to resolve reference "${name}": ${name}: not found`;
    if (error !== undefined) throw new CriError('pullImage', image ? 'UNKNOWN' : 'NOT_FOUND', error);
    const local: Image = {
      id,
      repoTags: name.includes('@') ? [] : [name],
      repoDigests: [name.includes('@') ? name : `${name.slice(0, name.lastIndexOf(':'))}@${id}`],
      size: image?.sizeBytes ?? 1024 * 1024,
      username: typeof image?.user === 'string' ? image.user : '',
      ...(typeof image?.user === 'number' && { uid: { value: image.user } }),
      pinned: false,
    };
    this.local.set(id, owned(local));
    return id;
  }

  // ── Events ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Every event from now on, until the queue is closed or has run over. */
  watch(): BoundedQueue<ContainerEventResponse> {
    const queue = new BoundedQueue<ContainerEventResponse>('events of the simulated runtime', WAITING_EVENTS);
    this.#watchers.add(queue);
    return queue;
  }

  unwatch(queue: BoundedQueue<ContainerEventResponse>): void {
    this.#watchers.delete(queue);
    queue.close();
  }

  /** Cuts off everybody who reads events. */
  breakEvents(): void {
    for (const queue of [...this.#watchers]) this.unwatch(queue);
  }

  #tell(id: string, containerEventType: ContainerEventType, sandbox: SandboxRecord): void {
    if (this.#watchers.size === 0) return;
    const event: ContainerEventResponse = {
      containerId: id,
      containerEventType,
      createdAt: this.nowNanos(),
      podSandboxStatus: toPodSandboxStatus(sandbox),
      containersStatuses: sandbox.containers.map(toContainerStatus),
    };
    for (const queue of [...this.#watchers]) if (!queue.offer(event)) this.unwatch(queue);
  }

  // ── Within ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Puts back what a snapshot held, and starts again what ran in it. */
  restore(sandboxes: readonly SandboxRecord[], containers: readonly ContainerRecord[]): void {
    for (const sandbox of sandboxes) {
      this.sandboxes.set(sandbox.id, sandbox);
      if (sandbox.ip !== '') this.network.claim(sandbox.ip);
    }
    for (const record of containers) {
      this.#keep(record);
      if (record.state === 'CONTAINER_RUNNING') this.#run(record, this.imageOf(record), true);
    }
  }

  #keep(record: ContainerRecord): void {
    const { sandbox } = record;
    this.containers.set(record.id, record);
    // Another list, as somebody may be going through the one before.
    sandbox.containers = [...sandbox.containers, record];
  }

  #run(record: ContainerRecord, image: SimulatedImage, restored: boolean): void {
    const process = new SimulatedProcess(record, image, {
      clock: this.clock,
      random: this.random,
      network: this.network,
      ip: record.sandbox.ip || this.nodeIp,
      restored,
      nowNanos: () => this.nowNanos(),
      appendLog: (data) => {
        const path = logPathOf(record);
        if (path !== '') this.logs.append(path, data);
      },
      used: (usage) => {
        const now = this.clock.monotonic();
        record.cpuNanos = cpuNanosAt(record, now);
        record.usageSinceMs = now;
        record.usage = { ...record.usage, ...usage };
      },
      exited: (code, reason) => this.#ended(record, code, reason),
      failed: (error) => {
        const { namespace = '', name = '' } = record.sandbox.config.metadata ?? {};
        const { userSpecifiedImage, image: reference = '' } = record.config.image ?? {};
        this.images.failed({ reference: userSpecifiedImage || reference, pod: `${namespace}/${name}`, error });
      },
    });
    this.#processes.set(record.id, process);
    process.start();
  }

  #ended(record: ContainerRecord, exitCode: number, reason: string): void {
    record.cpuNanos = cpuNanosAt(record, this.clock.monotonic());
    Object.assign(record, {
      state: 'CONTAINER_EXITED',
      exitCode,
      reason,
      finishedNanos: this.nowNanos(),
      exitAtMs: undefined,
    });
    if (this.#processes.delete(record.id) || reason === 'StartError')
      this.#tell(record.id, 'CONTAINER_STOPPED_EVENT', record.sandbox);
  }

  #newId(): string {
    return this.random.text(64, ID_LETTERS);
  }
}
