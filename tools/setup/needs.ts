// What a node and its tests need from the machine, how to see whether it is there, and which Debian package brings it.

import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';

/** One thing the machine must have. `package` is Debian's and Ubuntu's name for what brings it. */
export type Need = {
  readonly name: string;
  readonly package: string;
  readonly why: string;
  /** A node runs without it, but not as well. */
  readonly optional?: true;
  readonly isPresent: () => boolean;
};

/** The ignored folder that holds what was installed for this clone alone. */
export const CACHE = join(import.meta.dirname, '../../.cache');

/** System folders that an ordinary user's PATH leaves out. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** The path of a command in `folders` (by default PATH and the system's folders), or undefined. */
export function findCommand(name: string, folders: readonly string[] = searchPath()): string | undefined {
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

function searchPath(): string[] {
  const own = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...own, ...SYSTEM_FOLDERS.filter((folder) => !own.includes(folder))];
}

function command(name: string, debianPackage: string, why: string): Need {
  return { name, package: debianPackage, why, isPresent: () => findCommand(name) !== undefined };
}

function file(name: string, debianPackage: string, why: string, paths: readonly string[]): Need {
  return { name, package: debianPackage, why, isPresent: () => paths.some((path) => existsSync(path)) };
}

const LIBRARIES = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/lib64',
  '/usr/lib',
  '/lib',
];

/** What a node needs to run pods. Root and Linux are conditions of their own: nothing installs them. */
export const NODE_NEEDS: readonly Need[] = [
  command('containerd', 'containerd', 'runs containers'),
  command('runc', 'runc', "starts a container's processes"),
  file('CNI plugins', 'containernetworking-plugins', 'connect pods to the network', [
    '/usr/lib/cni/bridge',
    '/opt/cni/bin/bridge',
    '/usr/libexec/cni/bridge',
  ]),
  command('nft', 'nftables', 'programs Services'),
  command('ip', 'iproute2', 'makes links and routes'),
  { ...command('conntrack', 'conntrack', 'ends flows of UDP to pods that have gone'), optional: true },
  file(
    'libatomic.so.1',
    'libatomic1',
    'is what Node from npm links to',
    LIBRARIES.map((folder) => join(folder, 'libatomic.so.1')),
  ),
];

/** What some tests need beside a node's. */
export const TEST_NEEDS: readonly Need[] = [
  file('python3-kubernetes', 'python3-kubernetes', 'is the client of an example', [
    '/usr/lib/python3/dist-packages/kubernetes',
  ]),
];
