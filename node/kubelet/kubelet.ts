import { nodes, pods, services } from '../../api/resources.ts';
import type { Node, Pod } from '../../api/types/core/v1.generated.ts';
import { LazyAbort } from '../../libs/base/abort.ts';
import { type Clock, formatTime } from '../../libs/base/clock.ts';
import type { Host } from '../../libs/base/host.ts';
import type { Keys } from '../../libs/base/keys.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Random } from '../../libs/base/random.ts';
import type { StoppableEventRecorder } from '../../libs/client/event-sink.ts';
import { createEventRecorder } from '../../libs/client/events.ts';
import type { Client, Informers } from '../../libs/kind/client.ts';
import { keyOf, type Live } from '../../libs/kind/object.ts';
import type { MetricSet } from '../../libs/metrics/metrics.ts';
import type { HostPorts } from '../cni/host-ports.ts';
import { ChangeSource, type RuntimeChange } from '../cri/changes.ts';
import type { CriClient } from '../cri/cri.ts';
import type { PodSandbox } from '../cri/schema.generated.ts';
import { admit, type Rejection } from './admission/admission.ts';
import { PREEMPTION, victimsOf } from './admission/preemption.ts';
import { DEFAULT_CONFIG, type KubeletConfig } from './config.ts';
import type { Connections } from './connections.ts';
import { Cgroups } from './containers/cgroups.ts';
import { ANNOTATION, LABEL } from './containers/labels.ts';
import { UserNamespaces } from './containers/user-namespaces.ts';
import type { KubeletEnvironment } from './environment.ts';
import { Eviction } from './eviction/eviction.ts';
import { Housekeeping } from './gc/housekeeping.ts';
import { ImagePuller } from './images/puller.ts';
import { KubeletMetrics } from './metrics.ts';
import { nodeIps } from './node-status/facts.ts';
import { NodeLease } from './node-status/lease.ts';
import { NodeStatusReporter } from './node-status/node-status.ts';
import { ReferencedObjects } from './objects.ts';
import { Allocations } from './pod/allocations.ts';
import { type NodePod, nameOf, namespaceOf, uidOf } from './pod/objects.ts';
import { isReplaced } from './pod/replaced.ts';
import { isAlive, type NodeDecision } from './pod/state.ts';
import { StatusWriter } from './pod/status-writer.ts';
import { PodWorker } from './pod/worker.ts';
import { countedRuntime } from './runtime-operations.ts';
import { isMirror, isStatic, StaticPods } from './static-pods/static-pods.ts';
import { ServiceAccountTokens } from './volumes/tokens.ts';
import { Volumes } from './volumes/volumes.ts';

export interface KubeletOptions {
  readonly nodeName: string;
  readonly client: Client;
  /** Shared with others of the process; asked for pods, services and nodes. */
  readonly informers: Informers;
  readonly cri: CriClient;
  readonly host: Host;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
  readonly connections: Connections;
  /** Default: the runtime's network leads ports of the node into pods by itself. */
  readonly hostPorts?: HostPorts;
  readonly config?: Partial<KubeletConfig>;
  /** Where it counts what it does, beside what is in there already. Default: a set of its own. */
  readonly metrics?: MetricSet;
  /**
   * It goes on where an earlier life of it was stopped for a moment, and nothing has changed since: its node is there and
   * has been told of, and that it starts is no news. Default false: as after any start of the process.
   */
  readonly resumed?: boolean;
}

/** A running kubelet. Disposing it stops it; its pods go on running. */
export interface Kubelet extends AsyncDisposable {
  readonly nodeName: string;
  readonly env: KubeletEnvironment;
  /** The pods that this node knows, static ones included. */
  pods(): readonly NodePod[];
  /** The pod's worker, for the kubelet's server. */
  workerOf(namespace: string, name: string): PodWorker | undefined;
}

/**
 * Starts a kubelet: the node is registered, what the runtime has is taken over, and pods of this node are run; those of
 * manifests at once, whether the API is there or not.
 * Resolves when the runtime has answered and the first state of the API is known. Rejects when the runtime does not
 * answer at all.
 *
 *     await using kubelet = await startKubelet({ nodeName: 'node-1', client, informers, cri, host, … });
 */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const kubelet = new NodeKubelet(options);
  await kubelet.start();
  return kubelet;
}

class NodeKubelet implements Kubelet {
  readonly nodeName: string;
  readonly env: KubeletEnvironment;
  readonly #options: KubeletOptions;
  readonly #events: StoppableEventRecorder;
  readonly #workers = new Map<string, PodWorker>();
  readonly #status: NodeStatusReporter;
  readonly #lease: NodeLease;
  readonly #changes: ChangeSource;
  readonly #disposables: Disposable[] = [];
  #statics: StaticPods | undefined;
  readonly #housekeeping: Housekeeping;
  readonly #eviction: Eviction;
  /** Pods that the runtime had when this kubelet began: they were taken before, and are not asked again. */
  #found: ReadonlySet<string> = new Set();
  /** Pods for which the API is asked what the node is now. */
  readonly #confirming = new Map<string, NodePod>();
  #appArmor = false;
  #runtimeName = '';
  #hostIps: readonly string[] = [];
  #stopped = false;
  readonly #ended = new LazyAbort(() => new Error('the kubelet stops'));
  /** What an earlier kubelet left has been found: what comes from now on is new. */
  #adopted = false;

  constructor(options: KubeletOptions) {
    const { client, clock, host, nodeName, keys, random, connections, informers, metrics } = options;
    const cri = metrics ? countedRuntime(options.cri, metrics, clock) : options.cri;
    const config: KubeletConfig = { ...DEFAULT_CONFIG, ...options.config };
    const log = options.log.child('kubelet', { node: nodeName });
    this.#options = options;
    this.nodeName = nodeName;
    this.#events = createEventRecorder({ client, clock, log, component: 'kubelet', host: nodeName });
    const objects = new ReferencedObjects(client, clock);
    const tokens = new ServiceAccountTokens(client, clock);
    this.env = {
      nodeName,
      config,
      client,
      cri,
      host,
      clock,
      random: random.fork('kubelet'),
      keys,
      log,
      events: this.#events,
      connections,
      hostPorts: options.hostPorts,
      objects,
      volumes: new Volumes({ host, clock, log, objects, tokens, rootDirectory: config.rootDirectory }),
      puller: new ImagePuller({ cri, clock, maxParallel: config.maxParallelImagePulls }),
      cgroups: new Cgroups(host, config.cgroupRoot, config.podPidsLimit),
      userNamespaces: new UserNamespaces({ cri, files: host.files, ...config }),
      statuses: new StatusWriter(client, clock, log),
      allocations: new Allocations(host.files, config.rootDirectory, log),
      runtimeName: () => this.#runtimeName,
      hostIps: () => this.#hostIps,
      allocatable: () => this.#status.allocatable,
      metrics: new KubeletMetrics(options.metrics),
      nodeMemoryBytes: host.facts.memoryBytes,
      services: () => informers.informer(services).list(),
    };
    this.#changes = new ChangeSource({
      client: cri,
      clock,
      log,
      changed: (changes) => {
        for (const [uid, own] of Map.groupBy(changes, ({ podUid }: RuntimeChange) => podUid))
          this.#workers.get(uid)?.changed(own);
      },
    });
    this.#status = new NodeStatusReporter({
      env: this.env,
      followed: () => informers.informer(nodes).get(nodeName),
      listedAgoMs: () => {
        const { listedMs } = this.#changes;
        return listedMs === undefined ? undefined : clock.monotonic() - listedMs;
      },
      pressures: () => this.#eviction.conditions,
      resumed: options.resumed ?? false,
    });
    this.#eviction = new Eviction({
      env: this.env,
      active: () => this.#active(),
      evict: (uid, message, graceMs) => this.#workers.get(uid)?.evict(message, graceMs),
      reclaimDisk: () => this.#housekeeping.reclaimDisk(),
      changed: () => this.#status.poke(),
    });
    this.#housekeeping = new Housekeeping({
      env: this.env,
      workers: () => this.#workers.values(),
      isKnown: (uid) => this.#workers.has(uid),
      adopt: async () => {
        if (this.#hasStrangers()) await this.#adopt();
        await this.#statics?.removeOrphanedMirrors();
      },
    });
    this.#lease = new NodeLease({
      client,
      clock,
      log,
      nodeName,
      durationSeconds: config.nodeLeaseDurationSeconds,
      node: () => this.#status.node,
    });
  }

  async start(): Promise<void> {
    const { informers, host } = this.#options;
    const { config } = this.env;
    this.#hostIps = nodeIps(host, config);
    this.#runtimeName = await this.#status.prepare();
    this.#appArmor = (await host.files.readTextIfExists(APP_ARMOR).catch(() => undefined))?.trim() === 'Y';
    await this.env.allocations.start();
    await this.#eviction.start();
    this.#status.start();
    this.#lease.start();
    const informer = informers.informer(pods);
    informers.informer(services);
    informers.informer(nodes);
    const { items } = await this.env.cri.listPodSandbox({});
    this.#found = new Set(items.map(({ labels }) => labels[LABEL.podUid] ?? ''));
    this.#changes.start();
    this.#statics = new StaticPods({
      env: this.env,
      informer,
      node: () => this.#status.node,
      run: (pod) => this.#runStatic(pod, items),
      isHere: (uid) => this.#workers.has(uid),
      end: (pod) => this.#endStatic(pod),
    });
    // These run while the API is away, which they may be what is waited for.
    await this.#statics.start();
    await informers.synced();
    // Who was here first is taken first.
    const mine = informer.list().filter(({ spec }) => spec?.nodeName === this.nodeName);
    for (const pod of [...mine].sort(byAge)) this.#podChanged(pod, undefined);
    this.#disposables.push(informer.on((pod, previous) => this.#podChanged(pod, previous)));
    this.#statics.mirror();
    await this.#statics.removeOrphanedMirrors();
    await this.#adopt();
    this.#adopted = true;
    await this.#housekeeping.removeOrphans();
    this.#housekeeping.start();
  }

  pods(): readonly NodePod[] {
    return Array.from(this.#workers.values(), (worker) => this.env.statuses.latest(worker.pod));
  }

  workerOf(namespace: string, name: string): PodWorker | undefined {
    for (const worker of this.#workers.values()) {
      if (nameOf(worker.pod) === name && namespaceOf(worker.pod) === namespace) return worker;
    }
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#ended.abort();
    for (const one of this.#disposables) one[Symbol.dispose]();
    await Promise.all([
      this.#changes.stop(),
      this.#eviction.stop(),
      this.#status.stop(),
      this.#lease.stop(),
      this.#statics?.stop(),
      this.#housekeeping.stop(),
    ]);
    await Promise.all(Array.from(this.#workers.values(), (worker) => worker.stop()));
    await this.env.statuses.stop();
    await this.#events.stop();
  }

  #podChanged(pod: Live<Pod> | undefined, previous: Live<Pod> | undefined): void {
    const mine = pod?.spec?.nodeName === this.nodeName;
    if (!mine && previous?.spec?.nodeName !== this.nodeName) return;
    const either = (pod ?? previous) as NodePod;
    if (isMirror(either)) {
      // What it mirrors is run from its manifest; a mirror that is gone is made anew.
      this.#workers.get(either.metadata?.annotations?.[ANNOTATION.configMirror] ?? '')?.poke();
      if (!pod) this.#statics?.mirror();
      else if (pod.metadata.deletionTimestamp) void this.#delete(pod);
      return;
    }
    if (!pod) this.#confirming.delete(uidOf(either));
    if (!pod) this.#workers.get(uidOf(previous as NodePod))?.update(undefined);
    else if (mine) this.#run(pod);
  }

  #run(pod: NodePod, unwanted = false): void {
    if (this.#stopped) return;
    const known = this.#workers.get(uidOf(pod));
    if (known) return known.update(pod);
    if (this.#confirming.has(uidOf(pod))) return void this.#confirming.set(uidOf(pod), pod);
    const rejection = unwanted || this.#wasTaken(pod) ? undefined : this.#admit(pod, this.#status.node);
    if (!rejection) return this.#begin(pod, unwanted);
    if (!BY_NODE.has(rejection.reason)) {
      const victims = rejection.reason.startsWith('OutOf')
        ? victimsOf(pod, this.#active(), this.env.allocatable())
        : [];
      if (victims.length === 0) return this.#reject(pod, rejection);
      this.#confirming.set(uidOf(pod), pod);
      return void this.#preempt(pod, victims);
    }
    // What is known of the node may be old: labels and taints change without us.
    this.#confirming.set(uidOf(pod), pod);
    void this.#confirm(pod);
  }

  async #confirm({ metadata }: NodePod): Promise<void> {
    const node = await this.env.client
      .resource(nodes)
      .get(this.nodeName)
      .catch(() => this.#status.node);
    const uid = metadata?.uid ?? '';
    const pod = this.#confirming.get(uid);
    this.#confirming.delete(uid);
    if (!pod || this.#stopped) return;
    const rejection = this.#admit(pod, node);
    if (rejection) this.#reject(pod, rejection);
    else this.#begin(pod);
  }

  /** Ends others for a critical pod, which begins once nothing of them runs. */
  async #preempt({ metadata }: NodePod, victims: readonly NodePod[]): Promise<void> {
    const workers = victims.flatMap((victim) => this.#workers.get(uidOf(victim)) ?? []);
    for (const worker of workers) worker.evict(PREEMPTION.message, Number.POSITIVE_INFINITY, PREEMPTION.reason);
    const uid = metadata?.uid ?? '';
    while (
      !this.#stopped &&
      this.#confirming.has(uid) &&
      workers.some(({ observed }) => observed.containers.some(isAlive))
    )
      await this.env.clock.sleep(PREEMPTION_LOOK_MS, this.#ended.signal).catch(() => {});
    const pod = this.#confirming.get(uid);
    this.#confirming.delete(uid);
    if (!pod || this.#stopped) return;
    const rejection = this.#admit(pod, this.#status.node);
    if (rejection) this.#reject(pod, rejection);
    else this.#begin(pod);
  }

  /** An earlier kubelet of this node took it, or it needs nothing any more. */
  #wasTaken({ metadata, status }: NodePod): boolean {
    if (metadata?.deletionTimestamp || status?.startTime || this.#found.has(metadata?.uid ?? '')) return true;
    return status?.phase === 'Failed' || status?.phase === 'Succeeded';
  }

  #active(): NodePod[] {
    return Array.from(this.#workers.values())
      .filter(({ active }) => active)
      .map(({ allocated }) => allocated);
  }

  #admit(pod: NodePod, node: Live<Node> | undefined): Rejection | undefined {
    return admit({
      pod,
      others: this.#active(),
      node,
      allocatable: this.env.allocatable(),
      os: this.env.host.facts.platform,
      pressures: this.#eviction.conditions,
      appArmor: this.#appArmor,
    });
  }

  #reject(pod: NodePod, { reason, message }: Rejection): void {
    this.#events.event(pod as Live<Pod>, 'Warning', reason, message);
    this.#begin(pod, false, { phase: 'Failed', reason, message: `Pod was rejected: ${message}`, rejected: true });
  }

  #begin(pod: NodePod, unwanted = false, rejected?: NodeDecision): void {
    const worker = new PodWorker({
      env: this.env,
      pod,
      unwanted,
      ...(rejected && { rejected }),
      fresh: this.#adopted && !this.#inRuntime(uidOf(pod)),
      others: () => this.#active().filter((one) => uidOf(one) !== uidOf(pod)),
      apiPod: (own) => (isStatic(own) ? this.#statics?.mirrorOf(own) : own),
      terminated: (ended) => (isStatic(ended) ? this.#staticEnded(ended) : this.#delete(ended)),
      gone: (uid) => {
        this.#workers.delete(uid);
        this.#statics?.ended();
      },
    });
    this.#workers.set(uidOf(pod), worker);
    worker.poke();
  }

  #inRuntime(uid: string): boolean {
    for (const sandbox of this.#changes.view.sandboxes.values()) if (sandbox.podUid === uid) return true;
    return false;
  }

  /**
   * Runs a pod of a manifest; false while another pod of its name is here: the one of an earlier manifest, which may have
   * the same port, or the same folder. `found`: the sandboxes that an earlier kubelet left.
   */
  #runStatic(pod: NodePod, found: readonly PodSandbox[]): boolean {
    const [name, namespace, uid] = [nameOf(pod), namespaceOf(pod), uidOf(pod)];
    // What the API knows may not be known yet: only what came from a manifest is judged by one.
    const earlier = ({ labels, annotations }: PodSandbox) =>
      annotations[ANNOTATION.configSource] === 'file' && labels[LABEL.podUid] !== uid && isOf(labels, pod);
    if (!this.#adopted) this.#endLeft(found.filter(earlier));
    const before = this.workerOf(namespace, name);
    if (before && before.uid !== uid) return false;
    this.#run(pod);
    return true;
  }

  #endStatic(pod: NodePod): void {
    const deletionTimestamp = formatTime(this.env.clock.now());
    this.#workers.get(uidOf(pod))?.update({ ...pod, metadata: { ...pod.metadata, deletionTimestamp } });
  }

  /** Its mirror goes too, whenever the API is there: who waits for the pod's name and port does not wait for that. */
  async #staticEnded(pod: NodePod): Promise<void> {
    void this.#statics?.removeMirror(pod);
    this.#workers.get(uidOf(pod))?.update(undefined);
  }

  /** Tells the API that the pod's object may go. */
  async #delete(pod: NodePod): Promise<void> {
    const { client, clock } = this.env;
    const uid = uidOf(pod);
    for (;;) {
      try {
        const options = { gracePeriodSeconds: 0, preconditions: { uid } };
        return await client.resource(pods).namespace(namespaceOf(pod)).delete(nameOf(pod), options);
      } catch (error) {
        if (this.#stopped || (await isReplaced(this.env.client, pod, error))) return;
        this.env.log.warn('a pod’s object could not be deleted', { pod: keyOf(pod as Pod), error });
        await clock.sleep(1_000);
      }
    }
  }

  /** Whether the runtime is known to have pods that are not known here. */
  #hasStrangers(): boolean {
    for (const { podUid } of this.#changes.view.sandboxes.values()) if (!this.#workers.has(podUid)) return true;
    return false;
  }

  /** Takes over what an earlier kubelet left in the runtime: pods that nobody wants any more are ended. */
  async #adopt(): Promise<void> {
    this.#endLeft((await this.env.cri.listPodSandbox({})).items);
  }

  #endLeft(sandboxes: readonly PodSandbox[]): void {
    const informer = this.#options.informers.informer(pods);
    for (const { labels } of sandboxes) {
      const uid = labels[LABEL.podUid];
      const name = labels[LABEL.podName];
      const namespace = labels[LABEL.podNamespace];
      // Without these it is nobody's pod: it was made by other means, and is left alone.
      if (!uid || !name || !namespace || this.#workers.has(uid)) continue;
      if (informer.get(`${namespace}/${name}`)?.metadata.uid === uid) continue;
      this.#run({ kind: 'Pod', apiVersion: 'v1', metadata: { name, namespace, uid }, spec: { containers: [] } }, true);
    }
  }
}

const isOf = (labels: PodSandbox['labels'], pod: NodePod): boolean =>
  labels[LABEL.podName] === nameOf(pod) && labels[LABEL.podNamespace] === namespaceOf(pod);

const PREEMPTION_LOOK_MS = 100;
const APP_ARMOR = '/sys/module/apparmor/parameters/enabled';
/** Reasons that depend on what the node's object says. */
const BY_NODE: ReadonlySet<string> = new Set(['NodeAffinity', 'TaintToleration']);

const byAge = (a: Live<Pod>, b: Live<Pod>): number => {
  const [x, y] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return x < y ? -1 : x > y ? 1 : 0;
};
