// `tutti reset`: takes away everything that Tutti made on this machine.

import process from 'node:process';
import { createInterface } from 'node:readline/promises';
import type { Host } from '../../libs/base/host.ts';
import type { Machine } from '../compose/apiserver.ts';
import { clusterNetworks, DEFAULT_POD_CIDR, DEFAULT_SERVICE_CIDR } from '../compose/cluster-network.ts';
import { COMPONENTS } from '../compose/components.ts';
import { DEFAULT_CGROUP_ROOT, endPods } from '../compose/end-pods.ts';
import { endRuntime, removeNode, startRuntime } from '../compose/node.ts';
import { lockDataDir, lockHolder } from '../data-lock.ts';
import { CommandError } from '../errors.ts';
import { type RunRecord, readRunRecord } from '../run-record.ts';
import { say } from '../spoken.ts';
import { removeFromUserKubeconfig } from '../user-kubeconfig.ts';
import { machineOf } from './foreground.ts';
import { dataDirOf, parseOptions } from './options.ts';
import { stopRunning } from './stop.ts';

export const USAGE = `tutti reset: take away everything that Tutti made on this machine, the data too
usage: tutti reset [--data-dir DIR] [--yes]
It ends what runs, then removes containers, mounts, links, routes, rules, cgroups, the context "tutti" of your kubeconfig
and the data folder. Nothing of it can be brought back.
  --data-dir DIR         of what is to go (default: ~/.tutti)
  --keep-data            remove all but the data folder: what a crash has left behind
  --yes                  do not ask
  --help                 print this text
examples:
  tutti reset
  tutti reset --yes --data-dir /srv/tutti
`;

const OPTIONS = {
  'data-dir': { type: 'string' },
  'keep-data': { type: 'boolean' },
  yes: { type: 'boolean', short: 'y' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** What says that a data folder is ours: without one of these it is somebody else's. */
const SIGNS = ['run.json', 'admin.kubeconfig', 'cluster.json', 'containerd/config.toml'] as const;
/** All that we put there. What else lies there was put there by others, and stays. */
const OURS = ['admin.kubeconfig', 'cluster.json', 'containerd', 'kubelet', 'log', 'logs', 'pki', 'store', 'volumes'];

/** Resolves with the exit code. */
export async function reset(args: readonly string[]): Promise<number> {
  const { values } = parseOptions('reset', args, OPTIONS);
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const dataDir = dataDirOf(values['data-dir']);
  const machine = machineOf('warn');
  const { host, clock } = machine;
  if (!(await host.files.statIfExists(dataDir))) {
    process.stdout.write(`There is nothing at ${dataDir}.\n`);
    return 0;
  }
  const signs = await Promise.all(SIGNS.map((name) => host.files.statIfExists(`${dataDir}/${name}`)));
  if (!signs.some((sign) => sign?.kind === 'file')) {
    throw new CommandError(`${dataDir} holds no data of Tutti's, so nothing of it is removed; look at --data-dir.`);
  }
  const running = await lockHolder(host, dataDir);
  if (!values.yes) await confirm(dataDir, running, values['keep-data'] ?? false);
  await stopRunning(host, clock, dataDir);
  {
    await using _lock = await lockDataDir(host, dataDir);
    await removeFromMachine(machine, dataDir);
    if (!values['keep-data']) {
      await removeFromUserKubeconfig(host, `${dataDir}/admin.kubeconfig`);
      // The record last: should this be killed, the next reset still knows what there was.
      for (const name of [...OURS, 'run.json']) await host.files.remove(`${dataDir}/${name}`);
    }
  }
  if (values['keep-data']) {
    process.stdout.write(`Nothing is left but ${dataDir}.\n`);
    return 0;
  }
  const others = await host.files.list(dataDir);
  const isGone = others.length === 0 && (await removeFolder(host, dataDir));
  const kept = others.length === 0 ? 'the folder itself, on which a disk is mounted' : others.join(', ');
  process.stdout.write(
    isGone
      ? `${dataDir} is gone, and all that ran on it.\n`
      : `All that ran on ${dataDir} is gone; what others put there stays: ${kept}.\n`,
  );
  return 0;
}

/** False where it is the root of a disk, which no program may remove. */
async function removeFolder(host: Host, folder: string): Promise<boolean> {
  try {
    await host.files.removeDirectory(folder);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== 'EBUSY') throw error;
    return false;
  }
}

async function confirm(dataDir: string, running: number | undefined, keepData: boolean): Promise<void> {
  if (!process.stdin.isTTY) {
    throw new CommandError('"tutti reset" asks before it removes anything; where nobody can answer, give --yes.', 2);
  }
  const what = `${running === undefined ? '' : `stop process ${running}, `}end all pods${keepData ? '' : `, remove ${dataDir}`}`;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const answer = await lines.question(`This will ${what}. Type "yes" to go on: `);
    if (answer.trim() !== 'yes') throw new CommandError('Nothing was changed.');
  } finally {
    lines.close();
  }
}

/** Ends what a start that was killed, or one with --keep-pods, has left, and takes it out of the kernel. */
async function removeFromMachine(machine: Machine, dataDir: string): Promise<void> {
  const { host } = machine;
  if (host.facts.platform !== 'linux' || process.getuid?.() !== 0) return;
  const record = await readRunRecord(host.files, dataDir);
  const hasRuntime = (await host.files.statIfExists(`${dataDir}/containerd/config.toml`)) !== undefined;
  const { criEndpoint } = record ?? {};
  if (hasRuntime || criEndpoint !== undefined) {
    const runtime = await startRuntime(machine, {
      dataDir,
      mirrors: new Map(),
      ...(criEndpoint !== undefined && { criEndpoint }),
    });
    await endPods(machine, runtime.cri, { forget: true });
    await endRuntime(runtime);
  }
  const { components, networks, cgroupRoot } = record ?? UNRECORDED;
  if (components.some((name) => name === 'kubelet' || name === 'kube-proxy')) {
    await removeNode(machine, { wanted: new Set(components), networks, dataDir, cgroupRoot });
  }
}

/** A start of a version that wrote nothing down. */
const UNRECORDED: Pick<RunRecord, 'components' | 'networks' | 'cgroupRoot'> = {
  components: COMPONENTS,
  networks: clusterNetworks(DEFAULT_POD_CIDR, DEFAULT_SERVICE_CIDR),
  cgroupRoot: DEFAULT_CGROUP_ROOT,
};
