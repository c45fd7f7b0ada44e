import { createSocket } from 'node:dgram';
import { lstatSync, unlinkSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { createServer, isIPv6, connect as netConnect, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectTarget, Listener, ListenTarget, Sockets, UdpReceiver, UdpSocket } from '../host.ts';

/** The machine's sockets. */
export function createNodeSockets(): Sockets {
  return { connect, listen, udp };
}

/** A stream whose errors nobody listens for would end the process; here they end the stream. */
const quiet = () => undefined;

function connect(target: ConnectTarget, { signal }: { signal?: AbortSignal } = {}): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const socket: Socket = netConnect({ ...target, allowHalfOpen: true, noDelay: true });
    const abort = () => {
      socket.destroy();
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', abort, { once: true });
    socket.on('error', (error) => {
      signal?.removeEventListener('abort', abort);
      reject(error);
    });
    socket.once('connect', () => {
      signal?.removeEventListener('abort', abort);
      resolve(socket);
    });
  });
}

async function listen(target: ListenTarget, accept: (connection: Duplex) => void): Promise<Listener> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    open.add(socket);
    socket.on('error', quiet);
    socket.once('close', () => open.delete(socket));
    accept(socket);
  });
  if ('path' in target) {
    await listenOnPath(server, target.path);
    await chmod(target.path, target.mode ?? 0o600);
  } else await bound(server, () => server.listen(target.port, target.host));
  // Running out of file descriptors while accepting: that connection is lost, the listener goes on.
  server.on('error', quiet);
  const address = server.address();
  const place = typeof address === 'string' ? { address, port: 0 } : address;
  return {
    address: place?.address ?? '',
    port: place?.port ?? 0,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** The system's bind makes the socket's file under the umask, writable for its owner alone: nobody gets in before chmod. */
async function listenOnPath(server: Server, path: string): Promise<void> {
  try {
    await bound(server, () => server.listen({ path }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !(await isAbandoned(path))) throw error;
    unlinkSync(path);
    await bound(server, () => server.listen({ path }));
  }
}

/** A socket that nobody listens on any more; a file that is none also refuses connections. */
async function isAbandoned(path: string): Promise<boolean> {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return false;
  try {
    (await connect({ path })).destroy();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
  }
}

function bound(server: Server, start: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const listening = () => {
      server.removeListener('error', failed);
      resolve();
    };
    const failed = (error: Error) => {
      server.removeListener('listening', listening);
      reject(error);
    };
    server.once('listening', listening);
    server.once('error', failed);
    start();
  });
}

function udp(target: { host: string; port: number }, receive: UdpReceiver): Promise<UdpSocket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: isIPv6(target.host) ? 'udp6' : 'udp4' });
    let closed = false;
    socket.once('error', (error) => {
      socket.close();
      reject(error);
    });
    socket.bind(target.port, target.host, () => {
      socket.removeAllListeners('error');
      socket.on('error', quiet);
      socket.on('message', (data, { address, port }) => receive(data, { address, port }));
      const { address, port } = socket.address();
      resolve({
        address,
        port,
        send(data, toPort, toAddress) {
          if (!closed) socket.send(data, toPort, toAddress, quiet);
        },
        async [Symbol.asyncDispose]() {
          if (closed) return;
          closed = true;
          await new Promise<void>((done) => socket.close(() => done()));
        },
      });
    });
  });
}
