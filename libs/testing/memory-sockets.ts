import { type Duplex, duplexPair } from 'node:stream';
import type { ConnectTarget, Listener, ListenTarget, Sockets, UdpReceiver, UdpSocket } from '../base/host.ts';
import { systemError } from './system-error.ts';

/** Listeners and UDP sockets by where they are: `10.0.0.1:80`, `*:80`, `/run/x.sock`. */
interface Bound<T> {
  readonly at: Map<string, T>;
}

/**
 * A network in memory. Hosts that share one reach each other; each listens on the addresses that it says, which nobody
 * checks against its own.
 */
export class MemoryNetwork {
  readonly listeners: Bound<(connection: Duplex) => void> = { at: new Map() };
  readonly udp: Bound<UdpReceiver> = { at: new Map() };
  #nextPort = 40_000;

  /** A port that nothing was given yet. */
  freePort(): number {
    return this.#nextPort++;
  }
}

/** Sockets on a `MemoryNetwork`. Nothing takes time: a test that wants delay puts it between. */
export class MemorySockets implements Sockets {
  readonly #network: MemoryNetwork;

  constructor(network: MemoryNetwork) {
    this.#network = network;
  }

  async connect(target: ConnectTarget, { signal }: { signal?: AbortSignal } = {}): Promise<Duplex> {
    signal?.throwIfAborted();
    await null;
    signal?.throwIfAborted();
    const accept = lookUp(this.#network.listeners, target);
    if (!accept) throw systemError('path' in target ? 'ENOENT' : 'ECONNREFUSED', 'connect', keyOf(target));
    const [here, there] = duplexPair();
    couple(here, there);
    couple(there, here);
    accept(there);
    return here;
  }

  async listen(target: ListenTarget, accept: (connection: Duplex) => void): Promise<Listener> {
    await null;
    const port = 'path' in target ? 0 : target.port || this.#network.freePort();
    const place = 'path' in target ? target : { host: target.host, port };
    const open = new Set<Duplex>();
    const leave = take(this.#network.listeners, place, (connection) => {
      open.add(connection);
      connection.once('close', () => open.delete(connection));
      accept(connection);
    });
    return {
      address: 'path' in target ? target.path : target.host,
      port,
      async [Symbol.asyncDispose]() {
        leave();
        for (const connection of open) connection.destroy();
      },
    };
  }

  async udp(target: { host: string; port: number }, receive: UdpReceiver): Promise<UdpSocket> {
    await null;
    const { host: address } = target;
    const port = target.port || this.#network.freePort();
    const leave = take(this.#network.udp, { host: address, port }, receive);
    let closed = false;
    return {
      address,
      port,
      send: (data, toPort, toAddress) => {
        if (closed) return;
        const copy = Uint8Array.from(data);
        queueMicrotask(() => {
          lookUp(this.#network.udp, { host: toAddress, port: toPort })?.(copy, { address, port });
        });
      },
      async [Symbol.asyncDispose]() {
        closed = true;
        leave();
      },
    };
  }
}

const EVERY_ADDRESS: ReadonlySet<string> = new Set(['', '0.0.0.0', '::']);

function keyOf(target: ConnectTarget): string {
  if ('path' in target) return target.path;
  const host = target.host === 'localhost' ? '127.0.0.1' : target.host;
  return `${EVERY_ADDRESS.has(host) ? '*' : host}:${target.port}`;
}

function take<T>(bound: Bound<T>, target: ConnectTarget, value: T): () => void {
  const key = keyOf(target);
  if (lookUp(bound, target) !== undefined) throw systemError('EADDRINUSE', 'bind', key);
  bound.at.set(key, value);
  return () => {
    if (bound.at.get(key) === value) bound.at.delete(key);
  };
}

function lookUp<T>(bound: Bound<T>, target: ConnectTarget): T | undefined {
  const own = bound.at.get(keyOf(target));
  return own === undefined && !('path' in target) ? bound.at.get(`*:${target.port}`) : own;
}

/** What happens to one end when the other goes: a clean end is read to its end, anything else is a reset. */
function couple(one: Duplex, other: Duplex): void {
  // A stream whose errors nobody listens for ends silently.
  one.on('error', () => undefined);
  one.once('close', () => {
    if (!one.writableFinished) other.destroy(systemError('ECONNRESET', 'read'));
    else if (other.readableEnded) other.destroy();
    else other.once('end', () => other.writableEnded || other.destroy());
  });
}
