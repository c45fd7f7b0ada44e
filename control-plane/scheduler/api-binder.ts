import { persistentVolumeClaims, persistentVolumes, pods, resourceClaims } from '../../api/resources.ts';
import type { Binding } from '../../api/types/core/v1.generated.ts';
import { formatTime } from '../../libs/base/clock.ts';
import { inOnePiece } from '../../libs/base/text.ts';
import type { ApiObject, ResourceRef } from '../../libs/kind/object.ts';
import { ApiError } from '../../libs/machinery/errors.ts';
import type { Pod } from './cache/cluster-objects.ts';
import type { PodInfo } from './cache/pod-info.ts';
import type { BindApi } from './framework/plugin.ts';
import type { SchedulerEnvironment } from './start-scheduler.ts';

const WRITTEN: Readonly<Record<string, ResourceRef>> = {
  PersistentVolume: persistentVolumes as ResourceRef,
  PersistentVolumeClaim: persistentVolumeClaims as ResourceRef,
  ResourceClaim: resourceClaims as ResourceRef,
};

interface Nomination {
  readonly node: string;
  readonly victims: readonly PodInfo[];
}

/** Everything that the scheduler writes: bindings, conditions, evictions of victims, events. */
export class ApiBinder implements BindApi {
  readonly #environment: SchedulerEnvironment;
  readonly #signal: AbortSignal;

  constructor(environment: SchedulerEnvironment, signal: AbortSignal) {
    this.#environment = environment;
    this.#signal = signal;
  }

  nowMs(): number {
    return this.#environment.clock.now();
  }

  async bindPod(pod: Pod, node: string): Promise<void> {
    const { name = '', namespace = '', uid } = pod.metadata ?? {};
    const binding: Binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, namespace, ...(uid ? { uid } : {}) },
      target: { kind: 'Node', name: node },
    };
    await this.#pods(namespace).subresource<Binding>('binding').create(binding, { name, signal: this.#signal });
  }

  async update(kind: string, object: object): Promise<object> {
    return this.#resource(kind, object).update(object as ApiObject, { signal: this.#signal });
  }

  async updateStatus(kind: string, object: object): Promise<object> {
    return this.#resource(kind, object)
      .subresource('status')
      .update(object as ApiObject, { signal: this.#signal });
  }

  async waitFor(
    kind: string,
    key: string,
    test: (object: object | undefined) => boolean,
    timeoutMs: number,
  ): Promise<boolean> {
    const { informers, clock } = this.#environment;
    const informer = informers.informer(WRITTEN[kind] as ResourceRef);
    if (test(informer.get(key))) return true;
    return new Promise((resolve) => {
      const finish = (found: boolean) => {
        timer.cancel();
        subscription[Symbol.dispose]();
        this.#signal.removeEventListener('abort', giveUp);
        resolve(found);
      };
      const giveUp = () => finish(false);
      const timer = clock.setTimer(giveUp, timeoutMs);
      // Tells first of what is there, before the subscription can be ended: later changes are looked up by key.
      const subscription = informer.on(() => {
        queueMicrotask(() => test(informer.get(key)) && finish(true));
      });
      this.#signal.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** Says that a pod has got its node. */
  scheduled({ pod, key }: PodInfo, node: string): void {
    this.#environment.events.event(
      named(pod),
      'Normal',
      'Scheduled',
      inOnePiece('Successfully assigned ', key, ' to ', node),
      'Binding',
    );
  }

  /** Writes why a pod has no node, and makes room where preemption found some. */
  refused(pod: PodInfo, reason: string, message: string, nomination: Nomination | undefined): void {
    this.#environment.events.event(named(pod.pod), 'Warning', 'FailedScheduling', message, 'Scheduling');
    this.#do('the condition of a pod', async () => {
      for (const victim of nomination?.victims ?? []) await this.#preempt(victim, pod, nomination?.node ?? '');
      const condition = { type: 'PodScheduled', status: 'False', reason, message };
      await this.#patchStatus(pod, {
        ...(this.#hasCondition(pod, condition) ? {} : { conditions: [this.#timed(pod, condition)] }),
        ...(nomination ? { nominatedNodeName: nomination.node } : {}),
      });
    });
  }

  gated(pod: PodInfo, message: string): void {
    const condition = { type: 'PodScheduled', status: 'False', reason: 'SchedulingGated', message };
    // The API server writes it when the pod is made.
    if (this.#hasCondition(pod, condition)) return;
    this.#do('the condition of a gated pod', () =>
      this.#patchStatus(pod, { conditions: [this.#timed(pod, condition)] }),
    );
  }

  /** A pod of lower priority no longer waits for the node that a more important one has been given. */
  clearNomination(pod: PodInfo): void {
    this.#do('a nomination', () => this.#patchStatus(pod, { nominatedNodeName: null }));
  }

  async #preempt(victim: PodInfo, by: PodInfo, node: string): Promise<void> {
    if (victim.terminating) return;
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `${by.schedulerName}: preempting to accommodate a higher priority pod`,
    };
    try {
      await this.#patchStatus(victim, { conditions: [this.#timed(victim, condition)] });
      await this.#pods(victim.namespace).delete(victim.name, {
        preconditions: { uid: victim.uid },
        signal: this.#signal,
      });
    } catch (error) {
      // Gone already: that is what was wanted.
      if (!(error instanceof ApiError) || (error.code !== 404 && error.code !== 409)) throw error;
    }
    const { events } = this.#environment;
    events.event(named(victim.pod), 'Normal', 'Preempted', `Preempted by pod ${by.uid} on node ${node}`, 'Preempting');
  }

  #timed(pod: PodInfo, condition: { type: string; status: string }): object {
    const now = formatTime(this.#environment.clock.now());
    const before = pod.pod.status?.conditions?.find(({ type }) => type === condition.type);
    const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
    const { generation } = pod.pod.metadata ?? {};
    return {
      ...condition,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      lastProbeTime: null,
      lastTransitionTime: since ?? now,
    };
  }

  #hasCondition(pod: PodInfo, wanted: { type: string; status: string; reason: string; message: string }): boolean {
    return (
      pod.pod.status?.conditions?.some(
        ({ type, status, reason, message }) =>
          type === wanted.type && status === wanted.status && reason === wanted.reason && message === wanted.message,
      ) ?? false
    );
  }

  async #patchStatus(pod: PodInfo, status: object): Promise<void> {
    if (Object.keys(status).length === 0) return;
    const patch = { metadata: { uid: pod.uid }, status };
    await this.#pods(pod.namespace)
      .subresource('status')
      .patch(pod.name, patch, { type: 'strategic', signal: this.#signal });
  }

  #pods(namespace: string) {
    return this.#environment.client.resource(pods).namespace(namespace);
  }

  #resource(kind: string, object: object) {
    const resource = this.#environment.client.resource(WRITTEN[kind] as ResourceRef);
    const { namespace } = (object as ApiObject).metadata ?? {};
    return namespace ? resource.namespace(namespace) : resource;
  }

  /** In the background: a write that fails is told, and the next cycle writes anew. */
  #do(what: string, write: () => Promise<void>): void {
    write().catch((error: unknown) => {
      if (this.#signal.aborted) return;
      if (error instanceof ApiError && (error.code === 404 || error.code === 409)) return;
      this.#environment.log.warn(`could not write ${what}`, { error });
    });
  }
}

/** As events refer to it: lists do not repeat the kind in every item. */
const named = (pod: Pod): ApiObject => ({ ...pod, apiVersion: 'v1', kind: 'Pod' }) as ApiObject;
