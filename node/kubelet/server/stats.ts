import { nanosToMs } from '../../cri/cri.ts';
import type { ContainerStats } from '../../cri/schema.generated.ts';
import { LABEL } from '../containers/labels.ts';
import type { Kubelet } from '../kubelet.ts';

/** What `/stats/summary` answers: the node, and for each pod what its containers use. */
export async function statsSummary(kubelet: Kubelet): Promise<object> {
  const { cri, host, clock, config, nodeName } = kubelet.env;
  const [{ stats }, space] = await Promise.all([
    cri.listContainerStats({}),
    host.files.space(config.rootDirectory).catch(() => undefined),
  ]);
  const time = new Date(clock.now()).toISOString();
  const pods = new Map<string, { podRef: object; containers: object[] }>();
  for (const one of stats) {
    const labels = one.attributes?.labels ?? {};
    const uid = labels[LABEL.podUid];
    if (!uid) continue;
    const podRef = { name: labels[LABEL.podName], namespace: labels[LABEL.podNamespace], uid };
    const entry = pods.get(uid) ?? { podRef, containers: [] };
    entry.containers.push(containerStats(one));
    pods.set(uid, entry);
  }
  const { memoryBytes } = host.facts;
  const meminfo = (await host.files.readTextIfExists('/proc/meminfo').catch(() => undefined)) ?? '';
  const availableBytes = Number(/^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? 0) * 1024;
  return {
    node: {
      nodeName,
      memory: { time, availableBytes, workingSetBytes: Math.max(0, memoryBytes - availableBytes) },
      ...(space && {
        fs: {
          time,
          availableBytes: space.freeBytes,
          capacityBytes: space.totalBytes,
          usedBytes: space.totalBytes - space.freeBytes,
          inodesFree: space.freeInodes,
          inodes: space.totalInodes,
        },
      }),
    },
    pods: [...pods.values()],
  };
}

function containerStats({ attributes, cpu, memory, writableLayer }: ContainerStats): object {
  const at = (nanos: bigint) => new Date(nanosToMs(nanos)).toISOString();
  return {
    name: attributes?.labels[LABEL.containerName] ?? attributes?.metadata?.name ?? '',
    ...(cpu && {
      cpu: {
        time: at(cpu.timestamp),
        ...(cpu.usageNanoCores && { usageNanoCores: cpu.usageNanoCores.value }),
        usageCoreNanoSeconds: cpu.usageCoreNanoSeconds?.value ?? 0,
      },
    }),
    ...(memory && {
      memory: { time: at(memory.timestamp), workingSetBytes: memory.workingSetBytes?.value ?? 0 },
    }),
    ...(writableLayer && {
      rootfs: { time: at(writableLayer.timestamp), usedBytes: writableLayer.usedBytes?.value ?? 0 },
    }),
  };
}
