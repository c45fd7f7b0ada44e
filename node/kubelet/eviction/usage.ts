import type { Files, Host } from '../../../libs/base/host.ts';
import type { CriClient } from '../../cri/cri.ts';
import { podLogDirectory } from '../../cri/logs.ts';
import { LABEL } from '../containers/labels.ts';
import type { KubeletEnvironment } from '../environment.ts';
import { type NodePod, nameOf, namespaceOf, uidOf } from '../pod/objects.ts';
import type { PodUsage } from './ranking.ts';
import type { Observations } from './thresholds.ts';

const FILES_MAX = 100_000;

/** Reads what the machine has left. What cannot be read is left out, and no threshold on it is met. */
export async function observeNode(host: Host, cri: CriClient, rootDirectory: string): Promise<Observations> {
  const { files, facts } = host;
  const text = async (path: string) => (await files.readTextIfExists(path).catch(() => undefined)) ?? '';
  const [meminfo, loadavg, pidMax, nodefs, images] = await Promise.all([
    text('/proc/meminfo'),
    text('/proc/loadavg'),
    text('/proc/sys/kernel/pid_max'),
    files.space(rootDirectory).catch(() => undefined),
    cri.imageFsInfo({}).catch(() => undefined),
  ]);
  const mountpoint = images?.imageFilesystems[0]?.fsId?.mountpoint;
  const imagefs = mountpoint ? await files.space(mountpoint).catch(() => undefined) : undefined;
  const availableKb = /^MemAvailable:\s+(\d+) kB/m.exec(meminfo)?.[1];
  const tasks = /\d+\/(\d+)/.exec(loadavg)?.[1];
  const most = Number(pidMax.trim() || Number.NaN);
  return {
    ...(availableKb !== undefined && {
      'memory.available': { available: Number(availableKb) * 1024, capacity: facts.memoryBytes },
    }),
    ...(tasks !== undefined && most > 0 && { 'pid.available': { available: most - Number(tasks), capacity: most } }),
    ...disk('nodefs', nodefs),
    ...disk('imagefs', imagefs),
  };
}

type Space = Awaited<ReturnType<Files['space']>>;

function disk(name: 'nodefs' | 'imagefs', space: Space | undefined): Observations {
  if (!space || space.totalBytes === 0) return {};
  return {
    [`${name}.available`]: { available: space.freeBytes, capacity: space.totalBytes },
    // Some file systems have as many as they like, and say 0.
    ...(space.totalInodes > 0 && {
      [`${name}.inodesFree`]: { available: space.freeInodes, capacity: space.totalInodes },
    }),
  };
}

/** What each pod uses, by uid. `files`: also what lies on the node's disk, for which its folders are walked. */
export async function podUsages(
  env: KubeletEnvironment,
  pods: readonly NodePod[],
  options: { readonly walk: (pod: NodePod) => boolean },
): Promise<Map<string, { usage: PodUsage; emptyDirs: Map<string, number> }>> {
  const { cri, host, config, volumes, cgroups } = env;
  const { stats } = await cri.listContainerStats({});
  const out = new Map<string, { usage: PodUsage; emptyDirs: Map<string, number> }>();
  for (const pod of pods) {
    const uid = uidOf(pod);
    const containers = new Map<string, { memoryBytes: number; diskBytes: number }>();
    let inodes = 0;
    for (const { attributes, memory, writableLayer } of stats) {
      const labels = attributes?.labels ?? {};
      if (labels[LABEL.podUid] !== uid) continue;
      inodes += Number(writableLayer?.inodesUsed?.value ?? 0);
      containers.set(labels[LABEL.containerName] ?? '', {
        memoryBytes: Number(memory?.workingSetBytes?.value ?? 0),
        diskBytes: Number(writableLayer?.usedBytes?.value ?? 0),
      });
    }
    const emptyDirs = new Map<string, number>();
    let shared = 0;
    if (options.walk(pod)) {
      for (const { name, emptyDir } of pod.spec?.volumes ?? []) {
        if (!emptyDir) continue;
        const size = await sizeOf(host.files, `${volumes.podDirectory(uid)}/volumes/kubernetes.io~empty-dir/${name}`);
        emptyDirs.set(name, size.bytes);
        // What lies in memory is no disk.
        if (emptyDir.medium !== 'Memory') shared += size.bytes;
        inodes += size.files;
      }
      const folder = podLogDirectory(config.podLogsDirectory, namespaceOf(pod), nameOf(pod), uid);
      for (const [name, of] of containers) {
        const logs = (await sizeOf(host.files, `${folder}/${name}`)).bytes;
        of.diskBytes += logs;
      }
    }
    const sum = (kind: 'memoryBytes' | 'diskBytes') =>
      [...containers.values()].reduce((all, one) => all + one[kind], 0);
    const processes = await cgroups.processes(pod);
    const usage = {
      memoryBytes: sum('memoryBytes'),
      diskBytes: sum('diskBytes') + shared,
      inodes,
      processes,
      containers,
    };
    out.set(uid, { usage, emptyDirs });
  }
  return out;
}

/** What a tree holds, as far as can be seen: it may change meanwhile. */
async function sizeOf(files: Files, root: string): Promise<{ bytes: number; files: number }> {
  const left = [root];
  let [bytes, count] = [0, 0];
  for (let path = left.pop(); path !== undefined && count < FILES_MAX; path = left.pop()) {
    const stat = await files.statIfExists(path).catch(() => undefined);
    if (!stat) continue;
    count++;
    if (stat.kind === 'file') bytes += stat.sizeBytes;
    if (stat.kind !== 'directory') continue;
    for (const name of await files.list(path).catch(() => [])) left.push(`${path}/${name}`);
  }
  return { bytes, files: count };
}
