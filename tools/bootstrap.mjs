// Runs one of this clone's TypeScript programs on a Node that can run it, with the dependencies that the lockfile
// names, whatever the machine starts out with:
//
//   node tools/bootstrap.mjs tools/test.ts libs/kind
//
// 1. Node: the one that runs this file where it is ≥ 24; else the pinned one of tools/runtime/package.json, installed
//    from npm into .cache/ the first time. It is not a dependency of the package: it weighs 211 MB, exists for Linux
//    only, and a published package must not bring a second `node` into its user's PATH.
// 2. Dependencies: `npm ci` where node_modules is not what package-lock.json says.
// 3. The words of `kubectl explain`, made from a dependency, where they are not there yet.
// 4. The program, with Node's compile cache on and this clone's modules found faster (source-modules.mjs). It is an entry point: it runs when it is imported.
//
// This file is written for Node 18 and later and uses no dependency: it must work before anything is installed. When
// all is in place it costs one comparison of two lockfiles (about 2 ms) and, on an old Node, the start of the newer.

import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const NODE_MAJOR_MIN = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cache = join(root, '.cache');
const sourceModules = new URL('./source-modules.mjs', import.meta.url).href;
const GENERATOR = 'tools/generate.ts';
const DESCRIPTIONS = 'api/schema/descriptions.generated.json';

/** A condition that the person at the keyboard can mend: printed as its one sentence, without a stack. */
class Trouble extends Error {}

function say(text) {
  process.stderr.write(`tutti: ${text}\n`);
}

/** Runs `work` while no other bootstrap of this clone does; a lock whose owner has died is taken over. */
function exclusively(work) {
  mkdirSync(cache, { recursive: true });
  const lock = join(cache, 'bootstrap.lock');
  const own = `${lock}.${process.pid}`;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  writeFileSync(own, String(process.pid));
  try {
    for (let told = false; !tryLink(own, lock); told = true) {
      const owner = lockOwner(lock);
      if (owner !== undefined && !isAlive(owner)) {
        removeLockOf(owner, lock, own);
      } else {
        if (!told) say('waiting for another set-up of this clone to end');
        Atomics.wait(pause, 0, 0, 200);
      }
    }
  } finally {
    rmSync(own, { force: true });
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Makes `to` a name of the file `from`, unless there is one: nobody ever sees a lock without its owner's number. */
function tryLink(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    return false;
  }
}

/** Removes a dead owner's lock. Another process may have done so just now and hold it: then that one is put back. */
function removeLockOf(owner, lock, own) {
  const aside = `${own}.aside`;
  try {
    renameSync(lock, aside);
  } catch {
    return; // gone already
  }
  if (lockOwner(aside) !== owner) tryLink(aside, lock);
  rmSync(aside, { force: true });
}

function lockOwner(lock) {
  try {
    return Number(readFileSync(lock, 'utf8'));
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Runs npm under `node` in `folder`. npm's chatter is shown only if it fails. */
function npm(node, folder, args) {
  const cli = process.env.npm_execpath;
  const env = environmentFor(node);
  const options = { cwd: folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 26 };
  const run =
    cli !== undefined && basename(cli) === 'npm-cli.js' && existsSync(cli)
      ? spawnSync(node, [cli, ...args], options)
      : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
  if (run.error?.code === 'ENOENT') throw new Trouble('npm was not found: install it with Node (https://nodejs.org).');
  if (run.error) throw run.error;
  if (run.status === 0) return;
  process.stderr.write(run.stderr.trimEnd() + '\n');
  throw new Trouble(
    `"npm ${args[0]}" failed in ${folder}: its own words are above; is the package registry reachable?`,
  );
}

/** The environment in which children find `node` first. */
function environmentFor(node) {
  if (node === process.execPath) return process.env;
  return { ...process.env, PATH: dirname(node) + delimiter + (process.env.PATH ?? '') };
}

/** The path of a Node that can run the sources. */
function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_MIN) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  const pins = JSON.parse(readFileSync(join(root, 'tools/runtime/package.json'), 'utf8')).optionalDependencies;
  const version = Object.hasOwn(pins, name) ? pins[name] : undefined;
  if (version === undefined) {
    throw new Trouble(
      `Node ${process.versions.node} is too old, and there is no ${name} to bring a newer one: ` +
        `install Node ${NODE_MAJOR_MIN} or later (https://nodejs.org) and run this again.`,
    );
  }
  const home = join(cache, `${name}-${version}`);
  const node = join(home, 'node_modules', name, 'bin/node');
  requireLibatomic();
  if (!existsSync(node)) exclusively(() => existsSync(node) || installNode({ name, version, home, node }));
  return node;
}

function installNode({ name, version, home, node }) {
  say(`Node ${process.versions.node} is too old: bringing Node ${version} from npm into ${home} (once)`);
  const partial = `${home}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) {
    copyFileSync(join(root, 'tools/runtime', file), join(partial, file));
  }
  npm(process.execPath, partial, [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--loglevel=error',
  ]);
  const folder = join(partial, 'node_modules', name);
  // It is one of several that are optional, each for another system: npm calls it a success when it cannot be fetched.
  if (!existsSync(folder)) {
    throw new Trouble(
      `npm could not fetch Node ${version}: is the package registry reachable? ` +
        `Or install Node ${NODE_MAJOR_MIN} or later (https://nodejs.org) and run this again.`,
    );
  }
  for (const entry of readdirSync(folder)) {
    // Headers, manual and change log: 90 MB that nothing here reads.
    if (!['bin', 'LICENSE', 'package.json'].includes(entry)) rmSync(join(folder, entry), { recursive: true });
  }
  chmodSync(join(folder, 'bin/node'), 0o755);
  const probe = spawnSync(join(folder, 'bin/node'), ['--version'], { encoding: 'utf8' });
  if (probe.status !== 0) {
    const cause = (probe.stderr || probe.error?.message || `exit ${probe.status ?? probe.signal}`)
      .trim()
      .split('\n')[0];
    throw new Trouble(
      `Node ${version} from npm does not run here (${cause}): install Node ${NODE_MAJOR_MIN} or later.`,
    );
  }
  rmSync(home, { recursive: true, force: true });
  renameSync(partial, home);
  if (!existsSync(node)) throw new Trouble(`${node} is missing after its installation.`);
}

/** The npm builds of Node link to libatomic, which small systems leave out; their loader's complaint is obscure. */
function requireLibatomic() {
  if (process.platform !== 'linux' || hasLibatomic()) return;
  const missing = `Node ${NODE_MAJOR_MIN}+ from npm needs libatomic.so.1`;
  const advice = `${missing}: install the package libatomic1 (Debian, Ubuntu) or libatomic (Fedora), then run this again.`;
  const isRoot = process.getuid?.() === 0;
  if (!isRoot || spawnSync('apt-get', ['--version']).status !== 0) throw new Trouble(advice);
  say(`${missing}: installing the Debian package libatomic1`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) => spawnSync('apt-get', ['-qq', '-y', ...args], { env, stdio: 'ignore' });
  const install = ['--no-install-recommends', 'install', 'libatomic1'];
  if (apt(...install).status !== 0 && (apt('update').status !== 0 || apt(...install).status !== 0))
    throw new Trouble(advice);
}

function hasLibatomic() {
  const triplet = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch];
  const folders = [
    '/usr/lib',
    '/lib',
    '/usr/lib64',
    '/lib64',
    '/usr/local/lib',
    `/usr/lib/${triplet}`,
    `/lib/${triplet}`,
  ];
  folders.push(...(process.env.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean));
  if (folders.some((folder) => existsSync(join(folder, 'libatomic.so.1')))) return true;
  const known = spawnSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  return known.status === 0 && known.stdout.includes('libatomic.so.1 ');
}

/** Whether node_modules holds exactly what package-lock.json names, by npm's own record of what it installed. */
function isInstalled() {
  const wanted = lockedPackages('package-lock.json');
  const found = lockedPackages('node_modules/.package-lock.json');
  if (found === undefined) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.link) continue;
    const version = Object.hasOwn(found, path) ? found[path].version : undefined;
    // npm leaves out the optional packages that are made for other systems.
    if (version === undefined ? !entry.optional : version !== entry.version) return false;
  }
  return Object.keys(found).every((path) => Object.hasOwn(wanted, path));
}

function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
  } catch (error) {
    if (file.startsWith('node_modules')) return undefined;
    throw new Trouble(`${file} cannot be read (${error.message}).`);
  }
}

function installDependencies(node) {
  say('installing the dependencies that package-lock.json names (npm ci)');
  const startedMs = Date.now();
  npm(node, root, ['ci', '--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error']);
  say(`dependencies installed in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`);
}

/**
 * Makes the file that the repository leaves out, as its words are those of the published API. A server works without it and
 * explains nothing then: no reason not to start.
 */
function makeDescriptions(node) {
  const options = { cwd: root, env: environmentFor(node), encoding: 'utf8' };
  const { status, stderr } = spawnSync(node, [GENERATOR, '--descriptions'], options);
  if (status === 0) return;
  const why = stderr.split('\n').find((line) => /^\w*Error\b/.test(line)) ?? stderr.trim();
  say(`"kubectl explain" will have no words, as ${GENERATOR} failed: ${why}`);
}

/**
 * Calls `stop` when the shell that npm put between itself and this process has died. On SIGTERM npm ends that shell and
 * itself, and the shell passes nothing on: without this, whoever stops `npm start` leaves a cluster behind.
 */
function whenAbandoned(stop) {
  if (process.platform === 'win32' || process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop();
  }, 500);
  timer.unref();
}

/** Whether this was started to outlive its terminal, as by nohup. */
function ignoresHangup() {
  try {
    const [, mask = '0'] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return (BigInt(`0x${mask}`) & 1n) === 1n;
  } catch {
    return false; // not Linux
  }
}

/** Runs the program under another Node, as if it were this process: signals go in, the exit status comes out. */
function runUnder(node, script, args) {
  const child = spawn(node, ['--import', sourceModules, script, ...args], {
    stdio: 'inherit',
    env: environmentFor(node),
  });
  for (const signal of ['SIGINT', 'SIGTERM', ...(ignoresHangup() ? [] : ['SIGHUP'])]) {
    process.on(signal, () => {
      // A terminal's Ctrl-C reaches the whole foreground group, the child included.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  whenAbandoned(() => child.kill('SIGTERM'));
  child.on('error', (error) => {
    say(`${node} did not start (${error.message}).`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

async function main([program, ...args]) {
  if (program === undefined) throw new Trouble('usage: node tools/bootstrap.mjs <program.ts> [argument ...]');
  const script = resolve(root, program);
  if (!existsSync(script)) throw new Trouble(`${program} is not a program of this clone.`);
  const node = findNode();
  if (!isInstalled()) exclusively(() => isInstalled() || installDependencies(node));
  const isWordless = () => !existsSync(join(root, DESCRIPTIONS)) && existsSync(join(root, GENERATOR));
  if (isWordless()) exclusively(() => isWordless() && makeDescriptions(node));
  process.env.NODE_COMPILE_CACHE ??= join(cache, 'compile');
  if (node !== process.execPath) return runUnder(node, script, args);
  const { enableCompileCache } = await import('node:module');
  enableCompileCache?.(process.env.NODE_COMPILE_CACHE);
  process.argv = [node, script, ...args];
  whenAbandoned(() => process.kill(process.pid, 'SIGTERM'));
  await import(sourceModules);
  await import(pathToFileURL(script).href);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Trouble)) throw error;
  say(error.message);
  process.exitCode = 1;
}
