import { formatTime } from '../../../../libs/base/clock.ts';
import { keyOf, type Live } from '../../../../libs/kind/object.ts';
import {
  type ControllerEnvironment,
  type Plan,
  type PlannedAction,
  type Reconciler,
  watching,
} from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import { nodes, pods } from '../../../resources.ts';
import type { Node, Pod } from '../../../types/core/v1.generated.ts';
import { podsOnNode } from './by-node.ts';
import { isFinished } from './pod-state.ts';

/** More finished pods than these nobody keeps. */
export const FINISHED_MAX = 12_500;
/** A node may be seen later than its pods: only after this long it counts as gone. */
const QUARANTINE_MS = 40_000;
const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';
/** The key of finished pods, all together; no pod has it. */
const FINISHED = ' finished';

export type Observed =
  | { readonly of: 'finished'; readonly pods: readonly Live<Pod>[]; readonly max: number }
  | {
      readonly of: 'pod';
      readonly pod: Live<Pod>;
      /** Where it is bound to, as far as that is there. */
      readonly node?: Live<Node>;
      /** Since when its node is not to be seen. */
      readonly goneSinceMs?: number;
    };

export type Action = PlannedAction & {
  readonly type: 'delete';
  readonly pods: readonly Live<Pod>[];
  /** The node is gone: to be sure of that, the server is asked first, and the pod says so. */
  readonly orphaned: boolean;
};

/** What nobody else removes: pods of nodes that are gone or out of service, deleted ones that never got a node, and too many finished ones. */
export function plan(observed: Observed, nowMs: number): Plan<Action> {
  if (observed.of === 'finished') return removeFinished(observed.pods, observed.max);
  const { pod, node, goneSinceMs } = observed;
  const remove = (reason: string, orphaned = false): Plan<Action> => ({
    actions: [{ type: 'delete', pods: [pod], orphaned, reason }],
  });
  const deleting = Boolean(pod.metadata.deletionTimestamp);
  if (!pod.spec?.nodeName) return deleting ? remove('deleted and never bound') : { actions: [] };
  if (node) return deleting && isOutOfService(node) ? remove('the node is out of service') : { actions: [] };
  const leftMs = (goneSinceMs ?? nowMs) + QUARANTINE_MS - nowMs;
  return leftMs > 0 ? { actions: [], againAfterMs: leftMs } : remove('the node is gone', true);
}

/** Evicted ones first, which say least, then the oldest. */
function removeFinished(finished: readonly Live<Pod>[], max: number): Plan<Action> {
  if (finished.length <= max) return { actions: [] };
  const rank = (pod: Live<Pod>) => (pod.status?.reason === 'Evicted' ? 0 : 1);
  const createdMs = (pod: Live<Pod>) => epochMs(pod.metadata.creationTimestamp) ?? 0;
  const order = [...finished].sort((a, b) => rank(a) - rank(b) || createdMs(a) - createdMs(b));
  const surplus = order.slice(0, finished.length - max);
  return { actions: [{ type: 'delete', pods: surplus, orphaned: false, reason: 'too many finished pods' }] };
}

function isOutOfService({ spec, status }: Live<Node>): boolean {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True';
  return !ready && (spec?.taints ?? []).some(({ key }) => key === OUT_OF_SERVICE);
}

/** Deletes pods that are nobody's business any more. `finishedMax`: how many finished ones may stay. */
export function podGarbageController(finishedMax: number = FINISHED_MAX): Reconciler<Observed, Action> {
  /** Nodes that pods are bound to and that are not to be seen, and since when. */
  const missing = new Map<string, number>();
  const keysOfPod = (pod: Live<Pod>, { informers }: ControllerEnvironment): readonly string[] => {
    const key = keyOf(pod);
    const isStrayed = mayBeStrayed(pod, pod.spec?.nodeName && informers.informer(nodes).get(pod.spec.nodeName));
    if (!isFinished(pod) || informers.informer(pods).get(key) !== pod) return isStrayed ? [key] : [];
    return isStrayed ? [key, FINISHED] : [FINISHED];
  };
  return {
    name: 'pod-garbage-collector',
    watches: [
      // What it decides by; most changes of a pod are none of these.
      watching(
        pods,
        keysOfPod,
        0,
        (pod, previous) =>
          pod.spec?.nodeName !== previous.spec?.nodeName ||
          pod.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
          isFinished(pod) !== isFinished(previous),
      ),
      watching(
        nodes,
        (node, { informers }) => podsOnNode(informers, node.metadata.name).map(keyOf),
        0,
        (node, previous) => isOutOfService(node) !== isOutOfService(previous),
      ),
    ],
    observe({ informers, clock }, key) {
      const informer = informers.informer(pods);
      if (key === FINISHED) {
        informer.index('finished', finishedOnes);
        return { of: 'finished', pods: informer.by('finished', 'true'), max: finishedMax };
      }
      const pod = informer.get(key);
      if (!pod) return undefined;
      const nodeName = pod.spec?.nodeName;
      if (!nodeName) return { of: 'pod', pod };
      const node = informers.informer(nodes).get(nodeName);
      if (node) {
        missing.delete(nodeName);
        return { of: 'pod', pod, node };
      }
      const goneSinceMs = missing.get(nodeName) ?? clock.now();
      missing.set(nodeName, goneSinceMs);
      return { of: 'pod', pod, goneSinceMs };
    },
    plan,
    async apply(env, { pods: removed, orphaned }) {
      for (const pod of removed) {
        if (orphaned && (await nodeIsThere(env, pod))) continue;
        await remove(env, pod, orphaned);
        const nodeName = pod.spec?.nodeName ?? '';
        if (podsOnNode(env.informers, nodeName).length <= 1) missing.delete(nodeName);
      }
    },
  };
}

/** Whether there may be something to do about it; a node that goes, or goes out of service, tells itself. */
const mayBeStrayed = ({ metadata, spec }: Live<Pod>, node: Live<Node> | '' | undefined): boolean =>
  spec?.nodeName
    ? !node || (Boolean(metadata.deletionTimestamp) && isOutOfService(node))
    : Boolean(metadata.deletionTimestamp);

const finishedOnes = (pod: Live<Pod>): readonly string[] => (isFinished(pod) ? ['true'] : []);

async function nodeIsThere({ client }: ControllerEnvironment, { spec }: Live<Pod>): Promise<boolean> {
  try {
    await client.resource(nodes).get(spec?.nodeName ?? '');
    return true;
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return false;
  }
}

/** Nobody will say any more how it ended: it has failed. Then it goes at once. */
async function remove({ client, clock }: ControllerEnvironment, pod: Live<Pod>, orphaned: boolean): Promise<void> {
  const { namespace = '', name, uid } = pod.metadata;
  const ofNamespace = client.resource(pods).namespace(namespace);
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'DeletionByPodGC',
    message: 'PodGC: node no longer exists',
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    lastTransitionTime: formatTime(clock.now()),
  };
  try {
    if (!isFinished(pod)) {
      const status = { phase: 'Failed', ...(orphaned ? { conditions: [condition] } : {}) };
      await ofNamespace.subresource('status').patch(name, { metadata: { uid }, status }, { type: 'strategic' });
    }
    await ofNamespace.delete(name, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
