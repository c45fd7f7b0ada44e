import { endpointSlices, nodes, services } from '../../api/resources.ts';
import type { Node, Service } from '../../api/types/core/v1.generated.ts';
import type { EndpointSlice } from '../../api/types/discovery/v1.generated.ts';
import { Backoff } from '../../libs/base/backoff.ts';
import type { Clock } from '../../libs/base/clock.ts';
import type { Host, Listener } from '../../libs/base/host.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Informer, Informers } from '../../libs/kind/client.ts';
import { keyOf } from '../../libs/kind/object.ts';
import { ipVersion } from '../../libs/machinery/ip.ts';
import type { MetricSet } from '../../libs/metrics/metrics.ts';
import { isEligible, ProxyHealth } from './health.ts';
import { HealthChecks } from './health-checks.ts';
import { type HttpAnswer, listenHttp } from './http.ts';
import { ProxyMetrics } from './metrics.ts';
import { Nft } from './nft.ts';
import { type ProxyConfig, type ProxySlice, SERVICE_NAME_LABEL } from './objects.ts';
import { healthCheckOf, plan, type ServiceRules } from './plan.ts';
import { baseTable, REMOVAL, TableState, type Uplink } from './table.ts';

/**
 * kube-proxy: Services as they are in the API, in this node's kernel, in an nftables table of its own. At the start the
 * table is written anew in one step; then a change writes what its Service needs, and nothing else. While nft is at work
 * further changes wait and go together.
 */
export interface KubeProxyOptions extends ProxyConfig {
  /** Asked for Services, EndpointSlices, and nodes, of which this one is enough: where no zone is given, it says which. */
  readonly informers: Informers;
  readonly host: Host;
  readonly clock: Clock;
  readonly log: Logger;
  /**
   * The node's own address, of either family: where it is given, routes for `serviceCidrs` are made with it as the
   * sender. A connection of the node to a cluster IP is routed before it is translated, so without one, and without a
   * default route, it fails.
   */
  readonly nodeAddresses?: readonly string[];
  /** Where it tells whether it is well, on all addresses, and what it counts, on the loopback; default: upstream's. */
  readonly healthzPort?: number;
  readonly metricsPort?: number;
  /** Where it counts what it does, beside what is in there already. Default: a set of its own. */
  readonly metrics?: MetricSet;
}

export interface KubeProxy extends AsyncDisposable {
  /** Services in the kernel. */
  readonly size: number;
  /** Transactions so far, and those that failed. */
  readonly counts: { readonly applied: number; readonly failed: number };
  /** Resolves when everything seen so far is in the kernel. */
  idle(): Promise<void>;
}

/** Marks our routes; a number that no routing program has in iproute2's list. */
const ROUTE_PROTOCOL = '75';
const ZONE_LABEL = 'topology.kubernetes.io/zone';
const HEALTHZ_PORT = 10256;
const METRICS_PORT = 10249;
/** When what an EndpointSlice says had changed. */
const TRIGGER_ANNOTATION = 'endpoints.kubernetes.io/last-change-trigger-time';
const BACKOFF = { firstMs: 100, maxMs: 30_000 };

/** Resolves when the first state is in the kernel; throws where nft cannot be run or refuses it. */
export async function startKubeProxy(options: KubeProxyOptions): Promise<KubeProxy> {
  const proxy = new NodeProxy(options);
  await options.informers.synced();
  try {
    await proxy.start();
  } catch (error) {
    await proxy[Symbol.asyncDispose]();
    throw error;
  }
  return proxy;
}

/** Takes everything out of the kernel that a kube-proxy of this node put there: for `reset`. Idempotent. */
export async function removeKubeProxy({
  host,
  clock,
  serviceCidrs,
}: Pick<KubeProxyOptions, 'host' | 'clock' | 'serviceCidrs'>) {
  await using nft = new Nft(host, clock);
  await nft.run(REMOVAL);
  for (const cidr of serviceCidrs) {
    using _held = clock.hold('ip route');
    // Not there: as it should be.
    await host.processes.run('ip', ['route', 'del', cidr, 'proto', ROUTE_PROTOCOL]);
  }
}

class NodeProxy implements KubeProxy {
  readonly #options: KubeProxyOptions;
  readonly #nft: Nft;
  readonly #healthChecks: HealthChecks;
  readonly #health: ProxyHealth;
  readonly #metrics: ProxyMetrics;
  readonly #listeners: Listener[] = [];
  readonly #services: Informer<Service>;
  readonly #slices: Informer<EndpointSlice>;
  readonly #nodes: Informer<Node>;
  /** Services to look at again; bounded by their number. */
  readonly #dirty = new Set<string>();
  /** When what waits for the kernel had changed, in milliseconds since 1970, by EndpointSlice. */
  readonly #triggeredMs = new Map<string, number>();
  readonly #backoff = new Backoff(BACKOFF);
  readonly #startedMs: number;
  readonly #stopped = new AbortController();
  #state = new TableState();
  readonly #uplinks: Uplink[] = [];
  #handlers: Disposable[] = [];
  #running: Promise<void> | undefined;
  #whole = true;
  #applied = 0;
  #failed = 0;
  #conntrack = true;

  constructor(options: KubeProxyOptions) {
    this.#options = options;
    this.#startedMs = options.clock.now();
    this.#nft = new Nft(options.host, options.clock);
    this.#health = new ProxyHealth(options.clock);
    this.#metrics = new ProxyMetrics(options.clock, options.metrics);
    this.#healthChecks = new HealthChecks({ ...options, healthy: () => this.#health.healthy });
    this.#services = options.informers.informer(services);
    this.#slices = options.informers.informer(endpointSlices);
    this.#nodes = options.informers.informer(nodes);
    this.#slices.index('kube-proxy/service', servicesOf);
  }

  get size(): number {
    return this.#state.size;
  }

  get counts(): { readonly applied: number; readonly failed: number } {
    return { applied: this.#applied, failed: this.#failed };
  }

  async start(): Promise<void> {
    await this.#makeRoutes();
    await this.#apply();
    this.#handlers = [
      this.#services.on((object, previous) => {
        this.#metrics.changed('service');
        this.#touch(keyOf((object ?? previous)!));
      }),
      this.#slices.on((object, previous) => {
        this.#metrics.changed('endpoint');
        const triggeredMs = Date.parse(object?.metadata.annotations?.[TRIGGER_ANNOTATION] ?? '');
        // What is older was programmed by an earlier process, or is so only now because this one began.
        if (triggeredMs >= this.#startedMs) this.#triggeredMs.set(keyOf(object!), triggeredMs);
        for (const slice of [object, previous]) for (const key of slice ? servicesOf(slice) : []) this.#touch(key);
      }),
      this.#nodes.on((node, previous) => {
        if ((node ?? previous)!.metadata.name !== this.#options.nodeName) return;
        // Which endpoints are near may be otherwise for every Service.
        if (node?.metadata.labels?.[ZONE_LABEL] !== previous?.metadata.labels?.[ZONE_LABEL])
          for (const service of this.#services.list()) this.#touch(keyOf(service));
      }),
    ];
    await this.#listen();
    this.#options.log.info('Services are in the kernel', { services: this.#state.size });
  }

  /** A port that is taken is told, and no reason to stop: Services work without. */
  async #listen(): Promise<void> {
    const { healthzPort = HEALTHZ_PORT, metricsPort = METRICS_PORT, log } = this.#options;
    for (const [host, port, answer] of [
      ['0.0.0.0', healthzPort, (path: string) => this.#answerHealth(path)],
      ['127.0.0.1', metricsPort, (path: string) => this.#answerMetrics(path)],
    ] as const) {
      try {
        this.#listeners.push(await listenHttp(this.#options, { host, port }, answer));
      } catch (error) {
        log.warn('nobody can ask kube-proxy how it is at this port', { port, error });
      }
    }
  }

  #answerHealth(path: string): HttpAnswer | undefined {
    if (path !== '/healthz' && path !== '/livez') return undefined;
    const { lastUpdatedMs, currentMs } = this.#health.times;
    const nodeEligible = isEligible(this.#nodes.get(this.#options.nodeName));
    const isLivez = path === '/livez';
    const status = this.#health.healthy && (isLivez || nodeEligible) ? 200 : 503;
    this.#metrics.asked(isLivez ? 'livez' : 'healthz', status);
    const body = {
      lastUpdated: new Date(lastUpdatedMs).toISOString(),
      currentTime: new Date(currentMs).toISOString(),
      ...(!isLivez && { nodeEligible }),
    };
    return { status, type: 'application/json', body: JSON.stringify(body) };
  }

  #answerMetrics(path: string): HttpAnswer | undefined {
    const type = 'text/plain; charset=utf-8';
    if (path === '/metrics')
      return { status: 200, type: `text/plain; version=0.0.4; charset=utf-8`, body: this.#metrics.text() };
    if (path === '/proxyMode') return { status: 200, type, body: 'nftables' };
    return path === '/healthz' ? { status: 200, type, body: 'ok' } : undefined;
  }

  async idle(): Promise<void> {
    while (this.#running) await this.#running;
    await this.#healthChecks.idle();
  }

  /** Leaves the table as it is: connections go on while nobody looks after them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort(new Error('kube-proxy has stopped'));
    for (const handler of this.#handlers) handler[Symbol.dispose]();
    this.#handlers = [];
    await this.#running;
    await Promise.all(this.#listeners.map((listener) => listener[Symbol.asyncDispose]()));
    await this.#healthChecks[Symbol.asyncDispose]();
    await this.#nft[Symbol.asyncDispose]();
  }

  #touch(key: string): void {
    if (this.#stopped.signal.aborted) return;
    this.#dirty.add(key);
    this.#health.queued();
    this.#running ??= this.#work().finally(() => {
      this.#running = undefined;
    });
  }

  async #work(): Promise<void> {
    // Events that come together are handled together.
    await Promise.resolve();
    while ((this.#dirty.size > 0 || this.#whole) && !this.#stopped.signal.aborted) {
      try {
        await this.#apply();
        this.#backoff.reset();
      } catch (error) {
        this.#options.log.error('Services could not be written to the kernel', { error });
        await this.#options.clock.sleep(this.#backoff.next(), this.#stopped.signal).catch(() => undefined);
      }
    }
  }

  #config(): ProxyConfig {
    const { nodeName } = this.#options;
    const zone = this.#options.zone ?? this.#nodes.get(nodeName)?.metadata.labels?.[ZONE_LABEL];
    return { ...this.#options, ...(zone !== undefined && { zone }) };
  }

  /** After a failure nobody knows what the table has (somebody may have flushed it): all of it again. */
  async #apply(): Promise<void> {
    const whole = this.#whole;
    const beganMs = this.#options.clock.monotonic();
    this.#metrics.began();
    const triggeredMs = [...this.#triggeredMs.values()];
    this.#triggeredMs.clear();
    const config = this.#config();
    const keys = new Set([...this.#dirty, ...(whole ? this.#services.list().map(keyOf) : [])]);
    this.#dirty.clear();
    const state = whole ? new TableState() : this.#state;
    const changes = new Map<string, ServiceRules | undefined>();
    const departed = new Set<string>();
    for (const key of keys) {
      const service = this.#services.get(key);
      const slices = this.#slices.by('kube-proxy/service', key);
      const wanted = service && plan(service, slices, config);
      this.#healthChecks.set(key, service && healthCheckOf(service, slices, config));
      for (const address of this.#state.get(key)?.udpAddresses ?? []) {
        if (!wanted?.udpAddresses.has(address)) departed.add(address);
      }
      if (wanted || state.get(key)) changes.set(key, wanted);
    }
    const input = (whole ? baseTable(this.#options, this.#uplinks) : '') + state.change(changes);
    this.#state = state;
    if (input === '') return this.#written(beganMs, triggeredMs);
    try {
      await this.#nft.run(input);
      this.#whole = false;
      this.#applied++;
      this.#written(beganMs, triggeredMs);
    } catch (error) {
      this.#whole = true;
      this.#failed++;
      this.#metrics.failed();
      throw error;
    }
    await this.#forget(departed);
  }

  #written(beganMs: number, triggeredMs: readonly number[]): void {
    this.#metrics.written(this.#options.clock.monotonic() - beganMs, triggeredMs);
    if (this.#dirty.size === 0) this.#health.updated();
  }

  /** UDP has no end that the kernel sees: flows to endpoints that have gone would go on into nothing. */
  async #forget(addresses: ReadonlySet<string>): Promise<void> {
    if (!this.#conntrack) return;
    for (const address of addresses) {
      const family = ipVersion(address) === 6 ? 'ipv6' : 'ipv4';
      try {
        using _held = this.#options.clock.hold('conntrack');
        // A code other than 0 says that there was no such flow.
        await this.#options.host.processes.run('conntrack', ['-D', '-f', family, '-p', 'udp', '--dst-nat', address]);
      } catch (error) {
        this.#conntrack = false;
        this.#options.log.warn(
          'UDP flows to endpoints that have gone last until they are silent: the program conntrack is missing',
          { error },
        );
        return;
      }
    }
  }

  async #makeRoutes(): Promise<void> {
    const { host, clock, serviceCidrs, nodeAddresses = [], log } = this.#options;
    for (const cidr of serviceCidrs) {
      const version = ipVersion(cidr.split('/')[0] ?? '');
      const source = nodeAddresses.find((address) => ipVersion(address) === version);
      // Not the loopback device: what is refused there is not told to the sender.
      const device = host.facts.addresses().find(({ address }) => address === source)?.name;
      if (source === undefined || device === undefined) continue;
      this.#uplinks.push({ device, address: source });
      using _held = clock.hold('ip route');
      const words = ['route', 'replace', cidr, 'dev', device, 'src', source, 'proto', ROUTE_PROTOCOL];
      const { code, stderr } = await host.processes.run('ip', words);
      if (code !== 0) log.warn('no route for the addresses of Services', { cidr, error: stderr.trim() });
    }
  }
}

function servicesOf({ metadata }: ProxySlice): string[] {
  const name = metadata?.labels?.[SERVICE_NAME_LABEL];
  return name ? [`${metadata?.namespace}/${name}`] : [];
}
