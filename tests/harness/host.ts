import { spawnSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import { join } from 'node:path';
import type { Facts, Files, Host, Processes, Sockets } from '../../libs/base/host.ts';
import { createNodeHost } from '../../libs/base/node/node-host.ts';
import type { NetworkHost } from './namespace.ts';

/**
 * A network's host as the `Host` that Tutti's components take: a kubelet or a kube-proxy in the test's own process then
 * has that host's files and mounts, runs programs in it, and talks over its network.
 *
 * Files are reached through the holder's root, where a link with an absolute target leads out of the host; of the links
 * that Debian has, `/var/run` is followed here. Process ids are the machine's, as the hosts have no pid namespace.
 */
export function hostOf(inside: NetworkHost): Host {
  const machine = createNodeHost();
  return Object.freeze({
    files: filesOf(inside, machine.files),
    processes: processesOf(inside, machine.processes),
    sockets: socketsOf(inside, machine.sockets),
    facts: factsOf(inside, machine.facts),
  });
}

function outsidePath(inside: NetworkHost, path: string): string {
  if (!path.startsWith('/')) throw new Error(`a host's paths are absolute: ${path}`);
  return inside.path(path.replace(/^\/var\/run(?=\/|$)/, '/run'));
}

function filesOf(inside: NetworkHost, files: Files): Files {
  const at = (path: string): string => outsidePath(inside, path);
  return {
    read: (path) => files.read(at(path)),
    readText: (path) => files.readText(at(path)),
    readTextIfExists: (path) => files.readTextIfExists(at(path)),
    readAt: (path, position, length) => files.readAt(at(path), position, length),
    open: (path) => files.open(at(path)),
    write: (path, data, options) => files.write(at(path), data, options),
    append: (path, data) => files.append(at(path), data),
    makeDirectory: (path, options) => files.makeDirectory(at(path), options),
    list: (path) => files.list(at(path)),
    stat: (path) => files.stat(at(path)),
    statIfExists: (path) => files.statIfExists(at(path)),
    async remove(path) {
      // The machine's own list of mounts, which the machine's files look at, has none of this host's.
      const mounts = readFileSync(`/proc/${inside.pid}/mountinfo`, 'utf8').split('\n');
      const mounted = mounts
        .map((line) => line.split(' ')[4])
        .find((one) => one === path || one?.startsWith(`${path}/`));
      if (mounted !== undefined) throw systemError('EBUSY', `${path}: something is mounted on ${mounted}`);
      // Not the machine's own way: it wants the real path, which is another one outside.
      await rm(at(path), { recursive: true, force: true });
    },
    removeDirectory: (path) => files.removeDirectory(at(path)),
    rename: (from, to) => files.rename(at(from), at(to)),
    symlink: (target, path) => files.symlink(target, at(path)),
    readLink: (path) => files.readLink(at(path)),
    changeMode: (path, mode) => files.changeMode(at(path), mode),
    changeOwner: (path, uid, gid) => files.changeOwner(at(path), uid, gid),
    space: (path) => files.space(at(path)),
    watch: (path, changed) => files.watch(at(path), changed),
  };
}

function systemError(code: string, message: string): Error {
  return Object.assign(new Error(`${code}: ${message}`), { code });
}

/** nsenter would start and then fail; a caller wants to hear of it as of any program that is not there. */
function checkProgram(inside: NetworkHost, program: string, path: string): void {
  const candidates = program.includes('/') ? [program] : path.split(':').map((folder) => join(folder, program));
  let code = 'ENOENT';
  for (const candidate of candidates) {
    try {
      accessSync(inside.path(candidate), constants.X_OK);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EACCES') code = 'EACCES';
    }
  }
  throw systemError(code, `spawn ${program}`);
}

function processesOf(inside: NetworkHost, processes: Processes): Processes {
  const enter = <T extends { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string }>(
    program: string,
    args: readonly string[],
    options: T,
  ): [string, string[], T] => {
    const env = { ...inside.env, ...options.env };
    checkProgram(inside, program, env['PATH'] ?? process.env['PATH'] ?? '');
    const [first, ...rest] = inside.enter([program, ...args], options.cwd);
    return [first!, rest, { ...options, env, cwd: '/' }];
  };
  return {
    async run(program, args, options = {}) {
      return processes.run(...enter(program, args, options));
    },
    spawn(program, args, options = {}) {
      const { outputFile } = options;
      const output = outputFile === undefined ? {} : { outputFile: outsidePath(inside, outputFile) };
      return processes.spawn(...enter(program, args, { ...options, ...output }));
    },
    signal: (pid, signal) => processes.signal(pid, signal),
  };
}

function socketsOf(inside: NetworkHost, sockets: Sockets): Sockets {
  return {
    async connect(target, { signal } = {}) {
      if ('path' in target) return sockets.connect({ path: outsidePath(inside, target.path) }, { signal });
      signal?.throwIfAborted();
      const connecting = inside.sockets.connect(target.port, target.host, 120_000);
      const aborted = new Promise<never>((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
      try {
        return await Promise.race([connecting, aborted]);
      } catch (error) {
        // It may still come to stand, for nobody.
        connecting.then(
          (socket) => socket.destroy(),
          () => undefined,
        );
        throw error;
      }
    },
    async listen(target, accept) {
      if ('path' in target) return sockets.listen({ ...target, path: outsidePath(inside, target.path) }, accept);
      return serve(await inside.sockets.listen(target.port, target.host), target.host, accept);
    },
    async udp(target, receive) {
      const socket = await inside.sockets.datagrams(target.port, target.host);
      socket.on('error', () => undefined);
      socket.on('message', (data, from) => receive(data, { address: from.address, port: from.port }));
      const { address, port } = socket.address();
      let closed = false;
      return {
        address,
        port,
        send(data, toPort, toAddress) {
          if (!closed) socket.send(data, toPort, toAddress, () => undefined);
        },
        async [Symbol.asyncDispose]() {
          if (closed) return;
          closed = true;
          await new Promise<void>((resolve) => socket.close(() => resolve()));
        },
      };
    },
  };
}

function serve(server: Server, host: string, accept: (connection: Socket) => void) {
  const open = new Set<Socket>();
  (server as Server & { allowHalfOpen: boolean }).allowHalfOpen = true;
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
    accept(socket);
  });
  const bound = server.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
  return {
    address: host,
    port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

interface LinkAddresses {
  readonly ifname: string;
  readonly address?: string;
  readonly flags: readonly string[];
  readonly addr_info: readonly { readonly family: string; readonly local: string; readonly prefixlen: number }[];
}

function factsOf(inside: NetworkHost, facts: Facts): Facts {
  return Object.freeze({
    ...facts,
    hostname: inside.name,
    home: join(inside.folder, 'home'),
    env: Object.freeze({ ...facts.env, ...inside.env }),
    addresses() {
      const [program, ...args] = inside.enter(['ip', '-json', 'address', 'show', 'up']);
      const { stdout } = spawnSync(program!, args, { encoding: 'utf8' });
      return (JSON.parse(stdout) as LinkAddresses[]).flatMap((one) =>
        one.addr_info.map(({ family, local, prefixlen }) => ({
          name: one.ifname,
          address: local,
          prefixLength: prefixlen,
          family: family === 'inet' ? (4 as const) : (6 as const),
          mac: one.address ?? '00:00:00:00:00:00',
          internal: one.flags.includes('LOOPBACK'),
        })),
      );
    },
  });
}
