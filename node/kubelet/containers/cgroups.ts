import { qosClassOf } from '../../../api/core/pod/resources.ts';
import type { Host } from '../../../libs/base/host.ts';
import { type NodePod, uidOf } from '../pod/objects.ts';
import { cpuShares, type PodLimits, podLimits } from './resources.ts';

const ROOT = '/sys/fs/cgroup';

/**
 * The cgroups of pods: `<root>/kubepods[/burstable|/besteffort]/pod<uid>`, in cgroups v1 and v2.
 *
 * A runtime makes a pod's cgroup without limits and never removes it: both are done here. Where the machine has no
 * cgroups, or they may not be written, pods run without.
 */
export class Cgroups {
  readonly #host: Host;
  readonly #root: string;
  readonly #pidsLimit: number;
  #hierarchies: Promise<readonly Hierarchy[]> | undefined;

  /** `pidsLimit`: how many processes and threads a pod may have; none where it is not above 0. */
  constructor(host: Host, root: string, pidsLimit = -1) {
    this.#host = host;
    this.#pidsLimit = pidsLimit;
    this.#root = root.replace(/\/$/, '');
  }

  /** The `cgroupParent` of the pod's sandbox. */
  parentOf(pod: NodePod): string {
    const qos = pod.spec ? qosClassOf(pod.spec) : 'BestEffort';
    const folder = qos === 'Guaranteed' ? '' : `/${qos.toLowerCase()}`;
    return `${this.#root}/kubepods${folder}/pod${uidOf(pod)}`;
  }

  /** Makes the pod's cgroup with its limits. Throws the system's error where it cannot be written. */
  async create(pod: NodePod): Promise<void> {
    const { files } = this.#host;
    const limits = podLimits(pod);
    const parent = this.parentOf(pod);
    for (const hierarchy of await this.hierarchies()) {
      const values = [...limitFiles(hierarchy, limits), ...pidsFiles(hierarchy, this.#pidsLimit)];
      // The runtime makes the others when it needs them.
      if (values.length === 0) continue;
      const folder = `${hierarchy.path}${parent}`;
      await this.#enable(hierarchy, parent);
      await files.makeDirectory(folder, { mode: 0o755 });
      for (const [file, value] of values) {
        if (await files.statIfExists(`${folder}/${file}`))
          await files.write(`${folder}/${file}`, value, { atomic: false });
      }
    }
  }

  /** Raises limits that are too low for the pod as it is to be, and lowers none. */
  async raise(pod: NodePod): Promise<void> {
    const { files } = this.#host;
    const limits = podLimits(pod);
    for (const hierarchy of await this.hierarchies()) {
      for (const [file, value] of limitFiles(hierarchy, limits)) {
        const path = `${hierarchy.path}${this.parentOf(pod)}/${file}`;
        const now = (await files.readTextIfExists(path))?.trim();
        if (now === undefined || !isMore(value, now)) continue;
        await files.write(path, value, { atomic: false });
      }
    }
  }

  /**
   * Removes the pod's cgroups, once the runtime has nothing of it any more. `uid` alone is enough, as after a restart;
   * whose spec is known is looked for in one place.
   * What still runs there is nobody's: a runtime that was killed while it made a sandbox does not know of it. It is
   * killed, and the call rejects with `EBUSY`: the next one finds it gone.
   */
  async remove(uid: string, pod?: NodePod): Promise<void> {
    const { files } = this.#host;
    const parents = pod
      ? [this.parentOf(pod)]
      : ['', '/burstable', '/besteffort'].map((qos) => `${this.#root}/kubepods${qos}/pod${uid}`);
    await Promise.all(
      (await this.hierarchies()).flatMap(({ path }) =>
        parents.map(async (parent) => {
          const folder = `${path}${parent}`;
          // Most are empty, and asking what is in them first would take hundreds of calls.
          const removed = await files.removeDirectory(folder).then(
            () => true,
            () => false,
          );
          if (removed) return;
          // A container's own cgroup below it may be left by a runtime that was killed.
          const inside: string[] = [];
          for (const name of await files.list(folder)) {
            const below = `${folder}/${name}`;
            if ((await files.statIfExists(below))?.kind === 'directory') inside.push(below);
          }
          try {
            for (const below of [...inside, folder]) await files.removeDirectory(below);
          } catch (error) {
            if ((error as { code?: string }).code === 'EBUSY') await this.#kill([...inside, folder]);
            throw error;
          }
        }),
      ),
    );
  }

  async #kill(folders: readonly string[]): Promise<void> {
    const { files, processes } = this.#host;
    for (const folder of folders) {
      const text = (await files.readTextIfExists(`${folder}/cgroup.procs`).catch(() => undefined)) ?? '';
      for (const pid of text.split('\n').map(Number)) if (pid > 1) processes.signal(pid, 'SIGKILL');
    }
  }

  /** The uids of all pods that have a cgroup here. */
  async pods(): Promise<string[]> {
    const uids = new Set<string>();
    for (const { path } of await this.hierarchies()) {
      for (const qos of ['', '/burstable', '/besteffort']) {
        const folder = `${path}${this.#root}/kubepods${qos}`;
        if (!(await this.#host.files.statIfExists(folder))) continue;
        for (const name of await this.#host.files.list(folder))
          if (/^pod[0-9a-f-]{32,36}$/.test(name)) uids.add(name.slice(3));
      }
    }
    return [...uids];
  }

  /** How many processes and threads the pod has; 0 where nobody counts them. */
  async processes(pod: NodePod): Promise<number> {
    for (const { version, path, controller } of await this.hierarchies()) {
      if (version === 1 && controller !== 'pids') continue;
      const text = await this.#host.files.readTextIfExists(`${path}${this.parentOf(pod)}/pids.current`);
      return Number(text?.trim() ?? 0) || 0;
    }
    return 0;
  }

  /** The numbers in `cpu.stat` or `memory.stat` of a container; none where nobody counts. */
  async statOf(pod: NodePod, containerId: string, controller: 'cpu' | 'memory'): Promise<Record<string, number>> {
    const text = await this.#fileOf(pod, containerId, controller, `${controller}.stat`);
    return Object.fromEntries(
      Array.from((text ?? '').matchAll(/^(\S+) (\d+)$/gm), ([, name, value]) => [name, Number(value)]),
    );
  }

  /** A process of the container; undefined where nobody knows of one. */
  async processOf(pod: NodePod, containerId: string): Promise<number | undefined> {
    const text = await this.#fileOf(pod, containerId, 'cpu', 'cgroup.procs');
    return Number(text?.split('\n')[0]) || undefined;
  }

  async #fileOf(pod: NodePod, containerId: string, controller: string, name: string): Promise<string | undefined> {
    for (const hierarchy of await this.hierarchies()) {
      if (hierarchy.version === 1 && !hierarchy.controller.split(',').includes(controller)) continue;
      const path = `${hierarchy.path}${this.parentOf(pod)}/${containerId}/${name}`;
      const text = await this.#host.files.readTextIfExists(path).catch(() => undefined);
      if (text !== undefined) return text;
    }
    return undefined;
  }

  hierarchies(): Promise<readonly Hierarchy[]> {
    this.#hierarchies ??= detect(this.#host);
    return this.#hierarchies;
  }

  /** In v2 a controller works in a cgroup only when all above it hand it down. */
  async #enable({ version, path }: Hierarchy, parent: string): Promise<void> {
    if (version === 1) return;
    const { files } = this.#host;
    // Below systemd the root hands its controllers down already; inside a container, where the root has processes of its
    // own, it cannot: what runtimes make of limits is theirs then.
    await this.#handDown(path).catch(() => undefined);
    let folder = path;
    for (const part of parent
      .split('/')
      .filter((one) => one !== '')
      .slice(0, -1)) {
      folder += `/${part}`;
      if (!(await files.statIfExists(folder))) await files.makeDirectory(folder, { mode: 0o755 });
      await this.#handDown(folder);
    }
  }

  async #handDown(folder: string): Promise<void> {
    const { files } = this.#host;
    const has = (await files.readTextIfExists(`${folder}/cgroup.subtree_control`)) ?? '';
    const may = (await files.readTextIfExists(`${folder}/cgroup.controllers`)) ?? '';
    const wanted = ['cpu', 'memory', 'pids'].filter(
      (name) => may.split(/\s+/).includes(name) && !has.split(/\s+/).includes(name),
    );
    if (wanted.length === 0) return;
    const text = wanted.map((name) => `+${name}`).join(' ');
    await files.write(`${folder}/cgroup.subtree_control`, text, { atomic: false });
  }
}

export interface Hierarchy {
  readonly version: 1 | 2;
  readonly path: string;
  /** `memory`, `cpu,cpuacct` …; `unified` for v2, and beside v1 for a v2 that has no controllers. */
  readonly controller: string;
}

async function detect({ files, facts }: Host): Promise<readonly Hierarchy[]> {
  if (facts.platform !== 'linux' || !(await files.statIfExists(ROOT))) return [];
  if (await files.statIfExists(`${ROOT}/cgroup.controllers`))
    return [{ version: 2, path: ROOT, controller: 'unified' }];
  const found: Hierarchy[] = [];
  for (const controller of await files.list(ROOT)) {
    const path = `${ROOT}/${controller}`;
    // Links lead to hierarchies of several controllers, which are listed under their own names.
    if ((await files.statIfExists(path))?.kind !== 'directory') continue;
    if (await files.statIfExists(`${path}/cgroup.procs`)) found.push({ version: 1, path, controller });
  }
  return found;
}

function limitFiles({ version, controller }: Hierarchy, limits: PodLimits): [string, string][] {
  const { cpuShares: shares, cpuQuotaUs, cpuPeriodUs, memoryBytes } = limits;
  if (version === 2) {
    return [
      ['cpu.weight', String(cpuWeight(shares))],
      ['cpu.max', `${cpuQuotaUs > 0 ? cpuQuotaUs : 'max'} ${cpuPeriodUs}`],
      ['memory.max', memoryBytes > 0 ? String(memoryBytes) : 'max'],
    ];
  }
  if (controller.split(',').includes('memory'))
    return memoryBytes > 0 ? [['memory.limit_in_bytes', String(memoryBytes)]] : [];
  if (!controller.split(',').includes('cpu')) return [];
  const quota: [string, string][] = [
    ['cpu.cfs_period_us', String(cpuPeriodUs)],
    ['cpu.cfs_quota_us', String(cpuQuotaUs)],
  ];
  return [['cpu.shares', String(shares)], ...(cpuQuotaUs > 0 ? quota : [])];
}

function pidsFiles({ version, controller }: Hierarchy, limit: number): [string, string][] {
  if (limit <= 0 || (version === 1 && controller !== 'pids')) return [];
  return [['pids.max', String(limit)]];
}

/** `max`, and v1's -1, are more than any number. */
function isMore(wanted: string, now: string): boolean {
  const [a, b] = [wanted, now].map((text) => {
    const first = text.split(' ')[0] ?? '';
    return first === 'max' || first.startsWith('-') ? Number.POSITIVE_INFINITY : Number(first);
  }) as [number, number];
  return a > b;
}

/** Shares (2 … 262,144) on the scale of v2's weights (1 … 10,000), as runtimes convert them. */
export function cpuWeight(shares: number): number {
  return Math.floor(1 + ((Math.max(cpuShares(0), shares) - 2) * 9999) / 262_142);
}
