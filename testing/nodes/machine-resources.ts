import { mustParseQuantity, toCeil } from '../../libs/machinery/quantity.ts';
import type { MemoryHost } from '../../libs/testing/memory-host.ts';
import type { SimulatedRuntime } from '../../node/cri/fake/runtime.ts';
import { DEFAULT_CONFIG, type KubeletConfig } from '../../node/kubelet/config.ts';
import { ClusterUsageError } from '../errors.ts';

/** What a machine can run short of. */
export type MachineResource = 'memory' | 'disk' | 'pids';

/** What something else on the machine uses, that a test put there: bytes, or processes. */
export type Ballast = Readonly<Partial<Record<MachineResource, number>>>;

const RESOURCES: readonly MachineResource[] = ['memory', 'disk', 'pids'];
/** Below upstream's own thresholds. */
const LEFT: Readonly<Record<MachineResource, string>> = { memory: '50Mi', disk: '5%', pids: '0' };
const SIGNAL: Readonly<Record<MachineResource, string>> = {
  memory: 'memory.available',
  disk: 'nodefs.available',
  pids: 'pid.available',
};
const PIDS_MAX = 32_768;
/** Of the system itself. */
const TASKS = 150;

/**
 * What a simulated machine has left, and how its kubelet sees it: memory is what containers use of it (`usage` of their
 * images), and what a test lays beside them.
 */
export class MachineResources {
  readonly #nodeName: string;
  readonly #host: MemoryHost;
  readonly #runtime: () => SimulatedRuntime;
  readonly #config: Partial<KubeletConfig>;
  readonly #ballast: Partial<Record<MachineResource, number>> = {};

  constructor(nodeName: string, host: MemoryHost, runtime: () => SimulatedRuntime, config: Partial<KubeletConfig>) {
    this.#nodeName = nodeName;
    this.#host = host;
    this.#runtime = runtime;
    this.#config = config;
    const { computed } = host.files;
    const kibibytes = (bytes: number) => `${Math.floor(bytes / 1024)} kB`;
    computed.set(
      '/proc/meminfo',
      () => `MemTotal: ${kibibytes(host.facts.memoryBytes)}\nMemAvailable: ${kibibytes(this.#left('memory'))}\n`,
    );
    computed.set('/proc/sys/kernel/pid_max', () => `${PIDS_MAX}\n`);
    computed.set('/proc/loadavg', () => `0.00 0.00 0.00 1/${PIDS_MAX - this.#left('pids')} 1\n`);
  }

  get ballast(): Ballast {
    return { ...this.#ballast };
  }

  /**
   * From now on so much is left: a quantity, or a share such as `5%`. What pods use is beside it: where one goes, more is
   * left. Throws `ClusterUsageError` for what is no resource or amount, and where the kubelet has no threshold for it.
   */
  press(resource: MachineResource, left: string = LEFT[resource]): void {
    const signal = this.#signalOf(resource);
    const { evictionHard = DEFAULT_CONFIG.evictionHard, evictionSoft = {} } = this.#config;
    if (evictionHard[signal] === undefined && evictionSoft[signal] === undefined)
      throw new ClusterUsageError(
        `the kubelet of ${this.#nodeName} has no threshold for ${resource}, so nothing would follow; ` +
          `give the node kubelet: { evictionHard: { '${signal}': … } }`,
      );
    this.#lay(resource, 0);
    this.#lay(resource, this.#left(resource) - amountOf(left, this.#total(resource)));
  }

  /** Takes away what was laid there; of all resources by default. */
  relieve(resource?: MachineResource): void {
    if (resource !== undefined) this.#signalOf(resource);
    for (const one of resource === undefined ? RESOURCES : [resource]) this.#lay(one, 0);
  }

  restore(ballast: Ballast): void {
    for (const resource of RESOURCES) this.#lay(resource, ballast[resource] ?? 0);
  }

  #signalOf(resource: MachineResource): string {
    if (Object.hasOwn(SIGNAL, resource)) return SIGNAL[resource];
    throw new ClusterUsageError(`a node does not run short of "${resource}"; of ${RESOURCES.join(', ')} it does`);
  }

  #lay(resource: MachineResource, amount: number): void {
    if (amount > 0) this.#ballast[resource] = amount;
    else delete this.#ballast[resource];
    if (resource === 'disk') this.#host.files.reservedBytes = this.#ballast.disk ?? 0;
  }

  #total(resource: MachineResource): number {
    if (resource === 'memory') return this.#host.facts.memoryBytes;
    return resource === 'disk' ? this.#host.files.spaceBytes : PIDS_MAX;
  }

  #left(resource: MachineResource): number {
    const { files } = this.#host;
    if (resource === 'disk') return Math.max(0, files.spaceBytes - files.reservedBytes - files.usedBytes);
    let used = this.#ballast[resource] ?? 0;
    if (resource === 'pids') used += TASKS;
    for (const { state, usage } of this.#runtime().containers.values()) {
      if (state === 'CONTAINER_RUNNING') used += resource === 'memory' ? (usage.memoryBytes ?? 0) : 1;
    }
    return Math.max(0, this.#total(resource) - used);
  }
}

function amountOf(text: string, total: number): number {
  try {
    const amount = text.endsWith('%') ? (total * Number.parseFloat(text)) / 100 : toCeil(mustParseQuantity(text));
    if (amount >= 0) return amount;
  } catch {
    // Told below.
  }
  throw new ClusterUsageError(`"${text}" is no amount that is left; write it as "50Mi" or "5%"`);
}
