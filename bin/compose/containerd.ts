// Our own containerd: configured, started or taken over, watched, stopped.

import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { connectCri } from '../../node/cri/dial/connect.ts';
import { findCommand } from '../../tools/setup/needs.ts';
import { CommandError } from '../errors.ts';
import { hasCapability } from '../node-machine.ts';
import type { Machine } from './apiserver.ts';
import { containerdToml, registryMirrorToml } from './containerd-config.ts';
import { PAUSE_IMAGE, pauseImageArchive } from './pause-image.ts';
import { forgottenShims, isEmpty, networkNamespacesOf, shimsOf, withoutProcesses } from './shims.ts';

export interface ContainerdSettings {
  /** Its folder; everything of it lies in there. */
  readonly directory: string;
  /** By registry (`docker.io`; `*`: every one): where to ask first. */
  readonly mirrors: ReadonlyMap<string, string>;
  readonly configurationsDirectory?: string;
}

export interface OwnContainerd {
  /** `unix:///…` */
  readonly endpoint: string;
  /** It ran already: an earlier start was killed. */
  readonly adopted: boolean;
  /** Leaves it running, with all its containers, for a later start. */
  release(): void;
  /** Ends the daemon. Containers go on running: end them before. */
  stop(): Promise<void>;
}

const START_MS = 20_000;
const STOP_MS = 3_000;
const LOOK_MS = 5_000;
const RESTART_MS = 1_000;
const SOCKET_PATH_BYTES_MAX = 100;
const CAP_SYS_RESOURCE = 24;
const PLUGIN_FOLDERS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];

/**
 * Starts containerd, or takes over the one that an earlier process of ours left running with the same configuration.
 * Resolves when its CRI answers and the image of sandboxes is there. It survives a `kill -9` of this process; one that
 * ends by itself is started again.
 */
export async function startContainerd(machine: Machine, settings: ContainerdSettings): Promise<OwnContainerd> {
  const daemon = new Daemon(machine, settings);
  await daemon.start();
  return daemon;
}

class Daemon implements OwnContainerd {
  readonly endpoint: string;
  adopted = false;
  readonly #machine: Machine;
  readonly #settings: ContainerdSettings;
  readonly #socket: string;
  #pid = 0;
  #exited: Promise<unknown> | undefined;
  #stopped = new AbortController();
  /** Network namespaces that were there before the containerd that runs now. */
  #inherited: readonly string[] = [];

  constructor(machine: Machine, settings: ContainerdSettings) {
    this.#machine = machine;
    this.#settings = settings;
    this.#socket = `${settings.directory}/containerd.sock`;
    this.endpoint = `unix://${this.#socket}`;
    if (Buffer.byteLength(`${this.#socket}.ttrpc`) > SOCKET_PATH_BYTES_MAX) {
      throw new CommandError(
        `The path ${this.#socket} is too long for a socket; choose a --data-dir with a shorter name.`,
      );
    }
  }

  get #configFile(): string {
    return `${this.#settings.directory}/config.toml`;
  }

  get #state(): string {
    return `${this.#settings.directory}/state`;
  }

  async start(): Promise<void> {
    const { directory } = this.#settings;
    const { files } = this.#machine.host;
    const changed = await this.#configure();
    const running = await this.#leftRunning();
    if (running !== undefined) {
      this.#pid = running;
      if (changed) await this.#end();
      else
        this.adopted = await this.#answers(STOP_MS).then(
          () => true,
          () => false,
        );
      if (this.adopted) await files.write(`${directory}/pid`, String(running));
      else await this.#end();
    }
    if (!this.adopted) await this.#spawn();
    await this.#ensurePauseImage();
    void this.#watch();
  }

  release(): void {
    this.#stopped.abort();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#end();
    // Pods have ended before: a shim without a process is left of a containerd that was killed.
    for (const { pid } of shimsOf(this.#socket).filter((one) => isEmpty(one.pid)))
      this.#machine.host.processes.signal(pid, 'SIGKILL');
    await this.#removeNamespaces(networkNamespacesOf(this.#state));
    await this.#machine.host.files.remove(`${this.#settings.directory}/pid`);
  }

  /** Writes its files; true where they say something new. */
  async #configure(): Promise<boolean> {
    const { directory, mirrors, configurationsDirectory = '/etc/cni/net.d' } = this.#settings;
    const { files, processes } = this.#machine.host;
    const { stdout } = await processes.run(findCommand('containerd') ?? 'containerd', ['--version']);
    const major = Number(/ v?(\d+)\.\d+\.\d+/.exec(stdout)?.[1]);
    if (!(major >= 1)) throw new CommandError(`containerd tells no version that is known: ${stdout.trim()}`);
    for (const name of ['root', 'state', 'registries']) await files.makeDirectory(`${directory}/${name}`);
    await files.remove(`${directory}/registries`);
    for (const [registry, url] of mirrors) {
      const folder = `${directory}/registries/${registry === '*' ? '_default' : registry}`;
      await files.makeDirectory(folder);
      await files.write(`${folder}/hosts.toml`, registryMirrorToml(url));
    }
    const text = containerdToml({
      major,
      directory,
      socket: this.#socket,
      pluginsDirectory: PLUGIN_FOLDERS.find((folder) => existsSync(`${folder}/bridge`)) ?? PLUGIN_FOLDERS[0]!,
      configurationsDirectory,
      restrictOomScore: !hasCapability(CAP_SYS_RESOURCE),
      overlay: fileSystemOf(directory) !== 'overlay',
    });
    if ((await files.readTextIfExists(this.#configFile)) === text) return false;
    await files.write(this.#configFile, text);
    return true;
  }

  async #spawn(): Promise<void> {
    const { host, log } = this.#machine;
    const { directory } = this.#settings;
    const program = findCommand('containerd');
    if (program === undefined) throw new CommandError('containerd is missing; install it with npm run setup.');
    this.#inherited = networkNamespacesOf(this.#state);
    const path = [host.facts.env['PATH'] ?? '', '/usr/local/sbin', '/usr/sbin', '/sbin'].join(':');
    const child = host.processes.spawn(program, ['--config', this.#configFile], {
      detached: true,
      env: { PATH: path, NOTIFY_SOCKET: '' },
      outputFile: `${directory}/log`,
    });
    this.#pid = child.pid;
    this.#exited = child.exited;
    await host.files.write(`${directory}/pid`, String(child.pid));
    const ended = child.exited.then(({ code, signal }) => {
      throw new CommandError(`containerd ended at its start (${signal ?? `code ${code}`}); see ${directory}/log.`);
    });
    ended.catch(() => log.debug('containerd has ended'));
    await Promise.race([this.#answers(START_MS), ended]);
  }

  /** Resolves when its CRI answers. */
  async #answers(timeoutMs: number): Promise<void> {
    const { clock } = this.#machine;
    const end = clock.monotonic() + timeoutMs;
    const cri = connectCri(this.endpoint, { clock });
    try {
      for (;;) {
        try {
          if (existsSync(this.#socket)) {
            await cri.version({}, { timeoutMs: 2_000 });
            return;
          }
        } catch (error) {
          if (clock.monotonic() > end) throw error;
        }
        if (clock.monotonic() > end) {
          throw new CommandError(`containerd does not answer; see ${this.#settings.directory}/log.`);
        }
        await clock.sleep(10);
      }
    } finally {
      await cri.close();
    }
  }

  /** The image of sandboxes is made here, so that pods start without the internet. */
  async #ensurePauseImage(): Promise<void> {
    const { clock, host } = this.#machine;
    const cri = connectCri(this.endpoint, { clock });
    try {
      const isThere = async () => (await cri.imageStatus({ image: { image: PAUSE_IMAGE } })).image !== undefined;
      if (await isThere()) return;
      const ctr = [findCommand('ctr') ?? 'ctr', '--address', this.#socket, '--namespace', 'k8s.io'] as const;
      const { code, stderr } = await host.processes.run(ctr[0], [...ctr.slice(1), 'images', 'import', '-'], {
        input: pauseImageArchive(),
      });
      if (code !== 0) throw new CommandError(`containerd did not take the image of sandboxes: ${stderr.trim()}`);
      // The CRI hears of it by an event.
      const end = clock.monotonic() + START_MS;
      while (!(await isThere()) && clock.monotonic() < end) await clock.sleep(10);
    } finally {
      await cri.close();
    }
  }

  /** Starts it again when it ends. One that was taken over is no child of ours: it is looked at now and then. */
  async #watch(): Promise<void> {
    const { clock, log } = this.#machine;
    const { signal } = this.#stopped;
    // Whether it has been started anew since its shims were looked at.
    let anew = !this.adopted;
    while (!signal.aborted) {
      const waited = new AbortController();
      const enough = AbortSignal.any([signal, waited.signal]);
      const exited = this.#exited?.then(() => undefined) ?? new Promise<never>(() => undefined);
      await Promise.race([clock.sleep(LOOK_MS, enough).catch(() => undefined), exited]);
      waited.abort();
      if (signal.aborted) continue;
      if (this.#isOurs(this.#pid)) {
        if (anew) await this.#endForgotten();
        anew = false;
        continue;
      }
      anew = true;
      this.#exited = undefined;
      log.warn('containerd has ended: it is started again', { log: `${this.#settings.directory}/log` });
      await this.#spawn().catch(async (error: unknown) => {
        log.error('containerd could not be started', { error });
        await clock.sleep(RESTART_MS, signal).catch(() => undefined);
      });
    }
  }

  async #endForgotten(): Promise<void> {
    const { host, log } = this.#machine;
    await this.#removeNamespaces(this.#inherited);
    for (const { pid, id } of forgottenShims(this.#socket, this.#state)) {
      log.info('a shim that containerd has forgotten is ended', { pid, sandbox: id });
      host.processes.signal(pid, 'SIGKILL');
    }
  }

  /** Of those network namespaces, the ones that nobody uses: their sandboxes have ended, or never came to be. */
  async #removeNamespaces(all: readonly string[]): Promise<void> {
    const { files, processes } = this.#machine.host;
    for (const path of withoutProcesses(all)) {
      await processes.run('umount', [path]);
      await files
        .remove(path)
        .catch((error: unknown) => this.#machine.log.debug('a namespace is left', { path, error }));
    }
  }

  async #end(): Promise<void> {
    const { clock, host } = this.#machine;
    if (!this.#isOurs(this.#pid)) return;
    host.processes.signal(this.#pid, 'SIGTERM');
    const end = clock.monotonic() + STOP_MS;
    while (this.#isOurs(this.#pid)) {
      if (clock.monotonic() > end) host.processes.signal(this.#pid, 'SIGKILL');
      await clock.sleep(10);
    }
  }

  /** Our containerd of an earlier start: the one that it noted, or that it had no time to note when it was killed. */
  async #leftRunning(): Promise<number | undefined> {
    const noted = Number(await this.#machine.host.files.readTextIfExists(`${this.#settings.directory}/pid`));
    if (this.#isOurs(noted)) return noted;
    // Another mount namespace has other files under the same name.
    const mounts = mountNamespaceOf('self');
    return readdirSync('/proc')
      .map(Number)
      .find((pid) => pid > 0 && this.#isOurs(pid) && mountNamespaceOf(pid) === mounts);
  }

  /** Whether the process is there and is our containerd: numbers are used again. */
  #isOurs(pid: number): boolean {
    if (!(pid > 0)) return false;
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return words[0]!.includes('containerd') && words.includes(this.#configFile);
    } catch {
      return false;
    }
  }
}

function mountNamespaceOf(pid: number | 'self'): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return ''; // It has just ended.
  }
}

/** The type of the file system that holds a folder: `ext4`. */
function fileSystemOf(folder: string): string {
  let best = { path: '', type: '' };
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const path = (before.split(' ')[4] ?? '').replaceAll('\\040', ' ');
    const holds = path === '/' || folder === path || folder.startsWith(`${path}/`);
    if (path !== '' && holds && path.length >= best.path.length) best = { path, type: after.split(' ')[0] ?? '' };
  }
  return best.type;
}
