import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import { type HarnessRun, startRun } from './harness-run.ts';
import { cgroupOf, killProcesses, makeCgroups, pidsOf } from './leftovers.ts';
import { RunningProgram, type RunOptions, type RunResult, run, type StartOptions } from './process.ts';
import { SocketAgent } from './sockets.ts';

/**
 * Hosts as namespaces of this machine, on a network without any way out.
 *
 *     hub 172.30.0.1 ── br0 ─┬─ node-1 172.30.0.11
 *                            └─ node-2 172.30.0.12      a second subnet: br1, 172.30.1.1, 172.30.1.11 …, routed by the hub
 *
 * Each host, and the hub, has a network, a mount and a UTS namespace of its own. They have no names on the machine: a
 * sleeping process holds each, and with the last process everything in it is gone. The test itself stays outside;
 * `exec` and `spawn` start programs inside, `connect` and `listen` give the test sockets that live inside.
 *
 * A host sees the machine's files, except: `/run`, `/sys` are its own; `/etc`, `/var/lib`, `/var/log`, `/opt` can be
 * written without the machine noticing (an overlay); what belongs to a kubelet, a container runtime, CNI or Tutti there
 * (`PRIVATE_FOLDERS`) starts empty and lies on a real file system.
 */

/** Folders that start empty in every host, and are no overlay: a container runtime keeps its own overlays there. */
const PRIVATE_FOLDERS = ['/var/lib/kubelet', '/var/lib/containerd', '/var/lib/cni', '/var/lib/tutti', '/var/lib/etcd'];
const OVERLAID_FOLDERS = ['/etc', '/var/lib', '/var/log', '/opt'];
const CNI_BINARY_FOLDERS = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];

export interface HostOptions {
  /** Also its hostname; default `node-<n>`. */
  readonly name?: string;
  /** Which subnet it is in; default 0. Hosts of different subnets reach each other through the hub. */
  readonly subnet?: number;
}

export interface NetworkOptions {
  /** How many hosts, or each one's options; default 1. */
  readonly hosts?: number | readonly HostOptions[];
  /**
   * A default route in every host. It ends in the hub, which forwards nothing that is not for a host: for tests of what
   * happens when packets leave. Default false.
   */
  readonly defaultRoute?: boolean;
}

/** Mounts and names of one host; prints `ready` and then sleeps as the holder of its namespaces. */
const HOLDER_SCRIPT = `
set -e
for folder in ${OVERLAID_FOLDERS.join(' ')}; do
  upper=$FOLDER/overlay$folder; mkdir -p $folder $upper/files $upper/work
  mount -t overlay -o lowerdir=$folder,upperdir=$upper/files,workdir=$upper/work overlay $folder
done
rm -rf /etc/cni /etc/containerd /etc/kubernetes /etc/tutti /var/log/pods /var/log/containers
mkdir -p /etc/cni/net.d /etc/containerd /etc/kubernetes /var/log/pods /var/log/containers
for folder in ${PRIVATE_FOLDERS.join(' ')}; do
  mkdir -p $folder $FOLDER/files$folder; mount --bind $FOLDER/files$folder $folder
done
[ -e /opt/cni/bin/bridge ] || for folder in ${CNI_BINARY_FOLDERS.join(' ')}; do
  if [ -e $folder/bridge ]; then rm -rf /opt/cni/bin; mkdir -p /opt/cni; ln -s $folder /opt/cni/bin; break; fi
done
# /sys shows the network devices of the namespace it was mounted in, so each host needs its own; the cgroups move along.
mkdir -p $FOLDER/cgroups; mount --rbind /sys/fs/cgroup $FOLDER/cgroups; mount -t sysfs sysfs /sys; mount --move $FOLDER/cgroups /sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/netns /run/containerd /run/lock; chmod 1777 /run/lock
mount --make-rshared /
hostname "$NAME"
ip link set lo up
cd /proc/sys/net
echo $FORWARD > ipv4/ip_forward
echo 0 > ipv4/conf/all/rp_filter
for name in iptables ip6tables; do [ ! -e bridge/bridge-nf-call-$name ] || echo 1 > bridge/bridge-nf-call-$name; done
cd /
echo ready
exec sleep infinity
`;

export class NetworkHost {
  readonly name: string;
  readonly address: string;
  /** The process that holds the namespaces. */
  readonly pid: number;
  /** A folder of this host on the machine's file system, the same path inside and outside. */
  readonly folder: string;
  /** For containers: `/tutti-harness-…/<name>`, there in every hierarchy. */
  readonly cgroupParent: string;
  readonly runName: string;
  readonly #env: Record<string, string>;
  readonly #hub: NetworkHost | undefined;
  readonly #interface: string;
  #agent: SocketAgent | undefined;

  constructor(init: {
    name: string;
    address: string;
    pid: number;
    run: HarnessRun;
    hub: NetworkHost | undefined;
    interface: string;
  }) {
    this.name = init.name;
    this.address = init.address;
    this.pid = init.pid;
    this.runName = init.run.name;
    this.folder = join(init.run.folder, init.name);
    this.cgroupParent = `${cgroupOf(init.run.name)}/${init.name}`;
    this.#hub = init.hub;
    this.#interface = init.interface;
    this.#env = { ...init.run.env, HOME: join(this.folder, 'home') };
  }

  /** The words that put a command into this host: prefix to a program of your own, with `env` in its environment. */
  enter(command: string | readonly string[], cwd?: string): string[] {
    const argv = typeof command === 'string' ? ['/bin/sh', '-c', command] : command;
    const there = cwd === undefined ? [] : ['env', '-C', cwd];
    return ['nsenter', '--target', String(this.pid), '--mount', '--net', '--uts', ...there, ...argv];
  }

  get env(): Readonly<Record<string, string>> {
    return this.#env;
  }

  /** Runs a command (a string goes to /bin/sh) inside, to its end. Rejects on a code other than 0 unless `check: false`. */
  exec(command: string | readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const { cwd, ...rest } = options;
    return run(this.enter(command, cwd), { ...rest, cwd: '/', env: { ...this.#env, ...options.env } });
  }

  /** Starts a program inside that stays. Its `pid` is the program's own. */
  spawn(command: string | readonly string[], options: StartOptions = {}): RunningProgram {
    const { cwd, ...rest } = options;
    return new RunningProgram(this.enter(command, cwd), { ...rest, cwd: '/', env: { ...this.#env, ...options.env } });
  }

  /** Where the test finds a file of this host, its mounts included. An absolute link in it leads outside. */
  path(inside: string): string {
    return `/proc/${this.pid}/root${inside}`;
  }

  /** The agent that makes sockets inside; started on first use. */
  get sockets(): SocketAgent {
    this.#agent ??= new SocketAgent(this);
    return this.#agent;
  }

  /** A connection that starts inside this host. */
  connect(port: number, address = '127.0.0.1'): Promise<Socket> {
    return this.sockets.connect(port, address);
  }

  /** A listening socket inside this host, served by the test; port 0 takes any. */
  listen(port: number, address = '0.0.0.0'): Promise<Server> {
    return this.sockets.listen(port, address);
  }

  /** An HTTP request from inside this host; rejects when there is no whole answer within `timeoutMs` (default 5,000). */
  async fetch(
    url: string,
    options: { method?: string; headers?: Record<string, string>; body?: string; timeoutMs?: number } = {},
  ): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; body: string }> {
    const target = new URL(url);
    const { timeoutMs = 5_000 } = options;
    const socket = await this.sockets.connect(Number(target.port || 80), target.hostname, timeoutMs);
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(error);
      };
      const timer = setTimeout(() => fail(new Error(`${url}: no answer within ${timeoutMs} ms`)), timeoutMs);
      const sent = request(
        {
          createConnection: () => socket,
          method: options.method ?? 'GET',
          path: target.pathname + target.search,
          headers: { host: target.host, connection: 'close', ...options.headers },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', fail);
          response.on('end', () => {
            clearTimeout(timer);
            socket.destroy();
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks).toString(),
            });
          });
        },
      );
      sent.on('error', fail);
      sent.end(options.body);
    });
  }

  /** The cable: with false nothing reaches this host any more, nor leaves it. */
  async setLink(up: boolean): Promise<void> {
    if (this.#hub === undefined) throw new Error('the hub has no link of its own');
    await this.#hub.exec(['ip', 'link', 'set', this.#interface, up ? 'up' : 'down']);
  }

  /** The power: ends every process of this host, containers and the test's sockets included; files and mounts stay. */
  async crash(): Promise<void> {
    const mine = new Set(this.pids());
    this.dispose();
    await killProcesses(this.runName, (pid) => mine.has(pid) && pid !== this.pid);
  }

  /** The processes in this host, its containers included, without the holder. */
  pids(): number[] {
    const mountNamespace = readLink(`/proc/${this.pid}/ns/mnt`);
    const own = new Set<number>();
    const rest: { pid: number; parent: number; cgroups: string }[] = [];
    for (const pid of pidsOf(this.runName)) {
      if (pid === this.pid) continue;
      if (readLink(`/proc/${pid}/ns/mnt`) === mountNamespace) own.add(pid);
      else rest.push({ pid, parent: parentOf(pid), cgroups: readText(`/proc/${pid}/cgroup`) });
    }
    for (let size = -1; size !== own.size; ) {
      size = own.size;
      for (const one of rest)
        if (own.has(one.parent) || one.cgroups.includes(`:${this.cgroupParent}/`)) own.add(one.pid);
    }
    return [...own];
  }

  /** Closes the test's sockets in this host; its namespaces end with the network. */
  dispose(): void {
    this.#agent?.dispose();
    this.#agent = undefined;
  }
}

export interface Network extends HarnessRun {
  /** The machine in the middle: registries, clients and other outsiders run here. */
  readonly hub: NetworkHost;
  readonly hosts: readonly NetworkHost[];
  /** Removes everything: processes with their namespaces and mounts, cgroups, the folder. A second call does nothing. */
  dispose(): Promise<void>;
}

/** Makes a network of hosts. Needs root; leftovers of killed runs go first. */
export async function createNetwork(options: NetworkOptions = {}): Promise<Network> {
  const wanted =
    typeof options.hosts === 'object' ? options.hosts : Array.from({ length: options.hosts ?? 1 }, () => ({}));
  const specs = wanted.map((one: HostOptions, index) => ({
    name: one.name ?? `node-${index + 1}`,
    subnet: one.subnet ?? 0,
  }));
  const subnets = [...new Set([0, ...specs.map((one) => one.subnet)])].sort();
  if (new Set(specs.map((one) => one.name)).size !== specs.length) throw new Error('two hosts of one name');
  if (specs.length > 200 || subnets.some((one) => !(one >= 0 && one < 200)))
    throw new Error('at most 200 hosts and subnets');

  const harnessRun = await startRun();
  const { name, folder } = harnessRun;
  const addresses = specs.map((one, index) => `172.30.${one.subnet}.${11 + index}`);
  const names = [['hub', '172.30.0.1'], ...specs.map((one, index) => [one.name, addresses[index]!])];
  const hostsFile = [
    '127.0.0.1 localhost',
    '::1 localhost ip6-localhost',
    ...names.map(([host, ip]) => `${ip} ${host}`),
    '',
  ].join('\n');

  let disposal: Promise<void> | undefined;
  const hosts: NetworkHost[] = [];
  const dispose = (): Promise<void> => {
    disposal ??= (async () => {
      for (const host of hosts) host.dispose();
      await harnessRun.dispose();
    })();
    return disposal;
  };

  try {
    const forward = subnets.length > 1;
    const holders = await Promise.all([
      startHolder(harnessRun, 'hub', hostsFile, forward),
      ...specs.map((one) => startHolder(harnessRun, one.name, hostsFile, true)),
    ]);
    const hub = new NetworkHost({
      name: 'hub',
      address: '172.30.0.1',
      pid: holders[0]!,
      run: harnessRun,
      hub: undefined,
      interface: '',
    });
    hosts.push(hub);
    for (const [index, one] of specs.entries()) {
      const pid = holders[index + 1]!;
      hosts.push(
        new NetworkHost({
          name: one.name,
          address: addresses[index]!,
          pid,
          run: harnessRun,
          hub,
          interface: `host${index + 1}`,
        }),
      );
    }
    const wiring: string[] = [];
    for (const subnet of subnets) {
      wiring.push(
        `link add br${subnet} type bridge`,
        `addr add 172.30.${subnet}.1/24 dev br${subnet}`,
        `link set br${subnet} up`,
      );
    }
    for (const [index, one] of specs.entries()) {
      wiring.push(`link add host${index + 1} type veth peer name eth0 netns ${holders[index + 1]}`);
      wiring.push(`link set host${index + 1} master br${one.subnet} up`);
    }
    await hub.exec(['ip', '-batch', '-'], { input: wiring.join('\n') });
    await Promise.all(
      specs.map((one, index) => {
        const lines = [`addr add ${addresses[index]}/24 dev eth0`, 'link set eth0 up'];
        for (const other of subnets) {
          if (other !== one.subnet) lines.push(`route add 172.30.${other}.0/24 via 172.30.${one.subnet}.1`);
        }
        if (options.defaultRoute === true) lines.push(`route add default via 172.30.${one.subnet}.1`);
        return hosts[index + 1]!.exec(['ip', '-batch', '-'], { input: lines.join('\n') });
      }),
    );
    await checkIsolation(hub, subnets, specs.length);
    return { name, folder, env: harnessRun.env, hub, hosts: hosts.slice(1), dispose, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Starts the process that holds a host's namespaces; resolves with its pid once all mounts are made. */
async function startHolder(harnessRun: HarnessRun, name: string, hostsFile: string, forward: boolean): Promise<number> {
  const folder = join(harnessRun.folder, name);
  const etc = join(folder, 'overlay/etc/files');
  mkdirSync(etc, { recursive: true });
  mkdirSync(join(folder, 'home'));
  writeFileSync(join(etc, 'hosts'), hostsFile);
  writeFileSync(join(etc, 'hostname'), `${name}\n`);
  // Nobody answers there until a test does, and says so at once: a look-up never leaves and never waits.
  writeFileSync(join(etc, 'resolv.conf'), 'nameserver 172.30.0.1\n');
  writeFileSync(join(etc, 'machine-id'), `${randomBytes(16).toString('hex')}\n`);
  makeCgroups(`${cgroupOf(harnessRun.name)}/${name}`);
  const env = { ...harnessRun.env, FOLDER: folder, NAME: name, FORWARD: forward ? '1' : '0' };
  const argv = ['unshare', '--net', '--mount', '--uts', '--propagation', 'private', '/bin/sh', '-c', HOLDER_SCRIPT];
  const holder = new RunningProgram(argv, { cwd: '/', env });
  await holder.waitFor('ready\n');
  return holder.pid;
}

/** The promise of this file: the hub has our bridges and cables, and no route to anywhere else. */
async function checkIsolation(hub: NetworkHost, subnets: readonly number[], hosts: number): Promise<void> {
  const routes = (await hub.exec(['ip', 'route', 'show', 'default'])).stdout.trim();
  if (routes !== '') throw new Error(`the hub has a default route: ${routes}`);
  const links = (await hub.exec(['ip', '-json', 'link', 'show', 'up'])).stdout;
  const expected = new Set([
    'lo',
    ...subnets.map((one) => `br${one}`),
    ...Array.from({ length: hosts }, (_, index) => `host${index + 1}`),
  ]);
  for (const one of JSON.parse(links) as { ifname: string }[]) {
    if (!expected.has(one.ifname)) throw new Error(`the hub has a link of somebody else: ${one.ifname}`);
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function parentOf(pid: number): number {
  const stat = readText(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}
