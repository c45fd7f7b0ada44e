import { createDefaultServer } from '../control-plane/apiserver/default-server.ts';
import { inProcessTransport } from '../control-plane/apiserver/in-process.ts';
import type { ApiServer } from '../control-plane/apiserver/server.ts';
import { MemoryStore } from '../control-plane/store/drivers/memory/memory-store.ts';
import type { Store, Watch } from '../control-plane/store/store.ts';
import type { Clock } from '../libs/base/clock.ts';
import type { Issuer, Keys, Subject } from '../libs/base/keys.ts';
import { type Logger, silentLogger } from '../libs/base/log.ts';
import { FixedKeys } from '../libs/base/node/fixed-keys.ts';
import { RealClock } from '../libs/base/node/real-clock.ts';
import { turn } from '../libs/base/node/turn.ts';
import { type Random, SeededRandom } from '../libs/base/random.ts';
import { VirtualClock } from '../libs/base/virtual-clock.ts';
import { decodePem } from '../libs/base/x509/pem.ts';
import { createClient } from '../libs/client/client.ts';
import type { Transport } from '../libs/client/transport.ts';
import type { Client } from '../libs/kind/client.ts';
import { type ContainerFunction, type SimulatedImage, SimulatedImages } from '../node/cri/fake/image.ts';
import type { SimulatedRequest, SimulatedResponse } from '../node/cri/fake/network.ts';
import { type Duration, durationMs } from './duration.ts';
import type { Endpoint } from './endpoint.ts';
import { ClusterUsageError, NeverSettledError } from './errors.ts';
import { type History, HistoryRecorder } from './history.ts';
import { SimulatedConnector } from './nodes/connector.ts';
import type { NodeSpec, SimulatedNode, SimulatedNodes } from './simulated-nodes.ts';

export interface ClusterOptions {
  /** One seed, one history. Default: drawn, and told by errors and `cluster.seed`. */
  readonly seed?: string | number;
  /** `virtual` (default): time stands still but for `advance` and `until`. `real`: the machine's. */
  readonly time?: 'virtual' | 'real';
  /** Where a virtual cluster's time begins, in milliseconds since 1970. Default 2026-01-01. */
  readonly startMs?: number;
  readonly log?: Logger;
  /** Simulated nodes: how many, or what each is; up to 5,000. Default: none. They are there when the cluster is. */
  readonly nodes?: number | readonly NodeSpec[];
  /** What runs beside the API server. Default: the controllers, and with nodes the scheduler. */
  readonly components?: readonly ClusterComponent[];
  /** Where nodes' pod networks come from: one network, or one of each family. Default with nodes: a part of `10.0.0.0/8`. */
  readonly clusterCidrs?: readonly string[];
}

export type ClusterComponent = 'controller-manager' | 'scheduler';
const DEFAULT_COMPONENTS: readonly ClusterComponent[] = ['controller-manager'];
const DEFAULT_COMPONENTS_WITH_NODES: readonly ClusterComponent[] = ['controller-manager', 'scheduler'];
const NODES_MAX = 5_000;

const KNOWN_OPTIONS: ReadonlySet<string> = new Set([
  'seed',
  'time',
  'startMs',
  'log',
  'nodes',
  'components',
  'clusterCidrs',
]);
const YEAR_MS = 365 * 86_400_000;
const DEFAULT_WAIT = '5m';
const DRIVE_STEP_MS = 10;
const DRIVE_STEPS_MAX = 60_000;
/** How far virtual time moves between two looks of `until`. */
const STEP_MS = 100;

/**
 * A whole cluster as a value in this process: the API server over a store in memory, in virtual time, repeatable from a
 * seed.
 *
 *     await using cluster = await createCluster({ seed: 42 });
 *     const configMaps = cluster.client.resource(resources.configMaps).namespace('default');
 *     await configMaps.create({ metadata: { name: 'a' }, data: { k: 'v' } });
 *     cluster.history();                      // every write: who, why, what
 *
 * Clusters of one process do not know of each other. One that is forgotten does not keep the process alive.
 */
export async function createCluster(options: ClusterOptions = {}): Promise<Cluster> {
  for (const name of Object.keys(options)) {
    if (!KNOWN_OPTIONS.has(name)) {
      throw new ClusterUsageError(`createCluster has no option "${name}"; it knows ${[...KNOWN_OPTIONS].join(', ')}`);
    }
  }
  const cluster = new SimulatedCluster(options);
  await cluster.start();
  return cluster;
}

/** What a user of a cluster is: client certificates say it, as on any cluster. */
export interface ClusterUser {
  readonly name: string;
  readonly groups?: readonly string[];
}

export interface Cluster extends AsyncDisposable {
  readonly seed: string;
  readonly clock: Clock;
  /** As an administrator (`system:masters`). */
  readonly client: Client;
  /** As somebody else: RBAC decides what they may do. */
  clientAs(user: ClusterUser): Promise<Client>;
  /** Lets virtual time pass, running everything that falls due. On real time it waits. */
  advance(by: Duration): Promise<void>;
  /**
   * Lets time pass until `condition` gives something true, and gives that. Errors 404 count as not yet. Throws
   * `NeverSettledError` after `within` (default 5 minutes).
   */
  until<T>(condition: () => Promise<T> | T, options?: { within?: Duration; what?: string }): Promise<NonNullable<T>>;
  /** The simulated nodes, in their order. */
  readonly nodes: readonly SimulatedNode[];
  /**
   * Says what containers of an image do: a function that is their program, or a policy (how long it pulls and starts, how
   * often it fails, when it exits …). Without a tag `:latest` is meant. An image that nobody defined runs until it is
   * stopped. What is defined later holds for containers that start later.
   *
   *     cluster.image('shop/web:1', (pod) => pod.serve(8080, () => 'hello'));
   *     cluster.image('shop/slow:1', { pullMs: 20_000, exitAfterMs: 60_000, exitCode: 1 });
   */
  image(reference: string, image: ContainerFunction | SimulatedImage): void;
  /**
   * An HTTP request through the cluster's own network, from outside all pods: names are the cluster DNS', Services lead to
   * their endpoints. Virtual time goes on until it is answered. Throws `SimulatedNetworkError` where nobody takes it.
   *
   *     const { status, body } = await cluster.fetch('http://web.default:8080/');
   */
  fetch(url: string, request?: Partial<SimulatedRequest>): Promise<SimulatedResponse>;
  history(): History;
  /** Opens a real TLS endpoint on loopback and gives a kubeconfig for it. The history is then no longer repeatable. */
  kubeconfig(): Promise<string>;
}

class SimulatedCluster implements Cluster {
  readonly seed: string;
  readonly clock: Clock;
  readonly #random: Random;
  readonly #keys: Keys;
  readonly #log: Logger;
  readonly #store: Store;
  readonly #recorder = new HistoryRecorder();
  #authority: Issuer | undefined;
  #server: ApiServer | undefined;
  #client: Client | undefined;
  #watch: Watch | undefined;
  #endpoint: Promise<Endpoint> | undefined;
  #disposed = false;
  readonly #components: readonly ClusterComponent[];
  readonly #nodeSpecs: readonly NodeSpec[];
  readonly #images = new SimulatedImages();
  readonly #connector = new SimulatedConnector(() => this.#simulated);
  #simulated: SimulatedNodes | undefined;
  #advancing = false;
  readonly #clusterCidrs: readonly string[] | undefined;
  /** Running components, in the order of their start; stopped in reverse. */
  readonly #running: { stop(): Promise<void> }[] = [];

  constructor(options: ClusterOptions) {
    this.seed = String(options.seed ?? Math.floor(new RealClock().now()));
    this.#random = new SeededRandom(this.seed);
    this.#keys = new FixedKeys(this.seed);
    this.#log = options.log ?? silentLogger;
    this.#nodeSpecs = nodeSpecs(options.nodes ?? 0);
    const hasNodes = this.#nodeSpecs.length > 0;
    this.#components = options.components ?? (hasNodes ? DEFAULT_COMPONENTS_WITH_NODES : DEFAULT_COMPONENTS);
    this.#clusterCidrs = options.clusterCidrs ?? (hasNodes ? podNetworks(this.#nodeSpecs.length) : undefined);
    const virtual = options.time !== 'real';
    this.clock = virtual
      ? new VirtualClock({ turn, ...(options.startMs === undefined ? {} : { startMs: options.startMs }) })
      : new RealClock();
    if (!virtual) this.#recorder.markUnrepeatable('the cluster runs on real time');
    this.#store = new MemoryStore({ clock: this.clock, random: this.#random.fork('store') });
  }

  async start(): Promise<void> {
    const key = await this.#keys.generateKey('ca');
    const nowMs = this.clock.now();
    const certificatePem = await this.#keys.issueCertificate({
      subject: { commonName: 'kubernetes' },
      publicKey: key,
      isCertificateAuthority: true,
      usages: ['cert sign', 'digital signature'],
      notBeforeMs: nowMs,
      notAfterMs: nowMs + 10 * YEAR_MS,
    });
    this.#authority = { key, certificatePem };
    this.#watch = await this.#store.watch('/registry/', await this.#store.currentRevision(), {
      events: (batch) => batch.forEach((event) => this.#recorder.write(event, this.clock.now())),
      progress() {},
      ended() {},
    });
    this.#server = createDefaultServer({
      store: this.#store,
      clock: this.clock,
      random: this.#random.fork('apiserver'),
      keys: this.#keys,
      log: this.#log.child('apiserver'),
      clientAuthorityPem: certificatePem,
      serviceAccountKey: await this.#keys.generateKey('service accounts'),
      serverAddress: 'tutti.internal:443',
      platform: 'simulated/any',
      runtime: 'simulated',
      connector: this.#connector,
      audit: (record) => this.#recorder.request(record),
    });
    await this.#server.start();
    this.#client = await this.clientAs({ name: 'admin', groups: ['system:masters'] });
    if (this.#components.includes('controller-manager')) await this.#startControllers();
    if (this.#components.includes('scheduler')) await this.#startScheduler();
    if (this.#nodeSpecs.length > 0) await this.#startNodes();
  }

  async #startNodes(): Promise<void> {
    const { startSimulatedNodes } = await import('./simulated-nodes.ts');
    const simulated = await startSimulatedNodes({
      nodes: this.#nodeSpecs,
      transportAs: (user) => this.#transportAs(user),
      clock: this.clock,
      random: this.#random,
      keys: this.#keys,
      log: this.#log,
      images: this.#images,
      drive: (work) => this.#drive(work),
    });
    this.#simulated = simulated;
    this.#running.push(simulated);
    const { nodes } = await import('../api/resources.ts');
    const count = this.#nodeSpecs.length;
    const networks = this.#components.includes('controller-manager');
    await this.until(
      async () => {
        const { items } = await this.client.resource(nodes).list();
        const ready = items.filter(
          ({ spec, status }) =>
            (spec?.podCIDR || !networks) &&
            status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
        );
        return ready.length >= count;
      },
      { what: `${count} nodes that are ready` },
    );
  }

  /** Awaits work that may need virtual time: lets it pass in small steps until the work is done. */
  async #drive<T>(work: Promise<T>): Promise<T> {
    if (!(this.clock instanceof VirtualClock)) return work;
    let done = false;
    const ended = () => {
      done = true;
    };
    work.then(ended, ended);
    await this.clock.settle();
    // Where somebody else moves time already, they do it for this work too.
    for (let step = 0; !done && !this.#advancing; step++) {
      if (step >= DRIVE_STEPS_MAX) throw new NeverSettledError('the cluster did not come to an end', this.seed);
      await this.#move(() => (this.clock as VirtualClock).advance(DRIVE_STEP_MS, () => done));
    }
    return work;
  }

  async #move(run: () => Promise<unknown>): Promise<void> {
    if (this.#advancing)
      throw new ClusterUsageError('time is being advanced already; await the first advance or until');
    this.#advancing = true;
    try {
      await run();
    } finally {
      this.#advancing = false;
    }
  }

  get nodes(): readonly SimulatedNode[] {
    this.#mustLive();
    return this.#simulated?.nodes ?? [];
  }

  image(reference: string, image: ContainerFunction | SimulatedImage): void {
    this.#mustLive();
    this.#images.define(reference, image);
  }

  async fetch(url: string, request: Partial<SimulatedRequest> = {}): Promise<SimulatedResponse> {
    this.#mustLive();
    if (!this.#simulated) throw new ClusterUsageError('a cluster without nodes has no network; create it with nodes');
    return this.#drive(this.#simulated.network.request(url, request));
  }

  async #startControllers(): Promise<void> {
    const { runControllers } = await import('./controllers.ts');
    const random = this.#random.fork('controller-manager');
    const log = this.#log.child('controller-manager');
    const authority = this.#authority as Issuer;
    const settings = {
      rootAuthorityPem: authority.certificatePem,
      signing: { authority },
      servingApproval: { reservedCidrs: ['10.96.0.0/12', ...(this.#clusterCidrs ?? [])] },
      ...(this.#clusterCidrs ? { nodeIpam: { clusterCidrs: this.#clusterCidrs } } : {}),
    };
    const clientAs = (user: ClusterUser) => this.clientAs(user);
    this.#running.push(await runControllers({ clientAs, clock: this.clock, random, keys: this.#keys, log, settings }));
  }

  async #startScheduler(): Promise<void> {
    const { runScheduler } = await import('../control-plane/scheduler/run-scheduler.ts');
    const client = await this.clientAs({ name: 'system:kube-scheduler' });
    const random = this.#random.fork('scheduler');
    const log = this.#log.child('scheduler');
    const featureGates = { enabled: () => false };
    this.#running.push(await runScheduler({ client, clock: this.clock, random, log, featureGates }));
  }

  get client(): Client {
    this.#mustLive();
    return this.#client as Client;
  }

  async clientAs(user: ClusterUser): Promise<Client> {
    this.#mustLive();
    return createClient(await this.#transportAs(user), { userAgent: user.name, clock: this.clock });
  }

  async #transportAs(user: ClusterUser): Promise<Transport> {
    const subject = { commonName: user.name, organizations: user.groups ?? [] };
    const { certificatePem } = await this.#issue(subject, 'client auth');
    return inProcessTransport({
      handle: (request) => (this.#server as ApiServer).handle(request),
      credentials: { certificateDer: decodePem(certificatePem)[0]?.der },
    });
  }

  async advance(by: Duration): Promise<void> {
    this.#mustLive();
    const byMs = durationMs(by);
    const { clock } = this;
    if (clock instanceof VirtualClock) await this.#move(() => clock.advance(byMs));
    else await this.clock.sleep(byMs);
  }

  async until<T>(
    condition: () => Promise<T> | T,
    options: { within?: Duration; what?: string } = {},
  ): Promise<NonNullable<T>> {
    const withinMs = durationMs(options.within ?? DEFAULT_WAIT);
    const endMs = this.clock.monotonic() + withinMs;
    let last: unknown;
    for (;;) {
      this.#mustLive();
      try {
        const value = await condition();
        if (value) return value;
        last = value;
      } catch (error) {
        if ((error as { status?: { code?: number } }).status?.code !== 404) throw error;
        last = error;
      }
      if (this.clock.monotonic() >= endMs) {
        const what = options.what ?? 'what was waited for';
        const seen = last instanceof Error ? last.message : JSON.stringify(last);
        throw new NeverSettledError(`${what} did not come within ${withinMs} ms; last seen: ${seen}`, this.seed);
      }
      await this.advance(STEP_MS);
    }
  }

  history(): History {
    return this.#recorder.history();
  }

  async kubeconfig(): Promise<string> {
    this.#mustLive();
    this.#recorder.markUnrepeatable('a real endpoint was opened');
    this.#endpoint ??= this.#open();
    return (await this.#endpoint).kubeconfig;
  }

  async #open(): Promise<Endpoint> {
    const { openEndpoint } = await import('./endpoint.ts');
    return openEndpoint({
      handle: (request) => (this.#server as ApiServer).handle(request),
      authority: this.#authority as Issuer,
      issue: (purpose, commonName, organizations, ips) =>
        this.#issue({ commonName, organizations }, `${purpose} auth`, ips),
      random: this.#random,
      log: this.#log,
      ...(this.#simulated ? { nodes: { nodes: this.#simulated, connector: this.#connector } } : {}),
    });
  }

  async #issue(subject: Subject, usage: 'client auth' | 'server auth', ips: readonly string[] = []): Promise<Issuer> {
    const key = await this.#keys.generateKey(`${usage} ${subject.commonName} ${(subject.organizations ?? []).join()}`);
    const nowMs = this.clock.now();
    const certificatePem = await this.#keys.issueCertificate(
      {
        subject,
        publicKey: key,
        usages: ['digital signature', usage],
        ...(usage === 'server auth' ? { names: { dns: ['localhost'], ip: ips } } : {}),
        notBeforeMs: Math.min(nowMs, new RealClock().now()) - 60_000,
        notAfterMs: nowMs + 10 * YEAR_MS,
      },
      this.#authority,
    );
    return { key, certificatePem };
  }

  #mustLive(): void {
    if (this.#disposed)
      throw new ClusterUsageError('the cluster has been disposed; make another one with createCluster');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const component of this.#running.splice(0).reverse()) await component.stop();
    await (await this.#endpoint)?.close();
    await this.#server?.stop();
    this.#watch?.close();
    await this.#store.close();
  }
}

function nodeSpecs(nodes: number | readonly NodeSpec[]): readonly NodeSpec[] {
  const count = typeof nodes === 'number' ? nodes : nodes.length;
  if (!Number.isInteger(count) || count < 0 || count > NODES_MAX)
    throw new ClusterUsageError(`a cluster has 0 to ${NODES_MAX} nodes, not ${count}`);
  const specs = typeof nodes === 'number' ? Array.from({ length: nodes }, () => ({})) : nodes;
  const names = specs.map(({ name }: NodeSpec, index) => name ?? `node-${index + 1}`);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ClusterUsageError(`two nodes are called "${twice}"`);
  return specs;
}

/** Room for one /24 a node, beside the Services' network. */
const podNetworks = (nodes: number): readonly string[] => (nodes <= 250 ? ['10.244.0.0/16'] : ['10.128.0.0/9']);
