import { formatTime } from '../../../../libs/base/clock.ts';
import type { ApiObject, DeepReadonly, Live, ResourceRef } from '../../../../libs/kind/object.ts';
import {
  type ControllerEnvironment,
  ownKey,
  type Reconciler,
  type Written,
  watching,
} from '../../../../libs/kind/reconciler.ts';
import { hasCause } from '../../../../libs/machinery/errors.ts';
import type { LabelSelector } from '../../../../libs/machinery/labels.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { candidatesOf, claim, keysOfController, settleClaim } from '../../../core/pod/controller/ownership.ts';
import { createPods, deletePod, podFromTemplate } from '../../../core/pod/controller/pod-control.ts';
import { countsOtherwise, isFinished } from '../../../core/pod/controller/pod-state.ts';
import { pods } from '../../../resources.ts';
import type { ReplicaSetStatus } from '../../../types/apps/v1.generated.ts';
import type { Pod, PodTemplateSpec } from '../../../types/core/v1.generated.ts';
import { type Action, type Observed, plan, withFailure } from './plan.ts';

/** How a kind that keeps equal pods says what it wants. */
export interface ReplicaKeeper<T extends ApiObject> {
  readonly name: string;
  readonly ref: ResourceRef<T>;
  readonly countsTerminating: boolean;
  selector(object: Live<T>): LabelSelector;
  want(object: Live<T>): {
    readonly replicas: number;
    readonly minReadySeconds: number;
    readonly template: DeepReadonly<PodTemplateSpec>;
    readonly status: DeepReadonly<ReplicaSetStatus>;
  };
  /** Pods beside its own that count as their like. */
  related(object: Live<T>, own: readonly Live<Pod>[], env: ControllerEnvironment): readonly Live<Pod>[];
}

export type Keeping<T extends ApiObject> = Observed & { readonly object: Live<T> };

/** The controller of such a kind: ReplicaSets and ReplicationControllers differ in their words alone. */
export function replicaKeeper<T extends ApiObject>(keeper: ReplicaKeeper<T>): Reconciler<Keeping<T>, Action> {
  const { ref, name } = keeper;
  return {
    name,
    watches: [
      watching(ref, ownKey),
      watching(pods, (pod, env) => keysOfController(pod as Live<ApiObject>, ref, env, keeper.selector), 0, matters),
    ],
    observe(env, key) {
      const object = env.informers.informer(ref).get(key);
      if (!object) return undefined;
      const candidates = candidatesOf(env.informers, pods, object as Live<ApiObject>).filter((pod) => !isFinished(pod));
      const claimed = claim(object as Live<ApiObject>, keeper.selector(object), candidates);
      return {
        object,
        generation: (object as Live<ApiObject>).metadata.generation,
        deleting: Boolean(object.metadata.deletionTimestamp),
        countsTerminating: keeper.countsTerminating,
        pods: claimed,
        related: () => keeper.related(object, claimed.owned, env),
        ...keeper.want(object),
      };
    },
    plan,
    async apply(env, action, observed) {
      const { object } = observed;
      const written: Written[] = [];
      switch (action.type) {
        case 'claim':
          return settleClaim(env, pods, ref, object, observed.pods);
        case 'status':
          return [await writeStatus(env, ref, object, action.status)];
        case 'create': {
          const pod = podFromTemplate(observed.template, ref, object);
          const wanted = Array.from({ length: action.count }, () => pod);
          // Their status counts them; whoever changed their labels on the way may have made them another's.
          const isExpected = (made: Live<Pod>) => sameValue(made.metadata.labels, pod.metadata?.labels);
          await telling('FailedCreate', env, ref, observed, () => createPods(env, object, wanted, written, isExpected));
          return written;
        }
        case 'delete':
          await telling('FailedDelete', env, ref, observed, async () => {
            for (const pod of action.pods) await deletePod(env, object, pod, written, true);
          });
          return written;
      }
    },
  };
}

/** Steps on a pod's way to being ready, as to a node, an address and its first container, change nothing that is counted. */
const matters = (pod: Live<Pod>, previous: Live<Pod>): boolean =>
  countsOtherwise(pod, previous) ||
  !sameValue(pod.metadata.labels, previous.metadata.labels) ||
  !sameValue(pod.metadata.ownerReferences, previous.metadata.ownerReferences);

async function writeStatus<T extends ApiObject>(
  env: ControllerEnvironment,
  ref: ResourceRef<T>,
  object: Live<T>,
  status: ReplicaSetStatus,
): Promise<Written> {
  const { namespace = '' } = object.metadata;
  const changed = { ...object, status } as unknown as T;
  const updated = await env.client.resource(ref).namespace(namespace).subresource('status').update(changed);
  return { ref, resourceVersion: updated.metadata.resourceVersion, expected: true };
}

/** Does it; where it fails, the object's status says so before the failure goes on. */
async function telling<T extends ApiObject>(
  reason: 'FailedCreate' | 'FailedDelete',
  env: ControllerEnvironment,
  ref: ResourceRef<T>,
  { object, status }: Keeping<T>,
  run: () => Promise<void>,
): Promise<void> {
  try {
    await run();
  } catch (error) {
    const failed = withFailure(status, reason, (error as Error).message, formatTime(env.clock.now()));
    const told = { ...failed, observedGeneration: (object as Live<ApiObject>).metadata.generation } as ReplicaSetStatus;
    if (!hasCause(error, 'NamespaceTerminating') && !sameValue(told, status)) {
      await writeStatus(env, ref, object, told).catch((second) =>
        env.log.debug('the failure could not be told', { error: second }),
      );
    }
    throw error;
  }
}
