import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { findCommand } from '../../tools/setup/needs.ts';
import { PAUSE_IMAGE } from './images.ts';
import { killProcesses } from './leftovers.ts';
import type { NetworkHost } from './namespace.ts';
import { delay, type RunningProgram, type RunResult, run } from './process.ts';
import type { Registry } from './registry.ts';
import { findCniPlugins, findContainerd, hasCapability } from './requirements.ts';

export interface ContainerdOptions {
  /** The folder of containerd's programs; default `findContainerd()`. */
  readonly programs?: string;
  /** Every image comes from there, whatever registry its name says. Without one nothing can be pulled. */
  readonly registry?: Registry;
  /** Default `PAUSE_IMAGE`. */
  readonly sandboxImage?: string;
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error';
  /** Lines to add to the configuration, as TOML. */
  readonly configuration?: string;
}

const CAP_SYS_RESOURCE = 24;

/** Plugins for file systems that need a device or a module: without them it starts sooner and logs no warnings. */
const UNUSED_PLUGINS = ['aufs', 'btrfs', 'devmapper', 'zfs', 'blockfile', 'erofs'].map(
  (name) => `io.containerd.snapshotter.v1.${name}`,
);

/**
 * A containerd of one host, with its own folders, socket and configuration, as kubelets use it (namespace `k8s.io`).
 * Constructing starts nothing. A containerd that is stopped or killed leaves its containers running, as it does for
 * users; `dispose` ends them too.
 */
export class Containerd implements AsyncDisposable {
  readonly host: NetworkHost;
  /** The CRI's address: `unix:///…`, the same inside and outside of the host. */
  readonly endpoint: string;
  readonly socket: string;
  readonly root: string;
  readonly state: string;
  readonly logFile: string;
  /** Where it looks for pods' network configuration, inside the host. */
  readonly cniFolder = '/etc/cni/net.d';
  readonly #options: ContainerdOptions;
  readonly #programs: string;
  readonly #folder: string;
  readonly #registriesFolder: string;
  #process: RunningProgram | undefined;
  #major: number | undefined;

  constructor(host: NetworkHost, options: ContainerdOptions = {}) {
    const programs = options.programs ?? findContainerd();
    if (programs === undefined) throw new Error('no containerd');
    this.host = host;
    this.#options = options;
    this.#programs = programs;
    this.#folder = join(host.folder, 'containerd');
    this.root = join(this.#folder, 'root');
    this.state = join(this.#folder, 'state');
    this.socket = join(this.#folder, 'containerd.sock');
    this.endpoint = `unix://${this.socket}`;
    this.logFile = join(this.#folder, 'log');
    this.#registriesFolder = join(this.#folder, 'registries');
  }

  /** The daemon's pid; throws when it does not run. */
  get pid(): number {
    if (this.#process?.running !== true) throw new Error('containerd does not run');
    return this.#process.pid;
  }

  get log(): string {
    return readFileSync(this.logFile, 'utf8');
  }

  /** 1 or 2. */
  async majorVersion(): Promise<number> {
    if (this.#major === undefined) {
      const { stdout } = await run([join(this.#programs, 'containerd'), '--version']);
      this.#major = Number(/ v?(\d+)\.\d+\.\d+/.exec(stdout)?.[1] ?? Number.NaN);
      if (!(this.#major >= 1)) throw new Error(`containerd tells no version: ${stdout}`);
    }
    return this.#major;
  }

  /** Starts it and resolves once its CRI answers. */
  async start(timeoutMs = 15_000): Promise<void> {
    if (this.#process?.running === true) throw new Error('containerd runs already');
    const major = await this.majorVersion();
    for (const folder of [this.root, this.state, join(this.#registriesFolder, '_default')])
      mkdirSync(folder, { recursive: true });
    writeFileSync(join(this.#folder, 'config.toml'), this.#configuration(major));
    if (this.#options.registry !== undefined) {
      const { url } = this.#options.registry;
      const lines = [`server = "${url}"`, `[host."${url}"]`, '  capabilities = ["pull", "resolve"]', ''];
      writeFileSync(join(this.#registriesFolder, '_default/hosts.toml'), lines.join('\n'));
    }
    // Where clients look by default.
    const usual = this.host.path('/run/containerd/containerd.sock');
    rmSync(usual, { force: true });
    symlinkSync(this.socket, usual);
    const runc = findCommand('runc');
    const path = [
      this.#programs,
      process.env.PATH,
      ...(runc === undefined ? [] : [dirname(runc)]),
      '/usr/sbin',
      '/sbin',
    ];
    this.#process = this.host.spawn(
      [join(this.#programs, 'containerd'), '--config', join(this.#folder, 'config.toml')],
      {
        env: { PATH: path.join(delimiter) },
        logFile: this.logFile,
      },
    );
    await this.#answers(this.#process, timeoutMs);
  }

  #configuration(major: number): string {
    const registries = `config_path = ${JSON.stringify(this.#registriesFolder)}`;
    const sandbox = JSON.stringify(this.#options.sandboxImage ?? PAUSE_IMAGE);
    // Without the capability the kernel refuses to lower the score of any process, the sandbox's among them.
    const restrict = `restrict_oom_score_adj = ${!hasCapability(CAP_SYS_RESOURCE)}`;
    const plugins = JSON.stringify(findCniPlugins() ?? '/opt/cni/bin');
    const cni = [major >= 2 ? `bin_dirs = [${plugins}]` : `bin_dir = ${plugins}`, `conf_dir = "${this.cniFolder}"`];
    const cri = major >= 2 ? 'io.containerd.cri.v1.runtime' : 'io.containerd.grpc.v1.cri';
    return [
      `version = ${major >= 2 ? 3 : 2}`,
      `root = ${JSON.stringify(this.root)}`,
      `state = ${JSON.stringify(this.state)}`,
      `disabled_plugins = ${JSON.stringify(UNUSED_PLUGINS)}`,
      '[grpc]',
      `address = ${JSON.stringify(this.socket)}`,
      '[ttrpc]',
      `address = ${JSON.stringify(`${this.socket}.ttrpc`)}`,
      '[debug]',
      `level = "${this.#options.logLevel ?? 'info'}"`,
      '[plugins."io.containerd.internal.v1.opt"]',
      `path = ${JSON.stringify(join(this.#folder, 'opt'))}`,
      ...(major >= 2
        ? [
            '[plugins."io.containerd.cri.v1.images".registry]',
            registries,
            '[plugins."io.containerd.cri.v1.images".pinned_images]',
            `sandbox = ${sandbox}`,
            `[plugins."${cri}"]`,
            restrict,
          ]
        : [`[plugins."${cri}"]`, restrict, `sandbox_image = ${sandbox}`, `[plugins."${cri}".registry]`, registries]),
      `[plugins."${cri}".cni]`,
      ...cni,
      `[plugins."${cri}".containerd.runtimes.runc]`,
      'runtime_type = "io.containerd.runc.v2"',
      this.#options.configuration ?? '',
      '',
    ].join('\n');
  }

  /** Asks the CRI's Status until it is answered: the socket is there some time before. */
  async #answers(daemon: RunningProgram, timeoutMs: number): Promise<void> {
    const end = Date.now() + timeoutMs;
    const client = new Client(this.endpoint, credentials.createInsecure(), {
      'grpc.initial_reconnect_backoff_ms': 20,
      'grpc.min_reconnect_backoff_ms': 20,
      'grpc.max_reconnect_backoff_ms': 50,
    });
    const asIs = (bytes: Buffer): Buffer => bytes;
    try {
      for (;;) {
        const problem = await new Promise<Error | null>((resolve) => {
          const deadline = new Date(Date.now() + 2_000);
          client.makeUnaryRequest(
            '/runtime.v1.RuntimeService/Status',
            asIs,
            asIs,
            Buffer.alloc(0),
            { deadline },
            (error) => resolve(error),
          );
        });
        if (problem === null) return;
        if (!daemon.running || Date.now() > end) {
          throw new Error(`containerd does not answer: ${problem.message}\n${daemon.output.slice(-3_000)}`);
        }
        await delay(10);
      }
    } finally {
      client.close();
    }
  }

  /** SIGTERM, as a service manager would; containers go on. */
  async stop(): Promise<void> {
    await this.#process?.stop();
  }

  /** SIGKILL; containers go on. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL');
    await this.#process?.wait();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Runs containerd's own client in the namespace of the CRI. */
  ctr(args: readonly string[], options: { check?: boolean; timeoutMs?: number } = {}): Promise<RunResult> {
    const ctr = [join(this.#programs, 'ctr'), '--address', this.socket, '--namespace', 'k8s.io'];
    return this.host.exec([...ctr, ...args], options);
  }

  /** Pulls an image by its whole name, `docker.io/library/kubia:latest`. */
  async pull(image: string): Promise<void> {
    // containerd 2 would ask its transfer service, which reads no such folder.
    const local = (await this.majorVersion()) >= 2 ? ['--local'] : [];
    await this.ctr(['images', 'pull', '--hosts-dir', this.#registriesFolder, ...local, image], { timeoutMs: 120_000 });
  }

  /**
   * Runs a container to its end and returns what it printed. It has the host's network and its cgroup below the host's.
   * The image must have been pulled; a command replaces its entrypoint as well.
   */
  run(
    image: string,
    command: readonly string[] = [],
    options: { check?: boolean; timeoutMs?: number } = {},
  ): Promise<RunResult> {
    const id = `run-${randomBytes(4).toString('hex')}`;
    return this.ctr(
      ['run', '--rm', '--net-host', '--cgroup', `${this.host.cgroupParent}/${id}`, image, id, ...command],
      options,
    );
  }

  /** The pids of the shims: one per pod, each the parent of that pod's containers. */
  shims(): number[] {
    return this.host.pids().filter((pid) => nameOf(pid) === 'containerd-shim');
  }

  /** Ends containerd, its shims and all its containers. */
  async dispose(): Promise<void> {
    await this.kill();
    const ended = new Set(this.shims());
    const processes = this.host.pids();
    for (let size = -1; size !== ended.size; ) {
      size = ended.size;
      for (const pid of processes) if (ended.has(parentOf(pid))) ended.add(pid);
    }
    await killProcesses(this.host.runName, (pid) => ended.has(pid));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return '';
  }
}

const nameOf = (pid: number): string => readProc(pid, 'comm').trim();

function parentOf(pid: number): number {
  const stat = readProc(pid, 'stat');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

/** Makes and starts a containerd. */
export async function startContainerd(host: NetworkHost, options: ContainerdOptions = {}): Promise<Containerd> {
  const containerd = new Containerd(host, options);
  try {
    await containerd.start();
  } catch (error) {
    await containerd.dispose();
    throw error;
  }
  return containerd;
}

/** A pod network for tests that bring none of their own: a bridge with addresses from `subnet`, such as `10.244.1.0/24`. */
export function writeCniConfiguration(host: NetworkHost, subnet: string): void {
  const configuration = {
    cniVersion: '1.0.0',
    name: 'test',
    plugins: [
      {
        type: 'bridge',
        bridge: 'cni0',
        isGateway: true,
        hairpinMode: true,
        ipam: { type: 'host-local', ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] },
      },
    ],
  };
  writeFileSync(host.path('/etc/cni/net.d/10-test.conflist'), JSON.stringify(configuration));
}
