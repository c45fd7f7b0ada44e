import { qosClassOf, sumContainers } from '../../../api/core/pod/resources.ts';
import type { Input } from '../../../libs/grpc/protobuf.ts';
import { mustParseQuantity, toCeil, toMilli } from '../../../libs/machinery/quantity.ts';
import type { LinuxContainerResources } from '../../cri/schema.generated.ts';
import type { NodePod, PodContainer } from '../pod/objects.ts';

const CPU_PERIOD_US = 100_000;
const CPU_QUOTA_MIN_US = 1_000;
const CPU_SHARES_MIN = 2;
const CPU_SHARES_MAX = 262_144;

type ResourceList = Readonly<Record<string, string>> | undefined;

const milli = (list: ResourceList, name: string): number => toMilli(mustParseQuantity(list?.[name] ?? '0'));
const whole = (list: ResourceList, name: string): number => toCeil(mustParseQuantity(list?.[name] ?? '0'));

/** 1,024 shares are one CPU. */
export function cpuShares(milliCpu: number): number {
  if (milliCpu === 0) return CPU_SHARES_MIN;
  return Math.min(CPU_SHARES_MAX, Math.max(CPU_SHARES_MIN, Math.floor((milliCpu * 1024) / 1000)));
}

/** Microseconds of CPU time in each period; 0 where there is no limit. */
export function cpuQuotaUs(milliCpu: number): number {
  return milliCpu === 0 ? 0 : Math.max(CPU_QUOTA_MIN_US, Math.floor((milliCpu * CPU_PERIOD_US) / 1000));
}

/**
 * Who is killed first when the node runs out of memory: -997 (guaranteed) … 1000 (best effort); burstable containers
 * between, the later the more of the node's memory they asked for.
 */
export function oomScoreAdjust(pod: NodePod, container: PodContainer, nodeMemoryBytes: number): number {
  if (!pod.spec) return 1000;
  if (Number(pod.spec.priority ?? 0) >= 2_000_000_000) return -997;
  const qos = qosClassOf(pod.spec);
  if (qos !== 'Burstable') return qos === 'Guaranteed' ? -997 : 1000;
  const requested = whole(container.resources?.requests, 'memory') + shareOfPod(pod);
  const share = 1000 - Math.floor((1000 * requested) / nodeMemoryBytes);
  return Math.min(999, Math.max(3, share));
}

/** Of the memory that a pod asks for as a whole, each container's part of what no container asks for itself. */
function shareOfPod({ spec }: NodePod): number {
  const asked = whole(spec?.resources?.requests, 'memory');
  const count = spec?.containers?.length ?? 0;
  if (asked === 0 || count === 0 || !spec) return 0;
  const own = whole(sumContainers(spec, 'requests'), 'memory');
  return Math.max(0, Math.floor((asked - own) / count));
}

export function containerResources(
  pod: NodePod,
  container: PodContainer,
  nodeMemoryBytes: number,
): Input<LinuxContainerResources> {
  const { requests } = container.resources ?? {};
  // What a container does not limit the pod as a whole does, and so it is told.
  const limits: ResourceList = { ...pod.spec?.resources?.limits, ...container.resources?.limits };
  const requested =
    requests?.['cpu'] === undefined ? milli(container.resources?.limits, 'cpu') : milli(requests, 'cpu');
  const hugepages = Object.keys(limits ?? {}).filter((name) => name.startsWith('hugepages-'));
  return {
    cpuPeriod: CPU_PERIOD_US,
    cpuQuota: cpuQuotaUs(milli(limits, 'cpu')),
    cpuShares: cpuShares(requested),
    memoryLimitInBytes: whole(limits, 'memory'),
    oomScoreAdj: oomScoreAdjust(pod, container, nodeMemoryBytes),
    hugepageLimits: hugepages.map((name) => ({
      pageSize: `${name.slice('hugepages-'.length).replace(/i$/, '')}B`,
      limit: whole(limits, name),
    })),
  };
}

export interface PodLimits {
  readonly cpuShares: number;
  /** 0: none. */
  readonly cpuQuotaUs: number;
  readonly cpuPeriodUs: number;
  /** 0: none. */
  readonly memoryBytes: number;
}

/** What the pod's own cgroup holds: its shares always, its limits where every container has one. */
export function podLimits({ spec }: NodePod): PodLimits {
  if (!spec) return { cpuShares: CPU_SHARES_MIN, cpuQuotaUs: 0, cpuPeriodUs: CPU_PERIOD_US, memoryBytes: 0 };
  const requests = { ...sumContainers(spec, 'requests'), ...spec.resources?.requests };
  const limits = { ...sumContainers(spec, 'limits'), ...spec.resources?.limits };
  const all = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  const limited = (name: string): boolean =>
    spec.resources?.limits?.[name] !== undefined ||
    all.every((container) => milli(container.resources?.limits, name) > 0);
  return {
    cpuShares: cpuShares(milli(requests, 'cpu')),
    cpuQuotaUs: limited('cpu') ? cpuQuotaUs(milli(limits, 'cpu')) : 0,
    cpuPeriodUs: CPU_PERIOD_US,
    memoryBytes: limited('memory') ? whole(limits, 'memory') : 0,
  };
}
