// Debian packages: installed for the whole machine as root, or unpacked for this clone alone from a newer suite of the
// distribution than the machine runs. The second way touches nothing of the system: apt gets lists, sources and cache
// of its own, with the system's mirror and keys.

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { CACHE, findCommand } from './needs.ts';

/** Thrown where apt or dpkg failed; the message is one sentence with their last words. */
export class AptError extends Error {}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

export function hasApt(): boolean {
  return findCommand('apt-get') !== undefined && findCommand('dpkg') !== undefined;
}

/** Installs packages for the machine. Needs root. Refreshes the package lists only where they know too little. */
export function installPackages(packages: readonly string[]): void {
  const install = ['-o', 'DPkg::Lock::Timeout=300', '-y', '--no-install-recommends', 'install', ...packages];
  try {
    run('apt-get', install);
  } catch {
    run('apt-get', ['update']);
    run('apt-get', install);
  }
}

/**
 * Unpacks one package, at least of version `versionMin` ('3.5'), into `folder`: from the machine's own suites where
 * they have it, else from Debian's suite `suite`. Needs no root.
 */
export function unpackPackage(name: string, versionMin: string, suite: string, folder: string): void {
  // What dpkg has installed is no archive: without its status, apt offers only what it can download.
  mkdirSync(CACHE, { recursive: true });
  const nothing = join(CACHE, 'dpkg-status');
  writeFileSync(nothing, '');
  const installed = ['-o', `Dir::State::status=${nothing}`];
  const own = isCandidate(name, versionMin, installed);
  const options = own ? installed : [...installed, ...privateState(suite)];
  if (!own) run('apt-get', [...options, 'update']);
  if (!own && !isCandidate(name, versionMin, options)) {
    throw new AptError(`neither this system nor Debian ${suite} has ${name} ${versionMin} or later.`);
  }
  const work = mkdtempSync(join(CACHE, `${name}-`));
  try {
    run('apt-get', [...options, '-o', 'APT::Sandbox::User=root', 'download', name], work);
    const [archive] = readdirSync(work);
    if (archive === undefined) throw new AptError(`apt-get downloaded no ${name}.`);
    run('dpkg', ['-x', archive, 'root'], work);
    rmSync(folder, { recursive: true, force: true });
    renameSync(join(work, 'root'), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function isCandidate(name: string, versionMin: string, options: readonly string[]): boolean {
  const policy = run('apt-cache', [...options, 'policy', name]);
  const version = /Candidate: (?:\d+:)?([\d.]+)/.exec(policy)?.[1];
  return version !== undefined && isVersionAtLeast(version, versionMin);
}

/** Compares versions of numbers and dots: `3.10.1` is at least `3.9`. */
export function isVersionAtLeast(version: string, min: string): boolean {
  const [have, want] = [version, min].map((text) => text.split('.').map(Number)) as [number[], number[]];
  for (const [index, wanted] of want.entries()) {
    const number = have[index] ?? 0;
    if (number !== wanted) return number > wanted;
  }
  return true;
}

/** Options that give apt a state of its own, in which `suite` of the machine's Debian mirror is the only source. */
function privateState(suite: string): string[] {
  const root = join(CACHE, 'apt');
  for (const folder of ['lists/partial', 'cache/archives/partial', 'parts']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(join(root, 'sources.list'), `deb [signed-by=${KEYRING}] ${debianMirror()} ${suite} main\n`);
  const settings = {
    'Dir::Etc::SourceList': join(root, 'sources.list'),
    'Dir::Etc::SourceParts': join(root, 'parts'),
    'Dir::State::Lists': join(root, 'lists'),
    'Dir::Cache': join(root, 'cache'),
    'Acquire::Languages': 'none',
    'APT::Sandbox::User': 'root',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** The Debian archive that this machine's own sources name. */
function debianMirror(): string {
  const format = ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'];
  const mirror = run('apt-get', format)
    .split('\n')
    .find((uri) => /\/debian\/?$/.test(uri));
  if (mirror === undefined) {
    const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'this system';
    throw new AptError(`${system} has no Debian archive among its sources.`);
  }
  return mirror;
}

function run(command: string, args: readonly string[], cwd?: string): string {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const quiet = command === 'apt-get' ? ['-qq'] : [];
  const result = spawnSync(command, [...quiet, ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 26,
  });
  if (result.error !== undefined) throw new AptError(`${command} did not start: ${result.error.message}.`);
  if (result.status === 0) return result.stdout;
  const words = result.stderr.trim().split('\n').at(-1) ?? `exit code ${result.status}`;
  throw new AptError(`${command} failed (${words})`);
}
