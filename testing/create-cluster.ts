import { type SettledObject, type TypedClient, typedClient } from '../api/typed-client.ts';
import { MemoryStore } from '../control-plane/store/drivers/memory/memory-store.ts';
import type { Watch } from '../control-plane/store/store.ts';
import type { Clock } from '../libs/base/clock.ts';
import { type Logger, silentLogger } from '../libs/base/log.ts';
import { createNodeFiles } from '../libs/base/node/files.ts';
import { FixedKeys } from '../libs/base/node/fixed-keys.ts';
import { RealClock } from '../libs/base/node/real-clock.ts';
import { turn } from '../libs/base/node/turn.ts';
import { type Random, SeededRandom } from '../libs/base/random.ts';
import { VirtualClock } from '../libs/base/virtual-clock.ts';
import { createClient } from '../libs/client/client.ts';
import type { Client } from '../libs/kind/client.ts';
import type { ApiObject, Live } from '../libs/kind/object.ts';
import { type ContainerFunction, type SimulatedImage, SimulatedImages } from '../node/cri/fake/image.ts';
import type { SimulatedHandler, SimulatedRequest, SimulatedResponse } from '../node/cri/fake/network.ts';
import type { ApplyOptions } from './apply.ts';
import type { Cluster, ClusterOptions, ClusterUser, NodeList } from './cluster.ts';
import type { ClusterHooks } from './cluster-hooks.ts';
import { defaultsFor, mustBeImage, mustBeOptions, nodeSpecs, timersPerInstant } from './cluster-options.ts';
import { ClusterTime, type UntilOptions } from './cluster-time.ts';
import { ComponentPlaces } from './component-place.ts';
import {
  type AnyComponent,
  type ComponentFunction,
  enabledPlugins,
  startUserComponent,
  type UserComponent,
  userComponents,
} from './components.ts';
import { SimulatedControlPlane } from './control-plane.ts';
import { drawnSeed } from './drawn-seed.ts';
import { type Duration, durationMs, WATCH_SECONDS } from './duration.ts';
import type { Endpoint } from './endpoint.ts';
import { ClusterUsageError } from './errors.ts';
import { ApiFaults } from './faults/api-faults.ts';
import { type ClusterFaults, clusterFaults } from './faults/cluster-faults.ts';
import { FaultyWays } from './faults/fault-transport.ts';
import { FaultyStore } from './faults/faulty-store.ts';
import { gatesOf } from './feature-gates.ts';
import { FreezableClock } from './freezable-clock.ts';
import { type History, HistoryRecorder } from './history.ts';
import type { ManifestSource } from './manifests.ts';
import { ableNodes } from './nodes/able-nodes.ts';
import type { SimulatedConnector } from './nodes/connector.ts';
import type { ExecOptions, ExecResult } from './nodes/exec.ts';
import type { Link } from './nodes/link.ts';
import { SimulatedWebhooks } from './nodes/webhooks.ts';
import { Quiet } from './quiet.ts';
import type { NodeGroup, NodeSpec } from './simulated-nodes.ts';
import { type ClusterSnapshot, mustBeSnapshot } from './snapshot.ts';
import { lmdbFolderOf, openLmdb, stored } from './store-choice.ts';
import type { ClusterDiff } from './time-travel/diff.ts';
import type { When } from './time-travel/past.ts';
import type { PastCluster } from './time-travel/past-cluster.ts';

export type { Cluster, ClusterOptions, ClusterUser } from './cluster.ts';

const APPLY_WITHIN = '30s';
/** Heartbeats, and records of what happens: their writes are no news to those who look now and then. */
const UNSTIRRING = /^\/registry\/[^/]+\/(?:leases|nodes|events)\//;

/**
 * A whole cluster as a value in this process: API server, store, controllers, scheduler and nodes, in virtual time,
 * repeatable from a seed.
 *
 *     await using cluster = await createCluster({ nodes: 3, seed: 42 });
 *     await cluster.apply('manifests/');
 *     await cluster.until('deployment/web', (d) => d.status.availableReplicas === 3);
 *     cluster.history();                      // every write: who, why, what
 *
 * Clusters of one process do not know of each other. One that is forgotten does not keep the process alive.
 */
export function createCluster(options: ClusterOptions = {}): Promise<Cluster> {
  return createHookedCluster(options, {});
}

/** The same, for who looks on. */
export async function createHookedCluster(options: ClusterOptions, hooks: ClusterHooks): Promise<Cluster> {
  mustBeOptions(options);
  const cluster = new SimulatedCluster(options, hooks);
  try {
    await cluster.start();
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
  return cluster;
}

class SimulatedCluster implements Cluster {
  readonly seed: string;
  readonly clock: Clock;
  readonly faults: ClusterFaults;
  readonly #hooks: ClusterHooks;
  readonly #from: ClusterSnapshot | undefined;
  readonly #random: Random;
  readonly #keys: FixedKeys;
  readonly #log: Logger;
  /** Undefined where objects are on disk. */
  readonly #memory: MemoryStore | undefined;
  readonly #lmdbFolder: string | undefined;
  readonly #store: FaultyStore;
  readonly #requests: ApiFaults;
  readonly #recorder: HistoryRecorder;
  readonly #time: ClusterTime;
  readonly #webhooks = new SimulatedWebhooks(() => this.#machines?.network);
  readonly #plane: SimulatedControlPlane;
  readonly #components: readonly AnyComponent[];
  readonly #userComponents: readonly UserComponent[];
  readonly #options: Pick<ClusterOptions, 'scheduler' | 'featureGates'>;
  readonly #controllers: readonly string[] | undefined;
  readonly #nodeSpecs: readonly NodeSpec[];
  readonly #clusterCidrs: readonly string[] | undefined;
  readonly #images = new SimulatedImages();
  #connector: Promise<SimulatedConnector> | undefined;
  readonly #places: ComponentPlaces;
  readonly #quiet: Quiet;
  readonly #authorityMs: number;
  #simulated: NodeGroup | undefined;
  #makeNodes: (() => NodeGroup) | undefined;
  #client: TypedClient | undefined;
  #watch: Watch | undefined;
  #endpoint: Promise<Endpoint> | undefined;
  #disposed = false;
  /** Running components, in the order of their start; stopped in reverse. */
  readonly #running: { stop(): Promise<void> }[] = [];

  constructor(options: ClusterOptions, hooks: ClusterHooks) {
    this.#hooks = hooks;
    const from = options.from && mustBeSnapshot(options.from);
    const startMs = from?.nowMs ?? options.startMs;
    this.#from = from;
    this.seed = options.seed === undefined ? drawnSeed() : String(options.seed);
    // What was drawn before the snapshot (names, uids) is not drawn again.
    this.#random = new SeededRandom(from ? `${this.seed} from ${from.store.revision}` : this.seed);
    this.#keys = from ? new FixedKeys(from.keysSeed, from.keysState, from.keyPairs) : new FixedKeys(this.seed);
    this.#log = options.log ?? silentLogger;
    this.#nodeSpecs = from ? from.nodes.map(({ spec }) => spec) : nodeSpecs(options.nodes ?? 0);
    const usual = defaultsFor(this.#nodeSpecs.length);
    this.#components = options.components ?? from?.components ?? usual.components;
    this.#userComponents = userComponents(this.#components);
    this.#options = options;
    this.#controllers = options.controllers ?? from?.controllers;
    this.#clusterCidrs = options.clusterCidrs ?? from?.clusterCidrs ?? usual.clusterCidrs;
    const virtual = options.time !== 'real';
    this.#quiet = new Quiet(
      () => this.clock.monotonic(),
      () => this.#isTroubled(),
    );
    const shuffle = hooks.shuffleTimers ? this.#random.fork('timers') : undefined;
    const started = startMs === undefined ? {} : { startMs };
    const timersPerInstantMax = timersPerInstant(this.#nodeSpecs.length);
    const isWell = options.everyHeartbeat || shuffle ? undefined : () => this.#quiet.isWell();
    this.clock = virtual
      ? new VirtualClock({ turn, shuffle, isWell, timersPerInstantMax, ...started })
      : new FreezableClock(new RealClock());
    this.#places = new ComponentPlaces(this.clock, this.#random);
    this.#recorder = new HistoryRecorder(this.seed, this.clock);
    if (!virtual) this.#recorder.markUnrepeatable('the cluster runs on real time');
    this.#authorityMs = from?.authorityMs ?? this.clock.now();
    for (const [reference, image] of Object.entries(options.images ?? {})) this.#images.define(reference, image);
    const storeOptions = { clock: this.clock, random: this.#random.fork('store') };
    this.#lmdbFolder = lmdbFolderOf(options.store);
    if (this.#lmdbFolder === undefined)
      this.#memory = from ? MemoryStore.fromSnapshot(from.store, storeOptions) : new MemoryStore(storeOptions);
    else if (from) throw new ClusterUsageError('what goes on from a snapshot is in memory; leave out store, or from');
    else this.#recorder.markUnrepeatable('the store is LMDB');
    const requests = new ApiFaults(this.clock, this.#random.fork('faults'));
    this.#requests = requests;
    const ways = new FaultyWays(requests);
    this.#store = new FaultyStore(this.#memory, () => requests.count('disk-full'));
    // Components of a restored cluster start when time passes: until then there is nothing that they could have done. Those of
    // the user's may do anything at once.
    const isLater = from && virtual && this.#userComponents.length === 0;
    if (isLater) for (const one of this.#components) this.#places.of(String(one));
    this.#time = new ClusterTime({
      clock: this.clock,
      seed: this.seed,
      begin: isLater ? () => this.#startComponents() : undefined,
      mustLive: () => {
        this.#mustLive();
        hooks.mustGoOn?.();
      },
      waiting: async () => (await import('./waiting.ts')).whoWaits(this.client, this.nodes, this.#images),
    });
    this.#plane = new SimulatedControlPlane({
      store: this.#store,
      clock: this.clock,
      random: this.#random,
      keys: this.#keys,
      log: this.#log,
      connector: {
        connect: async (...call) => {
          await this.#time.begin();
          return (await this.#connect()).connect(...call);
        },
      },
      ways,
      webhooks: this.#webhooks,
      through: hooks.transport && ((inner, user) => hooks.transport?.(inner, user, this.#time) ?? inner),
      audit: (record) => this.#recorder.request(record),
      authorityMs: this.#authorityMs,
      ...(from && { restored: { authorityPem: from.authorityPem } }),
    });
    this.faults = clusterFaults({
      requests,
      ways,
      store: this.#store,
      restartApiServer: (downMs) => this.#time.drive(this.#plane.restart(downMs)),
      components: this.#places,
      drive: (work) => this.#time.drive(work),
    });
  }

  async start(): Promise<void> {
    if (this.#lmdbFolder !== undefined)
      this.#store.open(await openLmdb(this.#lmdbFolder, this.clock, this.#random.fork('store')));
    this.#recorder.begin(this.#memory?.snapshot() ?? (await stored(this.#store)));
    this.#watch = await this.#store.watch('/registry/', await this.#store.currentRevision(), {
      events: (batch) => {
        for (const event of batch) {
          this.#recorder.write(event, this.clock.now());
          if (this.clock instanceof VirtualClock && !UNSTIRRING.test(event.key)) this.clock.stir();
          this.#hooks.wrote?.(event, this.clock.now());
        }
      },
      progress() {},
      ended() {},
    });
    await this.#plane.start();
    this.#client = await this.clientAs({ name: 'admin', groups: ['system:masters'] });
    if (this.#nodeSpecs.length > 0) await this.#prepareNodes();
    if (!this.#time.isToBegin) await this.#startComponents();
  }

  async #startComponents(): Promise<void> {
    if (this.#components.includes('controller-manager')) await this.#startControllers();
    if (this.#components.includes('scheduler')) await this.#startScheduler();
    if (this.#machines) await this.#startNodes(this.#machines);
    for (const component of this.#userComponents) await this.#startUserComponent(component);
  }

  // ── Clients ──────────────────────────────────────────────────────────────────────────────────────────────────────

  get client(): TypedClient {
    this.#mustLive();
    return this.#client as TypedClient;
  }

  async clientAs(user: ClusterUser): Promise<TypedClient> {
    return typedClient(this.#clientAs(user, this.clock));
  }

  #clientAs(user: ClusterUser, clock: Clock, link?: Link): Client {
    this.#mustLive();
    const transport = this.#plane.transportAs(user);
    return createClient(link?.over(transport) ?? transport, { userAgent: user.name, clock });
  }

  // ── Time ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  advance(by: Duration): Promise<void> {
    return this.#time.advance(by);
  }

  freeze(): void {
    this.#mustLive();
    if (this.clock instanceof FreezableClock) this.clock.freeze();
  }

  flow(): void {
    this.#mustLive();
    if (!(this.clock instanceof FreezableClock))
      throw new ClusterUsageError('virtual time passes in advance, until and idle; it does not flow by itself');
    this.clock.flow();
  }

  until<T>(condition: () => Promise<T> | T, options?: UntilOptions): Promise<NonNullable<T>>;
  until<N extends string>(
    name: `${N}/${string}`,
    predicate: (object: SettledObject<N>) => unknown,
    options?: UntilOptions & { readonly namespace?: string },
  ): Promise<SettledObject<N>>;
  async until(
    what: string | (() => unknown),
    second?: UntilOptions | ((object: never) => unknown),
    third: UntilOptions & { readonly namespace?: string } = {},
  ): Promise<unknown> {
    if (typeof what === 'function') return this.#time.until(what, second as UntilOptions | undefined);
    if (typeof second !== 'function') throw new ClusterUsageError(`until("${what}", …) wants a predicate`);
    const { untilObject } = await import('./until-object.ts');
    await this.#settled();
    this.#mustLive();
    return untilObject(this.#time, this.client, this.#recorder, what, second as (object: ApiObject) => unknown, third);
  }

  async idle(options: { readonly quiet?: Duration; readonly within?: Duration } = {}): Promise<void> {
    const quietMs = durationMs(options.quiet ?? '10s');
    let seen = this.#recorder.deeds;
    let sinceMs = this.clock.monotonic();
    const quiet = () => {
      const nowMs = this.clock.monotonic();
      if (this.#recorder.deeds !== seen) [seen, sinceMs] = [this.#recorder.deeds, nowMs];
      return nowMs - sinceMs >= quietMs;
    };
    const told = () => this.#recorder.writersLately();
    await this.#time.until(quiet, { within: options.within ?? '10m', what: `${quietMs} ms without a write`, told });
  }

  // ── Objects ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async apply(source: ManifestSource, options: ApplyOptions = {}): Promise<Live<ApiObject>[]> {
    this.#mustLive();
    const [{ applyManifests }, { readManifests }] = await Promise.all([import('./apply.ts'), import('./manifests.ts')]);
    await this.#settled();
    const manifests = await readManifests(source, createNodeFiles());
    return applyManifests(this.client, manifests, options, async (holds) => {
      const endMs = this.clock.monotonic() + durationMs(APPLY_WITHIN);
      for (;;) {
        if (await holds()) return true;
        if (this.clock.monotonic() >= endMs) return false;
        await this.advance(100);
      }
    });
  }

  // ── Nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────

  get nodes(): NodeList {
    this.#mustLive();
    return (this.#machines?.nodes ?? []) as unknown as NodeList;
  }

  image(reference: string, image: ContainerFunction | SimulatedImage): void {
    this.#mustLive();
    mustBeImage(reference, image);
    this.#images.define(reference, image);
  }

  serve(url: string, handler: SimulatedHandler): Disposable {
    this.#mustLive();
    return this.#webhooks.serve(url, handler);
  }

  async run(component: UserComponent | ComponentFunction): Promise<AsyncDisposable> {
    this.#mustLive();
    const [one] = userComponents([component]);
    if (!one || this.#places.has(one.name))
      throw new ClusterUsageError(`the cluster runs a component "${one?.name ?? component.name}" already`);
    const running = await this.#startUserComponent(one);
    return {
      [Symbol.asyncDispose]: async () => {
        const at = this.#running.indexOf(running);
        if (at < 0) return;
        this.#running.splice(at, 1);
        this.#places.remove(one.name);
        await this.#time.drive(running.stop());
      },
    };
  }

  async exec(pod: string, command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { execInPod } = await import('./nodes/exec.ts');
    await this.#time.begin();
    return this.#time.drive(execInPod(this.client, this.nodes, pod, command, options));
  }

  async oomKill(pod: string, options: ExecOptions = {}): Promise<void> {
    this.#mustLive();
    const { oomKillPod } = await import('./nodes/exec.ts');
    await oomKillPod(this.nodes, pod, options);
  }

  async fetch(url: string, request: Partial<SimulatedRequest> = {}): Promise<SimulatedResponse> {
    this.#mustLive();
    const network = this.#machines?.network;
    if (!network) throw new ClusterUsageError('a cluster without nodes has no network; create it with nodes');
    await this.#time.begin();
    return this.#time.drive(network.request(url, request));
  }

  // ── What was ─────────────────────────────────────────────────────────────────────────────────────────────────────

  history(): History {
    return this.#recorder.history();
  }

  async at(when: When): Promise<PastCluster> {
    this.#mustLive();
    const [{ openPast }, { momentOf, storeAt }] = await Promise.all([
      import('./time-travel/past-cluster.ts'),
      import('./time-travel/past.ts'),
    ]);
    const past = this.#recorder.past();
    const moment = momentOf(past, when);
    return openPast(storeAt(past, moment.revision), moment);
  }

  async diff(from: When, to: When = new Date(this.clock.now())): Promise<ClusterDiff> {
    this.#mustLive();
    const { diffOf } = await import('./time-travel/diff.ts');
    return diffOf(this.#recorder.past(), from, to);
  }

  async snapshot(): Promise<ClusterSnapshot> {
    this.#mustLive();
    if (!(this.clock instanceof VirtualClock))
      throw new ClusterUsageError('a cluster on real time does not stand still; snapshots are of virtual time');
    if (!this.#memory) throw new ClusterUsageError('snapshots are of the memory store; this one is LMDB');
    await this.#time.begin();
    await this.clock.settle();
    const nodes = await Promise.all((this.#simulated?.nodes ?? []).map((node) => node.snapshot()));
    return Object.freeze({
      format: 1,
      keysSeed: this.#keys.seed,
      keysState: this.#keys.state(),
      keyPairs: this.#keys.pairs(),
      authorityMs: this.#authorityMs,
      authorityPem: this.#plane.authority.certificatePem,
      nowMs: this.clock.now(),
      store: this.#memory.snapshot(),
      nodes,
      components: this.#components,
      ...(this.#controllers ? { controllers: this.#controllers } : {}),
      ...(this.#clusterCidrs ? { clusterCidrs: this.#clusterCidrs } : {}),
    });
  }

  async kubeconfig(): Promise<string> {
    this.#mustLive();
    this.#recorder.markUnrepeatable('a real endpoint was opened');
    this.#endpoint ??= this.#open();
    return (await this.#endpoint).kubeconfig;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    // What stands still does not end.
    if (this.clock instanceof FreezableClock) this.clock.flow();
    await this.#time.beginning?.catch(() => undefined);
    // Some end what they are at first, which may take a moment of the cluster's time.
    for (const component of this.#running.splice(0).reverse()) await this.#time.drive(component.stop());
    await (await this.#endpoint)?.close();
    await this.#plane.stop();
    this.#watch?.close();
    await this.#store.close();
  }

  // ── Within ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #startControllers(): Promise<void> {
    const { controllerSettings, runControllers } = await import('./controllers.ts');
    const log = this.#log.child('controller-manager');
    const settings = await controllerSettings(this.#plane.authority, this.#keys, this.#clusterCidrs);
    const place = this.#places.of('controller-manager');
    const { clock, link } = place;
    await place.run((random) =>
      runControllers({
        clientAs: (user: ClusterUser) => this.#clientAs(user, clock, link),
        clock,
        random,
        keys: this.#keys,
        log,
        settings,
        only: this.#controllers,
        featureGates: this.#gates(true),
      }),
    );
    this.#running.push(place);
  }

  async #startScheduler(): Promise<void> {
    const { runScheduler } = await import('../control-plane/scheduler/run-scheduler.ts');
    const place = this.#places.of('scheduler');
    const { clock, link } = place;
    const log = this.#log.child('scheduler');
    const { configuration, plugins = [] } = this.#options.scheduler ?? {};
    await place.run(async (random) =>
      runScheduler({
        client: this.#clientAs({ name: 'system:kube-scheduler' }, clock, link),
        clock,
        random,
        log,
        featureGates: this.#gates(false),
        watchSeconds: WATCH_SECONDS,
        plugins: enabledPlugins(plugins),
        ...(configuration ? { configuration } : {}),
      }),
    );
    this.#running.push(place);
  }

  /** The machines; made when somebody looks. */
  get #machines(): NodeGroup | undefined {
    this.#simulated ??= this.#makeNodes?.();
    return this.#simulated;
  }

  async #prepareNodes(): Promise<void> {
    const { NodeGroup: Group } = await import('./simulated-nodes.ts');
    const make = () =>
      new Group({
        nodes: this.#nodeSpecs,
        transportAs: async (user) => this.#plane.transportAs(user),
        clock: this.clock,
        random: this.#random,
        keys: this.#keys,
        log: this.#log,
        images: this.#images,
        watchSeconds: WATCH_SECONDS,
        drive: (work) => this.#time.drive(work),
        begin: () => this.#time.begin(),
        ...(this.#from ? { from: this.#from.nodes } : {}),
      });
    this.#makeNodes = make;
  }

  async #startNodes(nodes: NodeGroup): Promise<void> {
    await nodes.start();
    this.#running.push(nodes);
    // A restored cluster is as it was: its nodes may be away.
    if (this.#from) return;
    const networks = this.#components.includes('controller-manager');
    const count = this.#nodeSpecs.length;
    const ready = async () => (await ableNodes(this.client, networks)) >= count;
    await this.#time.until(ready, { what: `${count} nodes that are ready` });
  }

  async #startUserComponent(component: UserComponent): Promise<{ stop(): Promise<void> }> {
    const { name, user = { name, groups: ['system:masters'] } } = component;
    const place = this.#places.of(name, this.#random.fork('components'));
    const { clock, link } = place;
    const around = { clock, log: this.#log.child(name), keys: this.#keys, featureGates: this.#gates(true) };
    const start = async (random: Random) => {
      const client = this.#clientAs(user, clock, link);
      return startUserComponent(component, { ...around, client, random });
    };
    await this.#time.drive(place.run(start));
    this.#running.push(place);
    return place;
  }

  /**
   * What was loaded just now took real time, in which the components went on. How far must not show in the history, so
   * everything that is ready is done first.
   */
  async #settled(): Promise<void> {
    if (this.clock instanceof VirtualClock) await this.clock.settle();
  }

  /** Whether something is wrong that a test has made so. */
  #isTroubled(): boolean {
    if (this.#requests.any || this.#store.full || !this.#plane.running) return true;
    for (const place of this.#places) if (!place.isWhole) return true;
    return this.#simulated?.nodes.some((node) => !node.isWhole) ?? false;
  }

  #gates(otherwise: boolean) {
    return gatesOf(this.#options.featureGates ?? {}, otherwise);
  }

  #connect(): Promise<SimulatedConnector> {
    this.#connector ??= import('./nodes/connector.ts').then(
      ({ SimulatedConnector: Connector }) => new Connector(() => this.#machines),
    );
    return this.#connector;
  }

  async #open(): Promise<Endpoint> {
    const [{ openEndpoint }, { faultyEndpoint }] = await Promise.all([
      import('./endpoint.ts'),
      import('./faults/faulty-endpoint.ts'),
    ]);
    const { handle, whoIs, ways } = this.#plane;
    await this.#time.begin();
    return openEndpoint({
      handle: faultyEndpoint({ handle, whoIs, ways, clock: new RealClock() }),
      authority: this.#plane.authority,
      issue: (purpose, commonName, organizations, ips) =>
        this.#plane.issue({ commonName, organizations }, `${purpose} auth`, ips),
      random: this.#random,
      log: this.#log,
      port: this.#hooks.endpointPort ?? 0,
      ...(this.#simulated ? { nodes: { nodes: this.#simulated, connector: await this.#connect() } } : {}),
    });
  }

  #mustLive(): void {
    if (this.#disposed)
      throw new ClusterUsageError('the cluster has been disposed; make another one with createCluster');
  }
}
