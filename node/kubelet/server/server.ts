import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import type { Listener } from '../../../libs/base/host.ts';
import {
  acceptPortForward,
  acceptRemoteCommand,
  type Upgrade,
  upgradeKind,
} from '../../../libs/streaming/node/upgrade.ts';
import { bridgePortForward } from '../../../libs/streaming/portforward.ts';
import { bridge } from '../../../libs/streaming/remotecommand.ts';
import type { Kubelet } from '../kubelet.ts';
import { findContainer } from '../pod/objects.ts';
import { isAlive, newestOf } from '../pod/state.ts';
import { KubeletAccess } from './access.ts';
import { cadvisorMetrics } from './cadvisor.ts';
import { configz } from './configz.ts';
import { containerLog, parseLogQuery } from './container-logs.ts';
import { RequestError } from './errors.ts';
import { kubeletMetrics, resourceMetrics } from './metrics.ts';
import { type CpuSamples, statsSummary } from './stats.ts';

export interface KubeletServerOptions {
  readonly kubelet: Kubelet;
  /** `0.0.0.0`, or the node's address. */
  readonly host: string;
  /** 0: any. */
  readonly port: number;
  readonly tls: KubeletTls;
  /**
   * Who may do all that this server offers, by name and group, without the API being asked. Of others, and of who shows a
   * token, the API server is asked. Default: the API server's own name and the group `system:masters`.
   */
  readonly allowed?: { readonly users: readonly string[]; readonly groups: readonly string[] };
}

export interface KubeletTls {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  /** Who signs the certificates of those who may ask. */
  readonly clientAuthoritiesPem: string;
}

export interface KubeletServer extends AsyncDisposable {
  readonly port: number;
  /** Certificates for connections from now on. */
  renew(tls: KubeletTls): void;
}

/** The group of everybody whose name is known. */
const AUTHENTICATED = 'system:authenticated';
/** `/metrics`, and what is below. */
const METRICS: Readonly<Record<string, (kubelet: Kubelet) => Promise<string>>> = {
  '': kubeletMetrics,
  resource: resourceMetrics,
  cadvisor: cadvisorMetrics,
};
const ALLOWED = { users: ['kube-apiserver-kubelet-client'], groups: ['system:masters'] } as const;

/** Serves what the API server asks of a node: logs, exec, attach, port-forward, what runs, what it uses. */
export async function startKubeletServer(options: KubeletServerOptions): Promise<KubeletServer> {
  const server = new HttpsServer(options);
  await server.listen();
  return server;
}

class HttpsServer implements KubeletServer {
  readonly #options: KubeletServerOptions;
  readonly #http: Server;
  readonly #tls: TlsServer;
  readonly #open = new Set<TLSSocket>();
  readonly #access: KubeletAccess;
  readonly #samples: CpuSamples = new Map();
  #listener: Listener | undefined;

  constructor(options: KubeletServerOptions) {
    this.#options = options;
    const { client, clock, keys, nodeName } = options.kubelet.env;
    this.#access = new KubeletAccess({ client, clock, keys, nodeName, allowed: options.allowed ?? ALLOWED });
    // Connections come from the host's own listener; this one only knows how to speak TLS.
    this.#tls = createTlsServer({
      ...secretsOf(options.tls),
      requestCert: true,
      // Who shows no certificate is told so by an answer, not by a broken connection.
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1'],
    });
    this.#tls.on('secureConnection', (socket) => this.#accept(socket));
    this.#tls.on('tlsClientError', (_error, socket) => socket.destroy());
    this.#http = createServer((request, response) => void this.#answer(request, response));
    this.#http.on('upgrade', (request, socket, head) => void this.#upgrade({ request, socket, head }));
  }

  get port(): number {
    return this.#listener?.port ?? 0;
  }

  async listen(): Promise<void> {
    const { kubelet, host, port } = this.#options;
    this.#listener = await kubelet.env.host.sockets.listen(
      { host, port },
      (connection) => void this.#tls.emit('connection', connection),
    );
  }

  renew(tls: KubeletTls): void {
    this.#tls.setSecureContext(secretsOf(tls));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listener?.[Symbol.asyncDispose]();
    for (const socket of this.#open) socket.destroy();
    this.#http.closeAllConnections();
  }

  #accept(socket: TLSSocket): void {
    this.#open.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#open.delete(socket));
    this.#http.emit('connection', socket);
  }

  /** Rejects with `RequestError` for who may not ask. */
  async #authorize(request: IncomingMessage, url: URL): Promise<void> {
    const socket = request.socket as TLSSocket;
    const { CN, O } = (socket.getPeerCertificate().subject ?? {}) as unknown as Record<
      string,
      string | string[] | undefined
    >;
    const name = [CN ?? []].flat()[0];
    await this.#access.check({
      method: request.method ?? 'GET',
      path: url.pathname,
      certificate:
        socket.authorized && name !== undefined ? { name, groups: [...[O ?? []].flat(), AUTHENTICATED] } : undefined,
      authorization: request.headers.authorization,
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { kubelet } = this.#options;
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client has gone')));
    try {
      const url = new URL(request.url ?? '/', 'https://localhost');
      await this.#authorize(request, url);
      const [first = '', namespace = '', pod = '', container = ''] = partsOf(url);
      if (first === 'containerLogs') {
        const query = parseLogQuery(url.searchParams, kubelet.env.clock.now());
        const chunks = await containerLog(kubelet, { namespace, pod, container }, query, gone.signal);
        response.writeHead(200, { 'content-type': 'text/plain' });
        response.flushHeaders();
        for await (const chunk of chunks) if (!response.write(chunk)) await drained(response, gone.signal);
        response.end();
        return;
      }
      if (first === 'healthz') return void text(response, 200, 'ok');
      if (first === 'configz') return void json(response, configz(kubelet.env.config));
      if (first === 'metrics') {
        const metrics = Object.hasOwn(METRICS, namespace) ? METRICS[namespace] : undefined;
        if (metrics)
          return void text(response, 200, await metrics(kubelet), 'text/plain; version=0.0.4; charset=utf-8');
      }
      if (first === 'pods' || first === 'runningpods') {
        return void json(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items: kubelet.pods() });
      }
      if (first === 'stats') return void json(response, await statsSummary(kubelet, this.#samples));
      if (STREAMS.has(first)) throw new RequestError(400, 'Upgrade request required');
      throw new RequestError(404, '404 page not found');
    } catch (error) {
      if (gone.signal.aborted) return;
      if (response.headersSent) return void response.destroy();
      const code = error instanceof RequestError ? error.code : 500;
      text(response, code, `${(error as Error).message}`);
    }
  }

  async #upgrade(upgrade: Upgrade): Promise<void> {
    const { kubelet } = this.#options;
    upgrade.socket.on('error', () => upgrade.socket.destroy());
    try {
      const url = new URL(upgrade.request.url ?? '/', 'https://localhost');
      await this.#authorize(upgrade.request, url);
      const [first = '', namespace = '', pod = '', container = ''] = partsOf(url);
      if (upgradeKind(upgrade.request) === undefined) throw new RequestError(400, 'Upgrade request required');
      const worker = kubelet.workerOf(namespace, pod);
      if (!worker) throw new RequestError(404, 'pod does not exist');
      const { cri, clock } = kubelet.env;
      if (first === 'portForward') {
        const sandbox = worker.observed.sandboxes[0];
        if (!sandbox?.ready) throw new RequestError(500, `sandbox of pod "${pod}" is not running`);
        const forwarder = await cri.portForward({ podSandboxId: sandbox.id, port: [] });
        try {
          const session = await acceptPortForward(upgrade, { clock });
          return await bridgePortForward(session, forwarder);
        } finally {
          forwarder.close();
        }
      }
      if (first !== 'exec' && first !== 'attach') throw new RequestError(404, '404 page not found');
      const spec = findContainer(worker.pod, container)?.container;
      const running = newestOf(worker.observed, container);
      if (!spec || !running || !isAlive(running)) {
        const missing = `container ${container} not found in pod ${pod}_${namespace}`;
        throw new RequestError(500, first === 'attach' ? missing : `container not found ("${container}")`);
      }
      const query = url.searchParams;
      const wants = (...names: string[]) => names.some((name) => ['1', 'true'].includes(query.get(name) ?? ''));
      const tty = first === 'exec' ? wants('tty') : (spec.tty ?? false);
      const command = {
        stdin: wants('input', 'stdin'),
        stdout: wants('output', 'stdout'),
        // A terminal has one output.
        stderr: wants('error', 'stderr') && !tty,
        tty,
      };
      if (!command.stdin && !command.stdout && !command.stderr) {
        throw new RequestError(400, 'you must specify at least 1 of stdin, stdout, stderr');
      }
      const streams =
        first === 'exec'
          ? await cri.exec({ containerId: running.id, cmd: query.getAll('command'), ...command })
          : await cri.attach({ containerId: running.id, ...command });
      try {
        await bridge(await acceptRemoteCommand(upgrade, command, { clock }), streams);
      } finally {
        streams.close();
      }
    } catch (error) {
      const code = error instanceof RequestError ? error.code : 500;
      refuse(upgrade.socket, code, (error as Error).message);
    }
  }
}

const STREAMS: ReadonlySet<string> = new Set(['exec', 'attach', 'portForward']);

function secretsOf(tls: KubeletTls): SecureContextOptions {
  return {
    cert: tls.certificatePem,
    key: tls.privateKeyPem,
    ca: tls.clientAuthoritiesPem,
    minVersion: 'TLSv1.2',
  };
}

const partsOf = (url: URL): string[] => url.pathname.split('/').slice(1).map(decodeURIComponent);

function text(response: ServerResponse, code: number, body: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function json(response: ServerResponse, value: unknown): void {
  const body = JSON.stringify(value, (_key, member) => (typeof member === 'bigint' ? Number(member) : member));
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

/** Answers an upgrade with a refusal; without effect once it was answered. */
function refuse(socket: Duplex, code: number, message: string): void {
  if (socket.destroyed || socket.writableEnded) return;
  const head = `HTTP/1.1 ${code} Refused\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n`;
  socket.end(`${head}Content-Length: ${Buffer.byteLength(message)}\r\n\r\n${message}`);
}

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  await once(response, 'drain', { signal }).catch(() => {});
}
