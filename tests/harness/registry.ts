import { createReadStream, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Server as NetServer, Socket } from 'node:net';
import type { ImageStore } from './image-store.ts';
import type { NetworkHost } from './namespace.ts';

/**
 * A registry (the pull half of the OCI distribution API) over an ImageStore. It answers for every registry there is: a
 * runtime that uses it as a mirror says which one is meant in `?ns=`, and images are found by name alone. It runs in the
 * test and listens inside a host, so that a test can make it misbehave with one call and see what was asked.
 */
export type Fault =
  /** The connection stays open without an answer until the fault is lifted or the client goes. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'status'; readonly status: number }
  /** Blobs come at this rate. */
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  /** The connection breaks after this many bytes of a blob or manifest. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** Only this user may pull (HTTP basic authentication); others get 401. */
  | { readonly kind: 'login'; readonly username: string; readonly password: string };

export interface RegistryRequest {
  readonly method: string;
  /** The registry that was meant, such as `docker.io`; empty when the client did not say. */
  readonly registry: string;
  readonly repository: string;
  readonly kind: 'ping' | 'manifests' | 'blobs';
  readonly reference: string;
  readonly status: number;
}

export interface Registry extends AsyncDisposable {
  /** `http://172.30.0.1:5000` */
  readonly url: string;
  /** `172.30.0.1:5000`, for image names that name it outright. */
  readonly host: string;
  readonly store: ImageStore;
  /** What was asked so far, oldest first, the newest 10,000. */
  readonly requests: readonly RegistryRequest[];
  /** From now on requests for `repository` (a name without `library/`, or a pattern; `*` for all) meet the fault. */
  fault(repository: string | RegExp, fault: Fault): Disposable;
  close(): Promise<void>;
}

const REQUESTS_KEPT_MAX = 10_000;

interface Asked {
  readonly registry: string;
  readonly repository: string;
  readonly kind: RegistryRequest['kind'];
  readonly reference: string;
}

function parse(request: IncomingMessage): Asked | undefined {
  const url = new URL(request.url ?? '/', 'http://registry');
  const registry = url.searchParams.get('ns') ?? '';
  if (/^\/v2\/?$/.test(url.pathname)) return { registry, repository: '', kind: 'ping', reference: '' };
  const found = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(decodeURIComponent(url.pathname));
  if (found === null) return undefined;
  const repository = found[1]!.replace(/^library\//, '');
  return { registry, repository, kind: found[2] as 'manifests' | 'blobs', reference: found[3]! };
}

/** An error as the distribution API words it. */
function refuse(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
  const body = JSON.stringify({ errors: [{ code, message: code.toLowerCase().replaceAll('_', ' ') }] });
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}

class FaultyRegistry implements Registry {
  readonly store: ImageStore;
  readonly requests: RegistryRequest[] = [];
  url = '';
  host = '';
  readonly #server: Server;
  readonly #faults = new Set<{
    readonly matches: (repository: string) => boolean;
    readonly fault: Fault;
    readonly held: Set<Socket>;
  }>();
  #listener: NetServer | undefined;
  readonly #connections = new Set<Socket>();

  constructor(store: ImageStore) {
    this.store = store;
    this.#server = createServer((request, response) => this.#answer(request, response));
    // A slow fault is slower than Node's patience with a request.
    this.#server.requestTimeout = 0;
  }

  async listen(host: NetworkHost | undefined, port: number): Promise<void> {
    if (host === undefined) {
      this.#listener = this.#server;
      await new Promise<void>((resolve, reject) => {
        this.#server.once('error', reject);
        this.#server.listen(port, '127.0.0.1', resolve);
      });
      this.#server.on('connection', (socket) => this.#track(socket));
      this.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    } else {
      this.#listener = await host.listen(port);
      this.#listener.on('connection', (socket) => {
        this.#track(socket);
        this.#server.emit('connection', socket);
      });
      this.host = `${host.address}:${port}`;
    }
    this.url = `http://${this.host}`;
  }

  #track(socket: Socket): void {
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
  }

  fault(repository: string | RegExp, fault: Fault): Disposable {
    const matches = (name: string): boolean =>
      typeof repository === 'string' ? repository === '*' || repository === name : repository.test(name);
    const one = { matches, fault, held: new Set<Socket>() };
    this.#faults.add(one);
    return {
      [Symbol.dispose]: () => {
        this.#faults.delete(one);
        for (const socket of one.held) socket.destroy();
      },
    };
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const asked = parse(request);
    response.setHeader('docker-distribution-api-version', 'registry/2.0');
    if (asked === undefined) {
      refuse(response, 404, 'NOT_FOUND');
      return;
    }
    const record = (status: number): void => {
      this.requests.push({ method: request.method ?? '', ...asked, status });
      if (this.requests.length > REQUESTS_KEPT_MAX) this.requests.shift();
    };
    let slow: number | undefined;
    let cut: number | undefined;
    for (const { matches, fault, held } of this.#faults) {
      if (!matches(asked.repository)) continue;
      switch (fault.kind) {
        case 'hang':
          held.add(request.socket);
          record(0);
          return;
        case 'status':
          record(fault.status);
          refuse(response, fault.status, fault.status === 404 ? 'MANIFEST_UNKNOWN' : 'UNKNOWN');
          return;
        case 'login': {
          const right = `Basic ${Buffer.from(`${fault.username}:${fault.password}`).toString('base64')}`;
          if (request.headers.authorization === right) break;
          record(401);
          refuse(response, 401, 'UNAUTHORIZED', { 'www-authenticate': 'Basic realm="test registry"' });
          return;
        }
        case 'slow':
          slow = fault.bytesPerSecond;
          break;
        case 'cut':
          cut = fault.afterBytes;
      }
    }
    record(this.#serve(asked, request, response, slow, cut));
  }

  /** Answers without faults but those of speed; returns the status. */
  #serve(asked: Asked, request: IncomingMessage, response: ServerResponse, slow?: number, cut?: number): number {
    if (asked.kind === 'ping') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 2 });
      response.end('{}');
      return 200;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      refuse(response, 405, 'UNSUPPORTED');
      return 405;
    }
    const named = asked.reference.startsWith('sha256:');
    const digest = named ? asked.reference : this.store.resolve(`${asked.repository}:${asked.reference}`);
    const size = digest === undefined ? undefined : this.store.size(digest);
    if (digest === undefined || size === undefined) {
      refuse(response, 404, asked.kind === 'blobs' ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN');
      return 404;
    }
    const path = this.store.blobPath(digest);
    const headers: Record<string, string | number> = { 'docker-content-digest': digest, 'content-length': size };
    headers['content-type'] =
      asked.kind === 'blobs'
        ? 'application/octet-stream'
        : (JSON.parse(readFileSync(path, 'utf8')) as { mediaType: string }).mediaType;
    // A runtime that resumes a pull asks for the rest.
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (start >= size && start > 0) {
      refuse(response, 416, 'RANGE_INVALID');
      return 416;
    }
    if (start > 0) {
      headers['content-range'] = `bytes ${start}-${size - 1}/${size}`;
      headers['content-length'] = size - start;
    }
    const status = start > 0 ? 206 : 200;
    response.writeHead(status, headers);
    if (request.method === 'HEAD') response.end();
    else this.#send(path, start, response, slow, cut);
    return status;
  }

  #send(path: string, start: number, response: ServerResponse, slow?: number, cut?: number): void {
    const highWaterMark = slow === undefined ? 1 << 20 : Math.max(1, Math.ceil(slow / 10));
    const file = createReadStream(path, { start, highWaterMark });
    let sent = 0;
    file.on('error', () => response.destroy());
    response.on('close', () => file.destroy());
    file.on('data', (chunk) => {
      sent += chunk.length;
      if (cut !== undefined && sent >= cut) {
        response.write(chunk.slice(0, chunk.length - (sent - cut)), () => response.socket?.destroy());
        file.destroy();
        return;
      }
      const more = response.write(chunk);
      if (slow !== undefined) {
        file.pause();
        setTimeout(() => file.resume(), 100).unref();
      } else if (!more) {
        file.pause();
        response.once('drain', () => file.resume());
      }
    });
    file.on('end', () => response.end());
  }

  async close(): Promise<void> {
    const listener = this.#listener;
    this.#listener = undefined;
    if (listener === undefined) return;
    const closed = new Promise((resolve) => listener.close(resolve));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Serves a store on port 5000 of `host` (usually a network's hub), or without one on a free port of loopback. */
export async function startRegistry(
  store: ImageStore,
  host?: NetworkHost,
  port = host === undefined ? 0 : 5000,
): Promise<Registry> {
  const registry = new FaultyRegistry(store);
  await registry.listen(host, port);
  return registry;
}
