import {
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  deviceClasses,
  namespaces,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  resourceClaims,
  resourceSlices,
  services,
  statefulSets,
  storageClasses,
  volumeAttachments,
} from '../../api/resources.ts';
import type { Clock } from '../../libs/base/clock.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Random } from '../../libs/base/random.ts';
import type { Client, Informers } from '../../libs/kind/client.ts';
import { type ApiObject, keyOf, type Live, type ResourceRef } from '../../libs/kind/object.ts';
import type { EventRecorder, FeatureGates } from '../../libs/kind/reconciler.ts';
import type { MetricSet } from '../../libs/metrics/metrics.ts';
import { ApiBinder } from './api-binder.ts';
import type { Node, ObjectKinds, Pod } from './cache/cluster-objects.ts';
import { nodeDiffers, podDiffers } from './cache/differences.ts';
import type { PodInfo } from './cache/pod-info.ts';
import { profilesOf, type SchedulerConfiguration } from './configuration.ts';
import { type Decision, Scheduler } from './cycle/scheduler.ts';
import type { ClusterEvent, EventAction, EventKind } from './framework/events.ts';
import type { EnabledPlugin } from './framework/profile.ts';
import { type SchedulerMetrics, schedulerMetrics } from './metrics.ts';
import { type QueuedPod, SchedulingQueue } from './queue/scheduling-queue.ts';
import { podResourceMetrics } from './resource-metrics.ts';

export interface SchedulerEnvironment {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Events of `events.k8s.io`, as `createSeriesEventRecorder` makes them. */
  readonly events: EventRecorder;
  readonly featureGates: FeatureGates;
  readonly configuration?: SchedulerConfiguration;
  /** Beside the built-in ones. */
  readonly plugins?: readonly EnabledPlugin[];
  /** Where attempts and waiting pods are counted. */
  readonly metrics?: MetricSet;
}

export interface RunningScheduler {
  /** For reading: what it knows, and to ask where a pod would go. */
  readonly scheduler: Scheduler;
  /** `/metrics/resources`: what each pod asks for, and may have at most. */
  resourceMetrics(): Promise<string>;
  /** Resolves when nothing is being decided or written any more. Idempotent. */
  stop(): Promise<void>;
}

/** The kinds that are kept as they are told, beside pods and nodes. */
const KEPT: Readonly<Record<keyof ObjectKinds, ResourceRef>> = {
  Namespace: namespaces as ResourceRef,
  Service: services as ResourceRef,
  ReplicationController: replicationControllers as ResourceRef,
  ReplicaSet: replicaSets as ResourceRef,
  StatefulSet: statefulSets as ResourceRef,
  PersistentVolume: persistentVolumes as ResourceRef,
  PersistentVolumeClaim: persistentVolumeClaims as ResourceRef,
  StorageClass: storageClasses as ResourceRef,
  CSINode: csiNodes as ResourceRef,
  CSIDriver: csiDrivers as ResourceRef,
  CSIStorageCapacity: csiStorageCapacities as ResourceRef,
  VolumeAttachment: volumeAttachments as ResourceRef,
  PodDisruptionBudget: podDisruptionBudgets as ResourceRef,
  ResourceClaim: resourceClaims as ResourceRef,
  ResourceSlice: resourceSlices as ResourceRef,
  DeviceClass: deviceClasses as ResourceRef,
};

/** Kinds whose changes say nothing to a waiting pod. */
const SILENT: ReadonlySet<string> = new Set([
  'ReplicationController',
  'ReplicaSet',
  'StatefulSet',
  'PodDisruptionBudget',
]);

/** Bindings under way at once: more would only wait in the API server. */
const BINDINGS_MAX = 256;
/** How long cycles run without letting others run, and how many: in virtual time none of them lasts. */
const SLICE_MS = 8;
const SLICE_CYCLES = 16;

/**
 * Starts the scheduler of a cluster: follows what decisions rest on, decides pod after pod, binds beside that.
 *
 *     const scheduler = await startScheduler({ client, informers, clock, random, log, events, featureGates });
 *     …
 *     await scheduler.stop();
 */
export async function startScheduler(environment: SchedulerEnvironment): Promise<RunningScheduler> {
  const running = new ClusterScheduler(environment);
  await running.start();
  return running;
}

class ClusterScheduler implements RunningScheduler {
  readonly scheduler: Scheduler;
  readonly #environment: SchedulerEnvironment;
  readonly #queue: SchedulingQueue;
  readonly #binder: ApiBinder;
  readonly #metrics: SchedulerMetrics | undefined;
  readonly #subscriptions: Disposable[] = [];
  readonly #stopped = new AbortController();
  readonly #bindings = new Set<Promise<void>>();
  #started = false;
  #loop: Promise<void> | undefined;
  #bindingDone: (() => void) | undefined;
  readonly #ended = new Promise<void>((resolve) => {
    this.#stopped.signal.addEventListener('abort', () => resolve(), { once: true });
  });

  constructor(environment: SchedulerEnvironment) {
    this.#environment = environment;
    const { clock, random, featureGates, configuration = {}, plugins } = environment;
    const profiles = profilesOf(configuration, featureGates, plugins);
    const counted = { profiles, queue: () => this.#queue, bindings: () => this.#bindings.size };
    this.#metrics = environment.metrics && schedulerMetrics(environment.metrics, clock, counted);
    const times = this.#metrics;
    this.scheduler = new Scheduler({ profiles, random: random.fork('scheduler'), ...(times && { times }) });
    const order = profiles[0]?.at('queueSort')[0];
    this.#queue = new SchedulingQueue({
      clock,
      compare: (a, b) => order?.queueSort(a, b) ?? a.sequence - b.sequence,
      helps: (pod, refusedBy, event) => this.scheduler.profileOf(pod)?.helps(pod, refusedBy, event) ?? false,
      ready: () => this.#wake(),
      ...(this.#metrics && { came: this.#metrics.came }),
    });
    this.#binder = new ApiBinder(environment, this.#stopped.signal);
  }

  async start(): Promise<void> {
    const { informers } = this.#environment;
    for (const [kind, ref] of Object.entries(KEPT) as [keyof ObjectKinds, ResourceRef][]) {
      const informer = informers.informer(ref);
      this.#subscriptions.push(informer.on((object, previous) => this.#kept(kind, object, previous)));
    }
    this.#subscriptions.push(
      informers
        .informer(nodes)
        .on((object, previous) => this.#node(object as Node | undefined, previous as Node | undefined)),
      informers
        .informer(pods)
        .on((object, previous) => this.#pod(object as Pod | undefined, previous as Pod | undefined)),
    );
    await informers.synced(this.#stopped.signal);
    this.#started = true;
    this.#wake();
  }

  resourceMetrics(): Promise<string> {
    const { informers, clock } = this.#environment;
    return podResourceMetrics(informers, clock);
  }

  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the scheduler has stopped'));
    for (const subscription of this.#subscriptions.splice(0)) subscription[Symbol.dispose]();
    this.#queue.close();
    this.#bindingDone?.();
    await this.#loop;
    await Promise.all(this.#bindings);
  }

  // ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────

  #tell(kind: EventKind, action: EventAction, object: object | undefined, previous: object | undefined): void {
    this.#queue.event({ kind, action, object, previous });
  }

  #kept(kind: keyof ObjectKinds, object: Live<ApiObject> | undefined, previous: Live<ApiObject> | undefined): void {
    if (object) this.scheduler.setObject(kind, object);
    else if (previous) this.scheduler.deleteObject(kind, keyOf(previous));
    if (SILENT.has(kind)) return;
    this.#tell(kind as EventKind, action(object, previous), object, previous);
    if (kind === 'ResourceClaim') this.#queue.admit((pod) => !this.scheduler.preEnqueue(pod));
  }

  #node(object: Node | undefined, previous: Node | undefined): void {
    if (object) {
      if (previous && !nodeDiffers(object, previous)) return;
      this.scheduler.setNode(object);
    } else if (previous) this.scheduler.deleteNode(previous.metadata?.name ?? '');
    this.#tell('Node', action(object, previous), object, previous);
  }

  #pod(object: Pod | undefined, previous: Pod | undefined): void {
    const pod = (object ?? previous) as Pod;
    const uid = pod.metadata?.uid ?? '';
    if (!object || isFinished(object)) {
      const placed = this.scheduler.state.placeOf(uid) !== undefined;
      this.#queue.delete(uid);
      const nominated = this.scheduler.nominator.nodeOf(uid) !== undefined;
      this.scheduler.deletePod(uid);
      // What it had, or was about to have, is free.
      if (placed || nominated) this.#tell('Pod', 'delete', undefined, previous ?? pod);
      return;
    }
    if (previous && !podDiffers(object, previous)) return;
    const info = this.scheduler.read(object);
    if (object.spec?.nodeName) {
      this.#queue.delete(uid);
      this.scheduler.setPlacedPod(info);
      this.#tell(
        'Pod',
        previous?.spec?.nodeName ? 'update' : 'add',
        object,
        previous?.spec?.nodeName ? previous : undefined,
      );
      return;
    }
    if (!this.scheduler.profileOf(info) || this.scheduler.isAssumed(uid)) return;
    if (object.metadata?.deletionTimestamp) {
      this.#queue.delete(uid);
      return;
    }
    this.#waiting(info, previous);
  }

  #waiting(info: PodInfo, previous: Pod | undefined): void {
    const nominated = info.pod.status?.nominatedNodeName;
    if (nominated) this.scheduler.nominator.set(info, nominated);
    const refusal = this.scheduler.preEnqueue(info);
    if (refusal?.plugin === 'SchedulingGates') this.#binder.gated(info, refusal.reasons.join(', '));
    const event: ClusterEvent = { kind: 'Pod', action: 'self', object: info.pod, previous };
    if (previous) this.#queue.update(info, event, refusal?.plugin);
    else this.#queue.add(info, refusal?.plugin);
  }

  // ── cycles ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #wake(): void {
    if (!this.#started || this.#loop || this.#stopped.signal.aborted) return;
    this.#loop = this.#run().finally(() => {
      this.#loop = undefined;
    });
  }

  async #run(): Promise<void> {
    const { clock } = this.#environment;
    await this.#breathe();
    let sliceMs = clock.monotonic();
    let cycles = 0;
    while (!this.#stopped.signal.aborted) {
      if (this.#bindings.size >= BINDINGS_MAX) {
        await new Promise<void>((resolve) => {
          this.#bindingDone = resolve;
        });
        continue;
      }
      const queued = this.#queue.pop();
      if (!queued) return;
      this.#cycle(queued);
      if (++cycles < SLICE_CYCLES && clock.monotonic() - sliceMs < SLICE_MS) continue;
      await this.#breathe();
      sliceMs = clock.monotonic();
      cycles = 0;
    }
  }

  /** Lets others run; not longer than until the end, as time that stands still would never come back here. */
  async #breathe(): Promise<void> {
    await Promise.race([this.#environment.clock.yield(), this.#ended]);
  }

  #cycle(queued: QueuedPod): void {
    const { pod } = queued;
    const { clock } = this.#environment;
    const beganMs = clock.monotonic();
    let decision: Decision;
    try {
      decision = this.scheduler.schedule(pod, clock.now());
    } catch (error) {
      this.#environment.log.error('a scheduling cycle broke', { pod: pod.key, error });
      decision = { type: 'error', message: String((error as Error).message), plugin: '' };
    }
    this.#metrics?.decided(clock.monotonic() - beganMs);
    if (decision.type === 'node') {
      const binding = this.#bind(queued, decision.node, beganMs).finally(() => {
        this.#bindings.delete(binding);
        this.#bindingDone?.();
        this.#bindingDone = undefined;
        this.#wake();
      });
      this.#bindings.add(binding);
    } else this.#refused(queued, decision, beganMs);
  }

  async #bind(queued: QueuedPod, node: string, beganMs: number): Promise<void> {
    const { pod } = queued;
    try {
      const refusal = await this.scheduler.bind(pod, node, this.#binder);
      if (!refusal) {
        this.#attempted(queued, 'scheduled', beganMs);
        this.#binder.scheduled(pod, node);
        return;
      }
      this.#unbound(queued, refusal.reasons.join(', '), beganMs);
    } catch (error) {
      if (!this.#stopped.signal.aborted) this.#unbound(queued, String((error as Error).message), beganMs);
    }
  }

  #unbound(queued: QueuedPod, message: string, beganMs: number): void {
    const { pod } = queued;
    const placed = this.scheduler.isAssumed(pod.uid);
    this.scheduler.forget(pod.uid);
    // Gone, or bound by somebody else in the meantime: nothing to try again.
    if (!placed) return;
    this.#tell('Pod', 'delete', undefined, pod.pod);
    this.#refused(queued, { type: 'error', message, plugin: '' }, beganMs);
  }

  #attempted(queued: QueuedPod, result: Parameters<SchedulerMetrics['attempted']>[1], beganMs: number): void {
    this.#metrics?.attempted(queued, result, beganMs);
  }

  #refused(queued: QueuedPod, decision: Exclude<Decision, { type: 'node' }>, beganMs: number): void {
    this.#attempted(queued, decision.type, beganMs);
    const current = this.#environment.informers.informer(pods).get(queued.pod.key);
    if (!current || current.metadata.uid !== queued.pod.uid || current.spec?.nodeName) return;
    const pod = this.scheduler.read(current as Pod);
    if (decision.type === 'error') {
      this.#environment.log.warn('a pod could not be scheduled', { pod: pod.key, message: decision.message });
      this.#queue.failed(queued, pod);
      this.#binder.refused(pod, 'SchedulerError', decision.message, undefined);
      return;
    }
    const { nomination, message } = decision;
    this.#queue.unschedulable(
      queued,
      pod,
      nomination ? new Set([...decision.plugins, 'DefaultPreemption']) : decision.plugins,
    );
    if (nomination) {
      this.#metrics?.preempted(nomination.victims.length);
      for (const other of this.scheduler.nominator.on(nomination.node)) {
        if (other.priority >= pod.priority || other.uid === pod.uid) continue;
        this.scheduler.nominator.delete(other.uid);
        this.#binder.clearNomination(other);
      }
      this.scheduler.nominator.set(pod, nomination.node);
    }
    this.#binder.refused(pod, 'Unschedulable', message, nomination);
  }
}

const isFinished = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';

function action(object: object | undefined, previous: object | undefined): EventAction {
  if (!object) return 'delete';
  return previous ? 'update' : 'add';
}
