import { nanosToMs } from '../../cri/cri.ts';
import type { ContainerStats, FilesystemUsage } from '../../cri/schema.generated.ts';
import { LABEL } from '../containers/labels.ts';
import type { Kubelet } from '../kubelet.ts';
import { type NodeUsage, nodeUsage } from './node-usage.ts';

/** What the server remembers between two questions, to tell how fast CPU time is used. */
export interface CpuSample {
  readonly nanos: bigint;
  readonly atMs: number;
}
export type CpuSamples = Map<string, CpuSample>;

/** What `/stats/summary` answers: the node, and for each pod what its containers use. */
export async function statsSummary(kubelet: Kubelet, samples: CpuSamples): Promise<object> {
  const { cri, host, clock, config, nodeName } = kubelet.env;
  const [{ stats }, { containers }, node] = await Promise.all([
    cri.listContainerStats({}),
    cri.listContainers({}),
    nodeUsage(host, config.rootDirectory),
  ]);
  const now = clock.now();
  const time = new Date(now).toISOString();
  const startMs = new Map(containers.map(({ id, createdAt }) => [id, nanosToMs(createdAt)]));
  const seen = new Set<string>(['']);
  const pods = new Map<string, PodEntry>();
  for (const one of stats) {
    const { labels = {}, id = '' } = one.attributes ?? {};
    const uid = labels[LABEL.podUid];
    if (!uid) continue;
    seen.add(id);
    const podRef = { name: labels[LABEL.podName] ?? '', namespace: labels[LABEL.podNamespace] ?? '', uid };
    const entry = pods.get(uid) ?? {
      podRef,
      containers: [],
      cpuNanos: 0n,
      nanoCores: 0n,
      memoryBytes: 0,
      diskBytes: 0,
    };
    const nanos = one.cpu?.usageCoreNanoSeconds?.value ?? 0n;
    const nanoCores = one.cpu?.usageNanoCores?.value ?? rate(samples, id, BigInt(nanos), now);
    entry.cpuNanos += BigInt(nanos);
    entry.nanoCores += BigInt(nanoCores);
    entry.memoryBytes += Number(one.memory?.workingSetBytes?.value ?? 0);
    entry.diskBytes += Number(one.writableLayer?.usedBytes?.value ?? 0);
    entry.containers.push(containerStats(one, nanoCores, startMs.get(id) ?? now));
    pods.set(uid, entry);
  }
  const nodeCores = node.cpuNanos === undefined ? 0n : rate(samples, '', node.cpuNanos, now);
  for (const id of samples.keys()) if (!seen.has(id)) samples.delete(id);
  const started = new Map(kubelet.pods().map(({ metadata, status }) => [metadata?.uid ?? '', status?.startTime]));
  return {
    node: { nodeName, ...nodeStats(node, nodeCores, time) },
    pods: Array.from(pods.values(), (entry) => ({
      podRef: entry.podRef,
      startTime: started.get(entry.podRef.uid) ?? time,
      containers: entry.containers,
      cpu: { time, usageNanoCores: entry.nanoCores, usageCoreNanoSeconds: entry.cpuNanos },
      memory: { time, workingSetBytes: entry.memoryBytes },
      'ephemeral-storage': { time, usedBytes: entry.diskBytes, ...filesystem(node) },
    })),
  };
}

interface PodEntry {
  readonly podRef: { readonly name: string; readonly namespace: string; readonly uid: string };
  readonly containers: object[];
  cpuNanos: bigint;
  nanoCores: bigint;
  memoryBytes: number;
  diskBytes: number;
}

/** Nanoseconds of CPU time a second since the last question; 0 at the first. */
function rate(samples: CpuSamples, key: string, nanos: bigint, atMs: number): bigint {
  const before = samples.get(key);
  samples.set(key, { nanos, atMs });
  if (!before || atMs <= before.atMs || nanos < before.nanos) return 0n;
  return ((nanos - before.nanos) * 1000n) / BigInt(Math.round(atMs - before.atMs) || 1);
}

function filesystem({ fs }: NodeUsage): object {
  if (!fs) return {};
  return {
    availableBytes: fs.freeBytes,
    capacityBytes: fs.totalBytes,
    inodesFree: fs.freeInodes,
    inodes: fs.totalInodes,
  };
}

function nodeStats(node: NodeUsage, nanoCores: bigint, time: string): object {
  const { cpuNanos, availableBytes, workingSetBytes, rxBytes, txBytes, processes, processesMax, fs, startMs } = node;
  return {
    ...(startMs !== undefined && { startTime: new Date(startMs).toISOString() }),
    ...(cpuNanos !== undefined && { cpu: { time, usageNanoCores: nanoCores, usageCoreNanoSeconds: cpuNanos } }),
    memory: { time, availableBytes: availableBytes ?? 0, workingSetBytes: workingSetBytes ?? 0 },
    ...(rxBytes !== undefined && { network: { time, name: '', rxBytes, txBytes } }),
    ...(fs && { fs: { time, ...filesystem(node), usedBytes: fs.totalBytes - fs.freeBytes } }),
    ...(processes !== undefined && { rlimit: { time, maxpid: processesMax ?? 0, curproc: processes } }),
  };
}

function containerStats(stats: ContainerStats, nanoCores: bigint | number, startMs: number): object {
  const { attributes, cpu, memory, writableLayer } = stats;
  const at = (nanos: bigint) => new Date(nanosToMs(nanos)).toISOString();
  const value = (name: string, from: { value: bigint | number } | undefined) => (from ? { [name]: from.value } : {});
  const layer = ({ timestamp, usedBytes, inodesUsed }: FilesystemUsage) => ({
    rootfs: { time: at(timestamp), usedBytes: usedBytes?.value ?? 0, ...value('inodesUsed', inodesUsed) },
  });
  return {
    name: attributes?.labels[LABEL.containerName] ?? attributes?.metadata?.name ?? '',
    startTime: new Date(startMs).toISOString(),
    ...(cpu && {
      cpu: {
        time: at(cpu.timestamp),
        usageNanoCores: nanoCores,
        usageCoreNanoSeconds: cpu.usageCoreNanoSeconds?.value ?? 0,
      },
    }),
    ...(memory && {
      memory: {
        time: at(memory.timestamp),
        workingSetBytes: memory.workingSetBytes?.value ?? 0,
        ...value('availableBytes', memory.availableBytes),
        ...value('usageBytes', memory.usageBytes),
        ...value('rssBytes', memory.rssBytes),
        ...value('pageFaults', memory.pageFaults),
        ...value('majorPageFaults', memory.majorPageFaults),
      },
    }),
    ...(writableLayer && layer(writableLayer)),
  };
}
