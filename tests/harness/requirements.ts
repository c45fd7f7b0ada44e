import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { CACHE, findCommand } from '../../tools/setup/needs.ts';
import { unpackPackages } from './debian.ts';

/**
 * What tests need of the machine: a test names its requirements and is skipped, with the reason in its line, where one is
 * missing; under `CI=true` that is a failure. `npm run setup` brings what can be brought.
 */
export type Requirement = 'linux' | 'root' | 'containerd' | 'images' | 'nft' | 'kubectl' | 'etcd';

/** containerd 2 for tests beside the machine's own: the first suite that has it. */
const CONTAINERD_2 = { suite: 'sid', package: 'containerd', folder: join(CACHE, 'debian/sid+containerd/usr/bin') };

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The first candidate that is there, runs, and is of at least that version. */
function atLeast(
  candidates: readonly (string | undefined)[],
  args: readonly string[],
  [major, minor]: readonly [number, number],
): string | undefined {
  return candidates.find((path) => {
    if (path === undefined || !executable(path)) return false;
    const found = /v?(\d+)\.(\d+)\.\d+/.exec(spawnSync(path, args, { encoding: 'utf8', timeout: 10_000 }).stdout ?? '');
    if (found === null) return false;
    const [haveMajor, haveMinor] = [Number(found[1]), Number(found[2])];
    return haveMajor > major || (haveMajor === major && haveMinor >= minor);
  });
}

/** An etcd of version 3.5 or newer: `TUTTI_ETCD`, what set-up unpacked, or PATH. */
export const findEtcd = (): string | undefined =>
  atLeast([process.env.TUTTI_ETCD, join(CACHE, 'etcd/usr/bin/etcd'), findCommand('etcd')], ['--version'], [3, 5]);

/** A kubectl of version 1.31 or newer: `TUTTI_KUBECTL`, what set-up unpacked, or PATH. */
export const findKubectl = (): string | undefined =>
  atLeast(
    [process.env.TUTTI_KUBECTL, join(CACHE, 'kubectl/usr/bin/kubectl'), findCommand('kubectl')],
    ['version', '--client'],
    [1, 31],
  );

/** The folder with `containerd`, its shim and `ctr`: `TUTTI_CONTAINERD` (a folder), or where PATH has them. */
export function findContainerd(): string | undefined {
  const inPath = findCommand('containerd');
  return [process.env.TUTTI_CONTAINERD, inPath === undefined ? undefined : dirname(inPath)].find(
    (folder) =>
      folder !== undefined &&
      ['containerd', 'containerd-shim-runc-v2', 'ctr'].every((name) => executable(join(folder, name))),
  );
}

/** Unpacks containerd 2 into `.cache` unless it is there; returns the folder of its programs. */
export async function fetchContainerd2(): Promise<string> {
  await unpackPackages([CONTAINERD_2.package], { suite: CONTAINERD_2.suite });
  return CONTAINERD_2.folder;
}

/** The folder that `fetchContainerd2` made, where its programs run on this machine. */
export const findContainerd2 = (): string | undefined =>
  atLeast([join(CONTAINERD_2.folder, 'containerd')], ['--version'], [2, 0]) && CONTAINERD_2.folder;

/** The folder with CNI's plugins. */
export const findCniPlugins = (): string | undefined =>
  ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'].find((folder) => existsSync(join(folder, 'bridge')));

/** Whether this process has a capability, by its bit (linux/capability.h). */
export function hasCapability(bit: number): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n;
}

const SETUP = 'npm run setup gets it';

/** Each answers undefined where the machine has it, else what is wrong and what helps. */
const probes: Readonly<Record<Requirement, () => string | undefined>> = {
  linux: () => (process.platform === 'linux' ? undefined : `this is ${process.platform}`),
  root: () => {
    if (process.platform !== 'linux') return `namespaces are Linux's, this is ${process.platform}`;
    if (process.getuid?.() !== 0) return 'not root';
    const argv = ['--net', '--mount', '--uts', findCommand('ip') ?? 'ip', 'link', 'set', 'lo', 'up'];
    const made = spawnSync('unshare', argv, { encoding: 'utf8', timeout: 10_000 });
    return made.status === 0 ? undefined : `cannot make namespaces: ${made.error?.message ?? made.stderr.trim()}`;
  },
  containerd: () => {
    if (findContainerd() === undefined) return `no containerd in PATH (${SETUP})`;
    if (findCommand('runc') === undefined) return `no runc in PATH (${SETUP})`;
    if (findCniPlugins() === undefined) return `no CNI plugins (${SETUP})`;
    return undefined;
  },
  images: () => {
    const missing = ['dpkg-deb', 'apt-get'].filter((one) => findCommand(one) === undefined);
    return missing.length === 0 ? undefined : `test images are made of Debian packages: no ${missing.join(', ')} here`;
  },
  nft: () => {
    const nft = findCommand('nft');
    if (nft === undefined) return `no nft in PATH (${SETUP})`;
    const made = spawnSync('unshare', ['--net', nft, 'add table inet probe'], { encoding: 'utf8', timeout: 10_000 });
    return made.status === 0 ? undefined : `nftables does not work here: ${made.stderr.trim().split('\n')[0]}`;
  },
  kubectl: () =>
    findKubectl() === undefined ? `no kubectl of 1.31 or newer (${SETUP}; TUTTI_KUBECTL names one)` : undefined,
  etcd: () => (findEtcd() === undefined ? `no etcd of 3.5 or newer (${SETUP}; TUTTI_ETCD names one)` : undefined),
};

/** What is missing of `names`, one sentence each. */
export function missingRequirements(...names: readonly Requirement[]): string[] {
  const missing: string[] = [];
  for (const name of names) {
    const reason = probes[name]();
    if (reason !== undefined) missing.push(`needs ${name}: ${reason}`);
  }
  return missing;
}

/**
 * Options for a test or a suite that needs those things:
 *
 *     describe('kube-proxy', requires('root', 'nft'), () => { … })
 *
 * Where one is missing the suite is skipped and says why. Under `CI=true` a test that fails is registered beside it.
 */
export function requires(...names: readonly Requirement[]): { skip?: string } {
  const missing = missingRequirements(...names);
  if (missing.length === 0) return {};
  const reason = missing.join('; ');
  if (process.env.CI === 'true') {
    test(`CI must have: ${names.join(', ')}`, () => {
      throw new Error(`a skip is a failure under CI=true: ${reason}`);
    });
  }
  return { skip: reason };
}
