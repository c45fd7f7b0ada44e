import type { Input } from '../../../libs/grpc/protobuf.ts';
import type {
  Container,
  ContainerConfig,
  ContainerState,
  ContainerStats,
  ContainerStatus,
  PodSandbox,
  PodSandboxConfig,
  PodSandboxStats,
  PodSandboxStatus,
} from '../schema.generated.ts';
import type { ResourceUsage } from './image.ts';

/** What the simulated runtime knows of a sandbox, and how it is told. All of it outlives the runtime's clients. */
export interface SandboxRecord {
  readonly id: string;
  /** Frozen; see `owned`. */
  readonly config: Input<PodSandboxConfig>;
  readonly runtimeHandler: string;
  readonly createdNanos: bigint;
  /** Empty for the host's network, and after the sandbox was stopped. */
  ip: string;
  ready: boolean;
  /** What is in it, in the order in which it was made. */
  containers: readonly ContainerRecord[];
  /** As lists told of it last. */
  told?: PodSandbox;
}

export interface ContainerRecord {
  readonly id: string;
  readonly sandbox: SandboxRecord;
  /** Frozen, as a sandbox's; another one where its resources are changed. */
  config: Input<ContainerConfig>;
  readonly imageId: string;
  readonly createdNanos: bigint;
  state: ContainerState;
  startedNanos: bigint;
  finishedNanos: bigint;
  exitCode: number;
  reason: string;
  usage: ResourceUsage;
  /** CPU time up to `usageSinceMs`. */
  cpuNanos: number;
  usageSinceMs: number;
  /** When the container ends by itself, on the monotonic clock. */
  exitAtMs: number | undefined;
  /** As lists told of it last. */
  told?: Container;
}

export const podUidOf = (sandbox: SandboxRecord): string => sandbox.config.metadata?.uid ?? '';

export function isHostNetwork(config: Input<PodSandboxConfig>): boolean {
  return config.linux?.securityContext?.namespaceOptions?.network === 'NODE';
}

const sandboxMetadata = ({ config }: SandboxRecord) => ({
  name: '',
  uid: '',
  namespace: '',
  attempt: 0,
  ...config.metadata,
});
const containerMetadata = ({ config }: ContainerRecord) => ({ name: '', attempt: 0, ...config.metadata });
const imageSpec = ({ config }: ContainerRecord) => ({
  image: '',
  userSpecifiedImage: '',
  runtimeHandler: '',
  imageRef: '',
  ...config.image,
  annotations: shared(config.image?.annotations),
});

/**
 * A configuration as the runtime keeps it: the caller's, frozen all the way down in place of a copy. Callers make one for
 * each call, and share with it only what is frozen already. Bytes cannot be frozen; nobody changes those of others.
 */
export function owned<T>(config: T): T {
  if (typeof config !== 'object' || config === null || Object.isFrozen(config) || ArrayBuffer.isView(config))
    return config;
  Object.freeze(config);
  if (Array.isArray(config)) {
    for (let i = 0; i < config.length; i++) if (typeof config[i] === 'object') owned(config[i]);
  } else for (const key in config) if (typeof config[key] === 'object') owned(config[key]);
  return config;
}

const NONE: Record<string, string> = Object.freeze({});
const NO_MOUNTS = Object.freeze([]);

/** What is told of a record over and over is the record's own. */
const shared = (texts: Input<Record<string, string>> | undefined): Record<string, string> =>
  (texts ?? NONE) as Record<string, string>;

/** Do all the wanted labels stand in these? */
export function matchesLabels(
  labels: Input<Record<string, string>> | undefined,
  wanted: Input<Record<string, string>> | undefined,
): boolean {
  for (const name in wanted) {
    if (labels === undefined || !Object.hasOwn(labels, name) || labels[name] !== wanted[name]) return false;
  }
  return true;
}

/** The same object each time, until its state is another: kubelets list all that is there again and again. */
export function toPodSandbox(sandbox: SandboxRecord): PodSandbox {
  const state = sandbox.ready ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY';
  if (sandbox.told?.state === state) return sandbox.told;
  sandbox.told = Object.freeze({
    id: sandbox.id,
    metadata: Object.freeze(sandboxMetadata(sandbox)),
    state,
    createdAt: sandbox.createdNanos,
    labels: shared(sandbox.config.labels),
    annotations: shared(sandbox.config.annotations),
    runtimeHandler: sandbox.runtimeHandler,
  });
  return sandbox.told;
}

export function toPodSandboxStatus(sandbox: SandboxRecord): PodSandboxStatus {
  const {
    targetId = '',
    network = 'POD',
    pid = 'POD',
    ipc = 'POD',
  } = sandbox.config.linux?.securityContext?.namespaceOptions ?? {};
  return {
    ...toPodSandbox(sandbox),
    network: { ip: sandbox.ip, additionalIps: [] },
    linux: { namespaces: { options: { network, pid, ipc, targetId } } },
  };
}

/** As `toPodSandbox`. */
export function toContainer(record: ContainerRecord): Container {
  if (record.told?.state === record.state) return record.told;
  record.told = Object.freeze({
    id: record.id,
    podSandboxId: record.sandbox.id,
    metadata: Object.freeze(containerMetadata(record)),
    image: Object.freeze(imageSpec(record)),
    imageRef: record.imageId,
    state: record.state,
    createdAt: record.createdNanos,
    labels: shared(record.config.labels),
    annotations: shared(record.config.annotations),
    imageId: record.imageId,
  });
  return record.told;
}

export function toContainerStatus(record: ContainerRecord): ContainerStatus {
  const { config } = record;
  return {
    id: record.id,
    metadata: containerMetadata(record),
    state: record.state,
    createdAt: record.createdNanos,
    startedAt: record.startedNanos,
    finishedAt: record.finishedNanos,
    exitCode: record.exitCode,
    image: imageSpec(record),
    imageRef: record.imageId,
    reason: record.reason,
    message: '',
    labels: shared(config.labels),
    annotations: shared(config.annotations),
    mounts: (config.mounts ?? NO_MOUNTS) as ContainerStatus['mounts'],
    logPath: logPathOf(record),
    resources: { linux: config.linux?.resources } as NonNullable<ContainerStatus['resources']>,
    imageId: record.imageId,
    stopSignal: config.stopSignal ?? 'RUNTIME_DEFAULT',
  };
}

/** Where its log lies; empty where it has none. */
export function logPathOf({ sandbox, config }: ContainerRecord): string {
  const folder = sandbox.config.logDirectory ?? '';
  return folder !== '' && config.logPath ? `${folder}/${config.logPath}` : '';
}

/** CPU time used until `nowMs` of the monotonic clock. One millicore is 1,000 ns in each millisecond. */
export function cpuNanosAt(
  record: Pick<ContainerRecord, 'state' | 'cpuNanos' | 'usage' | 'usageSinceMs'>,
  nowMs: number,
): number {
  if (record.state !== 'CONTAINER_RUNNING') return record.cpuNanos;
  return record.cpuNanos + (nowMs - record.usageSinceMs) * (record.usage.cpuMillicores ?? 0) * 1000;
}

export function toContainerStats(record: ContainerRecord, nowMs: number, nowNanos: bigint): ContainerStats {
  const value = (n: number) => ({ value: Math.round(n) });
  const memory = record.state === 'CONTAINER_RUNNING' ? (record.usage.memoryBytes ?? 0) : 0;
  const limit = record.config.linux?.resources?.memoryLimitInBytes ?? 0;
  return {
    attributes: {
      id: record.id,
      metadata: containerMetadata(record),
      labels: shared(record.config.labels),
      annotations: shared(record.config.annotations),
    },
    cpu: {
      timestamp: nowNanos,
      usageCoreNanoSeconds: value(cpuNanosAt(record, nowMs)),
      usageNanoCores: value(record.state === 'CONTAINER_RUNNING' ? (record.usage.cpuMillicores ?? 0) * 1e6 : 0),
    },
    memory: {
      timestamp: nowNanos,
      workingSetBytes: value(memory),
      availableBytes: value(limit > 0 ? Math.max(0, limit - memory) : 0),
      usageBytes: value(memory),
      rssBytes: value(memory),
      pageFaults: value(0),
      majorPageFaults: value(0),
    },
    writableLayer: { timestamp: nowNanos, usedBytes: value(0), inodesUsed: value(0) },
  };
}

export function toPodSandboxStats(
  sandbox: SandboxRecord,
  containers: readonly ContainerRecord[],
  nowMs: number,
  nowNanos: bigint,
): PodSandboxStats {
  const stats = containers.map((record) => toContainerStats(record, nowMs, nowNanos));
  const sum = (pick: (s: ContainerStats) => number | undefined) => ({
    value: stats.reduce((total, s) => total + (pick(s) ?? 0), 0),
  });
  const working = sum((s) => s.memory?.workingSetBytes?.value);
  return {
    attributes: {
      id: sandbox.id,
      metadata: sandboxMetadata(sandbox),
      labels: shared(sandbox.config.labels),
      annotations: shared(sandbox.config.annotations),
    },
    linux: {
      cpu: {
        timestamp: nowNanos,
        usageCoreNanoSeconds: sum((s) => s.cpu?.usageCoreNanoSeconds?.value),
        usageNanoCores: sum((s) => s.cpu?.usageNanoCores?.value),
      },
      memory: { timestamp: nowNanos, workingSetBytes: working, usageBytes: working, rssBytes: working },
      containers: stats,
    },
  };
}
