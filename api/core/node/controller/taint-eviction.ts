import { formatTime } from '../../../../libs/base/clock.ts';
import { keyOf, type Live } from '../../../../libs/kind/object.ts';
import { type ControllerEnvironment, type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import { nodes, pods } from '../../../resources.ts';
import type { Node, Pod } from '../../../types/core/v1.generated.ts';
import { podsOnNode } from '../../pod/controller/by-node.ts';
import { tolerates } from '../placement.ts';

export interface Observed {
  readonly pod: Live<Pod>;
  readonly node: Live<Node>;
  /** Since when the pod is seen beside such taints; for those that do not say since when they are there. */
  readonly seenMs: number;
}

export interface Action {
  readonly type: 'evict';
  readonly reason: string;
}

/** A pod leaves a node whose NoExecute taints it does not tolerate: at once, or when the shortest toleration is over. */
export function plan({ pod, node, seenMs }: Observed, nowMs: number): Plan<Action> {
  let leaveMs = Number.POSITIVE_INFINITY;
  for (const taint of node.spec?.taints ?? []) {
    if (taint.effect !== 'NoExecute') continue;
    const tolerated = (pod.spec?.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    const sinceMs = epochMs(taint.timeAdded) ?? seenMs;
    if (tolerated.length === 0) leaveMs = Math.min(leaveMs, nowMs);
    for (const { tolerationSeconds } of tolerated) {
      if (tolerationSeconds !== undefined)
        leaveMs = Math.min(leaveMs, sinceMs + Math.max(0, Number(tolerationSeconds)) * 1000);
    }
  }
  if (leaveMs === Number.POSITIVE_INFINITY) return { actions: [] };
  if (leaveMs > nowMs) return { actions: [], againAfterMs: leaveMs - nowMs };
  return { actions: [{ type: 'evict', reason: 'taint not tolerated' }] };
}

/** Whether pods may have to leave it. */
const drives = (node: Live<Node> | undefined): boolean =>
  node?.spec?.taints?.some(({ effect }) => effect === 'NoExecute') ?? false;

/** Evicts pods by the NoExecute taints of their nodes. */
export function taintEvictionController(): Reconciler<Observed, Action> {
  /** By pod: since when it is seen beside NoExecute taints. */
  const seen = new Map<string, number>();
  /** Whether it is, or was, beside such taints; of a node that comes later its own arrival tells. */
  const isBeside = (pod: Live<Pod>, { informers }: ControllerEnvironment): boolean =>
    seen.has(keyOf(pod)) || (pod.spec?.nodeName ? drives(informers.informer(nodes).get(pod.spec.nodeName)) : false);
  return {
    name: 'taint-eviction',
    concurrency: 8,
    watches: [
      watching(
        pods,
        (pod, env) => (isBeside(pod, env) ? [keyOf(pod)] : []),
        0,
        (pod, previous) =>
          pod.spec?.nodeName !== previous.spec?.nodeName ||
          pod.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
          !sameValue(pod.spec?.tolerations, previous.spec?.tolerations),
      ),
      watching(
        nodes,
        (node, { informers }) => podsOnNode(informers, node.metadata.name).map(keyOf),
        0,
        (node, previous) => !sameValue(node.spec?.taints, previous.spec?.taints),
      ),
    ],
    observe({ informers, clock }, key) {
      const pod = informers.informer(pods).get(key);
      const node = pod?.spec?.nodeName ? informers.informer(nodes).get(pod.spec.nodeName) : undefined;
      if (!pod || !node || pod.metadata.deletionTimestamp || !drives(node)) {
        seen.delete(key);
        return undefined;
      }
      const seenMs = seen.get(key) ?? clock.now();
      seen.set(key, seenMs);
      return { pod, node, seenMs };
    },
    plan,
    async apply({ client, events, clock }, _, { pod }) {
      const { namespace = '', name, uid } = pod.metadata;
      const inNamespace = client.resource(pods).namespace(namespace);
      events.event(pod, 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${namespace}/${name}`);
      const condition = {
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'DeletionByTaintManager',
        message: 'Taint manager: deleting due to NoExecute taint',
        ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
        lastTransitionTime: formatTime(clock.now()),
      };
      const conditions = [
        ...(pod.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget'),
        condition,
      ];
      try {
        await inNamespace
          .subresource('status')
          .patch(name, { metadata: { uid }, status: { conditions } }, { type: 'merge' });
        await inNamespace.delete(name, { preconditions: { uid } });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    },
  };
}
