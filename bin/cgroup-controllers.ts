import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Without these no limit of a pod holds, and runtimes may refuse every container. */
const NEEDED = ['cpu', 'memory', 'pids'] as const;

/**
 * Why the cgroups at `root` are not enough for pods, as the end of "Real containers need …"; undefined where they are.
 * Version 2 has one tree whose `cgroup.controllers` names them; version 1 a tree for each, or for several (`cpu,cpuacct`).
 */
export function whyNoCgroups(root = '/sys/fs/cgroup'): string | undefined {
  if (!existsSync(root) || readdirSync(root).length === 0) return `cgroups, and nothing is mounted at ${root}`;
  const unified = `${root}/cgroup.controllers`;
  const second = existsSync(unified);
  const there = second
    ? readFileSync(unified, 'utf8').trim().split(/\s+/)
    : readdirSync(root)
        .filter((name) => existsSync(`${root}/${name}/cgroup.procs`))
        .flatMap((name) => name.split(','));
  const missing = NEEDED.filter((name) => !there.includes(name));
  if (missing.length === 0) return undefined;
  const what = `the cgroup ${missing.length === 1 ? 'controller' : 'controllers'} ${missing.join(' and ')}`;
  const cause = second
    ? `which ${unified} does not name`
    : `which ${missing.length === 1 ? 'is' : 'are'} not mounted below ${root}`;
  const cure = missing.includes('memory')
    ? 'boot the kernel with cgroup_enable=memory'
    : 'look for cgroup_disable among the words that the kernel was booted with';
  return `${what}, ${cause} (${cure}${second ? '' : ', or mount what is missing'})`;
}
