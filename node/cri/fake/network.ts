import type { ByteDuplex } from '../../../libs/streaming/channel.ts';
import { duplexPair } from '../../../libs/streaming/channel.ts';
import { serveHttp } from './http.ts';

export interface SimulatedRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** The address of who asks. */
  readonly from: string;
}

export interface SimulatedResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers a request; a text is the body of a 200, a throw is a 500 with the message. */
export type SimulatedHandler = (
  request: SimulatedRequest,
) => string | Partial<SimulatedResponse> | Promise<string | Partial<SimulatedResponse>>;

/** Who takes connections at an address and port. */
export type SimulatedListener =
  | { readonly http: SimulatedHandler }
  | { readonly accept: (connection: ByteDuplex) => void };

/** A request that did not arrive. `code` is the system's word for it. */
export class SimulatedNetworkError extends Error {
  readonly code: 'ECONNREFUSED' | 'EHOSTUNREACH' | 'ENOTFOUND' | 'EADDRINUSE';
  constructor(code: SimulatedNetworkError['code'], message: string) {
    super(message);
    this.name = 'SimulatedNetworkError';
    this.code = code;
  }
}

export interface SimulatedNetworkOptions {
  /** Where a name, or the address of a Service, leads; undefined: not known here, a plain address stays itself. */
  readonly resolve?: (host: string, port: number, from: string) => { ip: string; port: number } | undefined;
  /** Whether one address reaches another. Default: always. */
  readonly reachable?: (from: string, to: string) => boolean;
}

/** The network between the pods of a simulated cluster. Nothing of it leaves the process. */
export class SimulatedNetwork {
  readonly #listeners = new Map<string, SimulatedListener>();
  readonly #addresses = new Set<string>();
  /** By range: below this offset nothing is free. */
  readonly #taken = new Map<string, number>();
  #options: SimulatedNetworkOptions;

  constructor(options: SimulatedNetworkOptions = {}) {
    this.#options = options;
  }

  /** Names and faults are often known later than the network. */
  configure(options: SimulatedNetworkOptions): void {
    this.#options = { ...this.#options, ...options };
  }

  /**
   * The lowest free address of `cidr` (IPv4, `10.244.1.0/24`), leaving out the network's own, the gateway's (the first)
   * and the broadcast address. Undefined when none is left.
   */
  allocate(cidr: string): string | undefined {
    const [base, length] = cidr.split('/') as [string, string];
    const start = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
    const size = 2 ** (32 - Number(length));
    let offset = this.#taken.get(cidr) ?? 2;
    while (offset < size - 1 && this.#addresses.has(formatIpv4(start + offset))) offset++;
    if (offset >= size - 1) {
      this.#taken.set(cidr, offset);
      return undefined;
    }
    const ip = formatIpv4(start + offset);
    this.#addresses.add(ip);
    this.#taken.set(cidr, offset + 1);
    return ip;
  }

  /** Takes an address that a snapshot had allocated. */
  claim(ip: string): void {
    this.#addresses.add(ip);
  }

  release(ip: string): void {
    this.#addresses.delete(ip);
    this.#taken.clear();
  }

  /** Throws `EADDRINUSE`. Dispose the result to stop listening. */
  listen(ip: string, port: number, listener: SimulatedListener): Disposable {
    const key = `${ip}:${port}`;
    if (this.#listeners.has(key))
      throw new SimulatedNetworkError('EADDRINUSE', `listen tcp ${key}: bind: address already in use`);
    this.#listeners.set(key, listener);
    return {
      [Symbol.dispose]: () => {
        if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
      },
    };
  }

  /** The listener, after names, services and faults. Throws `SimulatedNetworkError`. */
  find(host: string, port: number, from: string): SimulatedListener {
    const resolved = this.#options.resolve?.(host, port, from);
    if (!resolved && !/^[\d.]+$|:/.test(host))
      throw new SimulatedNetworkError('ENOTFOUND', `lookup ${host}: no such host`);
    const { ip, port: target } = resolved ?? { ip: host, port };
    if (this.#options.reachable && !this.#options.reachable(from, ip)) {
      throw new SimulatedNetworkError('EHOSTUNREACH', `dial tcp ${ip}:${target}: connect: no route to host`);
    }
    const listener = this.#listeners.get(`${ip}:${target}`);
    if (!listener)
      throw new SimulatedNetworkError('ECONNREFUSED', `dial tcp ${ip}:${target}: connect: connection refused`);
    return listener;
  }

  /** An HTTP request. `url`: `http://name:port/path`. Throws `SimulatedNetworkError` where nobody answers HTTP. */
  async request(url: string, request: Partial<SimulatedRequest> = {}): Promise<SimulatedResponse> {
    const { hostname, port, pathname, search } = new URL(url);
    const from = request.from ?? '127.0.0.1';
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const listener = this.find(host, Number(port || 80), from);
    if (!('http' in listener))
      throw new SimulatedNetworkError('ECONNREFUSED', `nobody speaks HTTP at ${hostname}:${port || 80}`);
    return answer(listener.http, {
      method: request.method ?? 'GET',
      path: `${pathname}${search}`,
      headers: { host: `${hostname}${port ? `:${port}` : ''}`, ...request.headers },
      body: request.body ?? '',
      from,
    });
  }

  /** A connection as bytes: to a raw listener, or to an HTTP one, which is then spoken to in HTTP/1.1. */
  connect(host: string, port: number, from = '127.0.0.1'): ByteDuplex {
    const listener = this.find(host, port, from);
    const [near, far] = duplexPair();
    if ('accept' in listener) listener.accept(far);
    else void serveHttp(far, from, (request) => answer(listener.http, request));
    return near;
  }
}

/** What a handler answers, made whole; a throw is a 500. */
async function answer(handler: SimulatedHandler, request: SimulatedRequest): Promise<SimulatedResponse> {
  try {
    const given = await handler(request);
    const response = typeof given === 'string' ? { body: given } : given;
    return { status: response.status ?? 200, headers: response.headers ?? {}, body: response.body ?? '' };
  } catch (error) {
    return { status: 500, headers: {}, body: error instanceof Error ? error.message : String(error) };
  }
}

function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
