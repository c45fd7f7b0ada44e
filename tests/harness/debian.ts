import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CACHE } from '../../tools/setup/needs.ts';
import { run } from './process.ts';

/**
 * Programs from Debian packages that are unpacked, never installed: parts of test images, and programs of a newer Debian
 * than the machine's. Nothing of the machine's package state is read or changed beyond its list of sources.
 */
export const cacheFolder = CACHE;

export interface PackageOptions {
  /** A Debian suite such as `trixie`; default: whatever the machine itself installs from. */
  readonly suite?: string;
  /** With everything they depend on, as for an empty machine; default false. */
  readonly closure?: boolean;
}

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** The archive the machine gets Debian from, so that a mirror that somebody configured is used here too. */
async function debianArchive(): Promise<string> {
  const format = ['indextargets', '--format', '$(ORIGIN) $(REPO_URI)', 'Created-By: Packages'];
  const { stdout } = await run(['apt-get', ...format], { check: false });
  for (const line of stdout.split('\n')) {
    const [origin, uri] = line.split(' ');
    if (origin === 'Debian' && uri !== undefined && !uri.includes('security')) return uri;
  }
  for (const file of ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list']) {
    const uri = existsSync(file) ? /https?:\/\/\S+\/debian\b/.exec(readFileSync(file, 'utf8'))?.[0] : undefined;
    if (uri !== undefined) return uri;
  }
  throw new Error('this machine has no source of Debian packages');
}

/** Options that give apt package lists of our own, in `folder`; `status` empty makes it believe nothing is installed. */
async function aptOptions(folder: string, options: PackageOptions): Promise<string[]> {
  mkdirSync(join(folder, 'lists/partial'), { recursive: true });
  mkdirSync(join(folder, 'archives/partial'), { recursive: true });
  const settings = [
    `Dir::State::Lists=${folder}/lists`,
    `Dir::Cache=${folder}`,
    'APT::Install-Recommends=false',
    'APT::Sandbox::User=root',
  ];
  if (options.suite !== undefined) {
    const signed = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : '';
    writeFileSync(join(folder, 'sources.list'), `deb ${signed}${await debianArchive()} ${options.suite} main\n`);
    settings.push(`Dir::Etc::SourceList=${folder}/sources.list`, 'Dir::Etc::SourceParts=-');
  }
  if (options.closure === true) {
    writeFileSync(join(folder, 'status'), '');
    settings.push(`Dir::State::Status=${folder}/status`, 'APT::Install-Essential=false', 'Debug::NoLocking=1');
  }
  return settings.flatMap((one) => ['-o', one]);
}

/** Downloads packages; returns the paths of the `.deb` files, in `into`. */
async function download(names: readonly string[], into: string, options: PackageOptions): Promise<string[]> {
  const own = join(cacheFolder, 'apt', options.suite ?? 'own');
  const settings = await aptOptions(own, options);
  const wanted = names.map((name) => (options.suite === undefined ? name : `${name}/${options.suite}`));
  const command =
    options.closure === true
      ? [...settings, '-o', `Dir::Cache::Archives=${into}`, '--yes', '--download-only', 'install', ...wanted]
      : [...settings, 'download', ...wanted];
  mkdirSync(join(into, 'partial'), { recursive: true });
  // One at a time: test files run side by side, and apt refuses to share its lists.
  const apt = ['flock', join(own, 'lock'), 'apt-get', '-qq'];
  const attempt = () => run([...apt, ...command], { cwd: into, timeoutMs: 300_000 });
  const update = () => run([...apt, ...settings, 'update'], { timeoutMs: 300_000 });
  if (readdirSync(join(own, 'lists')).length < 3) await update();
  try {
    await attempt();
  } catch {
    // The lists can be older than the archive.
    await update();
    await attempt();
  }
  return readdirSync(into)
    .filter((name) => name.endsWith('.deb'))
    .sort()
    .map((name) => join(into, name));
}

/**
 * Unpacks packages into one folder below `.cache/debian` and returns it. The folder's name says what is in it: it is made
 * once and whole, by whichever process comes first. Rejects without apt, dpkg or a source of packages.
 */
export async function unpackPackages(names: readonly string[], options: PackageOptions = {}): Promise<string> {
  const kind = [options.suite ?? 'own', ...(options.closure === true ? ['closure'] : []), ...[...names].sort()].join(
    '+',
  );
  const folder = join(cacheFolder, 'debian', kind);
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(join(dirname(folder), '.making-'));
  try {
    const packages = await download(names, join(work, 'packages'), options);
    for (const file of packages) await run(['dpkg-deb', '--extract', file, join(work, 'files')]);
    try {
      renameSync(join(work, 'files'), folder);
    } catch (error) {
      if (!existsSync(folder)) throw error;
    }
    return folder;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
