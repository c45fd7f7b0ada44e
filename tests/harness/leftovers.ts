import {
  appendFileSync,
  type Dirent,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { delay, startTicks } from './process.ts';

/**
 * What a run of the harness leaves on the machine, and how it is found and removed.
 *
 * Every run has a name, `<pid>-<start ticks>-<random>`, which says whose it is even after the process was killed. The
 * name is in three places: the environment of every process the run starts (containerd hands it on to its shims), the
 * run's folder, and its cgroups. Namespaces and mounts have no names: they live exactly as long as processes in them.
 *
 * Containers do not inherit the environment, so a run's processes are: those that carry the name, those in the same
 * network or mount namespaces or in a network namespace pinned there, those in the run's cgroups, and all descendants.
 *
 * Run as a program (`node leftovers.ts NAME`) this removes one run: that is the warden, which waits beside each run.
 */
export const MARK = 'TUTTI_HARNESS';
export const PREFIX = 'tutti-harness-';

/** Where runs keep their folders. Not on tmpfs by default, so that fsync costs what it costs users. */
export const runsFolder = (): string => process.env.TUTTI_HARNESS_DIR ?? tmpdir();

export const folderOf = (run: string): string => join(runsFolder(), PREFIX + run);

/** As runc and the kubelet name a cgroup: from the root of every hierarchy. */
export const cgroupOf = (run: string): string => `/${PREFIX}${run}`;

export function ownerAlive(run: string): boolean {
  const [pid, ticks] = run.split('-');
  return startTicks(Number(pid)) === ticks;
}

/** The folders at which cgroup hierarchies are mounted: one with version 2, one per controller with version 1. */
export function cgroupRoots(): { path: string; version: 1 | 2 }[] {
  const roots: { path: string; version: 1 | 2 }[] = [];
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before, after] = line.split(' - ');
    const type = after?.split(' ')[0];
    const path = before?.split(' ')[4];
    if (path === undefined || (type !== 'cgroup' && type !== 'cgroup2')) continue;
    if (path.startsWith('/sys/fs/cgroup') && !roots.some((root) => root.path === path)) {
      roots.push({ path, version: type === 'cgroup' ? 1 : 2 });
    }
  }
  return roots;
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly mark: string | undefined;
  readonly mountNamespace: string;
  readonly networkNamespace: string;
  readonly pidNamespace: string;
  readonly cgroups: string;
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function readProcess(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') return undefined;
    const environment = readFileSync(`/proc/${pid}/environ`, 'latin1');
    return {
      pid,
      parent: Number(parent),
      mark: new RegExp(`(?:^|\0)${MARK}=([^\0]*)`).exec(environment)?.[1],
      mountNamespace: link(`/proc/${pid}/ns/mnt`),
      networkNamespace: link(`/proc/${pid}/ns/net`),
      pidNamespace: link(`/proc/${pid}/ns/pid`),
      cgroups: readFileSync(`/proc/${pid}/cgroup`, 'latin1'),
    };
  } catch {
    return undefined; // it ended meanwhile, or it is not ours to look at
  }
}

function allProcesses(): Process[] {
  const processes: Process[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const found = readProcess(pid);
    if (found !== undefined) processes.push(found);
  }
  return processes;
}

/** Network namespaces that CNI pinned below /run/netns inside a mount namespace, seen through one of its processes. */
function pinnedNamespaces(pid: number): string[] {
  const folder = `/proc/${pid}/root/run/netns`;
  try {
    return readdirSync(folder).map((name) => `net:[${statSync(join(folder, name)).ino}]`);
  } catch {
    return [];
  }
}

function processesOf(run: string, all: readonly Process[]): Process[] {
  const machine = all.filter((one) => one.pid === process.pid || one.pid === 1);
  const foreign = new Set(['', ...machine.flatMap((one) => [one.mountNamespace, one.networkNamespace])]);
  const mounts = new Map<string, number>();
  const networks = new Set<string>();
  const found = new Set<Process>();
  const cgroup = `${cgroupOf(run)}/`;
  for (const one of all) {
    if (one.mark !== run) continue;
    found.add(one);
    if (!foreign.has(one.mountNamespace)) mounts.set(one.mountNamespace, one.pid);
    if (!foreign.has(one.networkNamespace)) networks.add(one.networkNamespace);
  }
  for (const pid of mounts.values()) {
    for (const name of pinnedNamespaces(pid)) if (!foreign.has(name)) networks.add(name);
  }
  for (const one of all) {
    const inside = mounts.has(one.mountNamespace) || networks.has(one.networkNamespace);
    const counted = one.cgroups.split('\n').some((line) => `${line}/`.includes(`:${cgroup}`));
    if (inside || counted) found.add(one);
  }
  for (let grown = true; grown; ) {
    grown = false;
    const pids = new Set([...found].map((one) => one.pid));
    for (const one of all) {
      if (!found.has(one) && pids.has(one.parent)) {
        found.add(one);
        grown = true;
      }
    }
  }
  return [...found].filter((one) => one.pid !== process.pid && one.pid !== 1);
}

/** The pids of a run's processes, containers included. */
export const pidsOf = (run: string): number[] => processesOf(run, allProcesses()).map((one) => one.pid);

/** Where it is noted which cgroups a run's containers had, as lines of /proc/PID/cgroup: some are outside of its own. */
const cgroupNotes = (run: string): string => join(folderOf(run), 'cgroups');

/** Ends those processes of a run for which `which` (default: all) holds, and waits until they are gone. */
export async function killProcesses(run: string, which: (pid: number) => boolean = () => true): Promise<void> {
  const ownPidNamespace = link('/proc/self/ns/pid');
  const end = Date.now() + 10_000;
  for (;;) {
    const targets = processesOf(run, allProcesses()).filter((one) => which(one.pid));
    if (targets.length === 0) return;
    if (Date.now() > end) throw new Error(`processes of ${run} do not end: ${targets.map((one) => one.pid).join(' ')}`);
    const containers = targets.filter((one) => one.pidNamespace !== ownPidNamespace);
    if (existsSync(folderOf(run))) appendFileSync(cgroupNotes(run), containers.map((one) => one.cgroups).join(''));
    for (const one of targets) {
      try {
        process.kill(one.pid, 'SIGKILL');
      } catch {
        // gone between the look and the signal
      }
    }
    await delay(5);
  }
}

function removeCgroupTree(path: string): boolean {
  let entries: Dirent[];
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch {
    return true;
  }
  let gone = true;
  for (const entry of entries) if (entry.isDirectory()) gone = removeCgroupTree(join(path, entry.name)) && gone;
  try {
    rmdirSync(path);
  } catch (error) {
    gone = (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
  return gone;
}

/** Removes the cgroups of a run, and those that its containers had elsewhere, as when nobody said where. */
async function removeCgroups(run: string): Promise<void> {
  const notes = existsSync(cgroupNotes(run)) ? readFileSync(cgroupNotes(run), 'utf8') : '';
  const roots = cgroupRoots();
  const end = Date.now() + 5_000;
  // The kernel counts a process out of its cgroup a moment after it is gone.
  for (;;) {
    const left = roots.filter((root) => !removeCgroupTree(join(root.path, cgroupOf(run))));
    if (left.length === 0) break;
    if (Date.now() > end) throw new Error(`cgroups of ${run} stay: ${left.map((root) => root.path).join(' ')}`);
    await delay(10);
  }
  for (const line of new Set(notes.split('\n'))) {
    const path = line.split(':').slice(2).join(':');
    if (path.length <= 1 || path.startsWith(cgroupOf(run))) continue;
    for (const root of roots) {
      const folder = join(root.path, path);
      // Only this folder and the one around it, and only when nothing is in them.
      if (existsSync(folder) && removeCgroupTree(folder) && path.split('/').length > 2) {
        try {
          rmdirSync(join(folder, '..'));
        } catch {
          // others are in it
        }
      }
    }
  }
}

/** Makes `path` (as from `cgroupOf`) in every hierarchy, usable: version 1 starts a cpuset without any cpu. */
export function makeCgroups(path: string): void {
  for (const root of cgroupRoots()) {
    let folder = root.path;
    for (const part of path.split('/').filter((one) => one !== '')) {
      const parent = folder;
      folder = join(folder, part);
      mkdirSync(folder, { recursive: true });
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        if (root.version !== 1 || !existsSync(join(folder, file))) continue;
        if (readFileSync(join(folder, file), 'utf8').trim() !== '') continue;
        writeFileSync(join(folder, file), readFileSync(join(parent, file)));
      }
    }
  }
}

/** Removes everything of a run: processes, namespaces with them, cgroups, folder. Nothing there: fine. */
export async function removeRun(run: string): Promise<void> {
  await killProcesses(run);
  await removeCgroups(run);
  await rm(folderOf(run), { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
}

/** The names of this user's runs of which anything is left and whose owner is gone. */
export function findLeftovers(): string[] {
  const runs = new Set<string>();
  const user = process.getuid?.() ?? -1;
  for (const folder of [runsFolder(), ...cgroupRoots().map((root) => root.path)]) {
    for (const name of existsSync(folder) ? readdirSync(folder) : []) {
      if (!name.startsWith(PREFIX)) continue;
      const owner = statSync(join(folder, name), { throwIfNoEntry: false })?.uid;
      if (user === 0 || owner === user) runs.add(name.slice(PREFIX.length));
    }
  }
  for (const one of allProcesses()) if (one.mark !== undefined) runs.add(one.mark);
  return [...runs].filter((run) => /^\d+-\d+-\w+$/.test(run) && !ownerAlive(run));
}

/** Removes what killed runs left. Returns their names. */
export async function removeLeftovers(): Promise<string[]> {
  const runs = findLeftovers();
  for (const run of runs) await removeRun(run);
  return runs;
}

if (import.meta.main) await removeRun(process.argv[2]!);
