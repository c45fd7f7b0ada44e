import { formatTime } from '../../../../libs/base/clock.ts';
import { keyOf, type Live } from '../../../../libs/kind/object.ts';
import { type PlannedAction, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import { isFinished, podCondition } from '../../../core/pod/controller/pod-state.ts';
import { pods } from '../../../resources.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';

const STALE_MS = 120_000;
const TARGET = 'DisruptionTarget';

type Action = PlannedAction & { readonly type: 'clear' };

/** A pod that was to be disrupted and is still not being deleted after two minutes is no target any more. */
export const staleDisruptionController: Reconciler<Live<Pod>, Action> = {
  name: 'stale-pod-disruption',
  watches: [watching(pods, (pod) => (isTarget(pod) ? [keyOf(pod)] : []))],
  observe: ({ informers }, key) => informers.informer(pods).get(key),
  plan(pod, nowMs) {
    if (!isTarget(pod)) return { actions: [] };
    const leftMs = (epochMs(podCondition(pod, TARGET)?.lastTransitionTime) ?? 0) + STALE_MS - nowMs;
    return leftMs > 0 ? { actions: [], againAfterMs: leftMs } : { actions: [{ type: 'clear', reason: 'not deleted' }] };
  },
  async apply({ client, clock }, _action, pod) {
    const { namespace = '', name, uid } = pod.metadata;
    const condition = { type: TARGET, status: 'False', lastTransitionTime: formatTime(clock.now()) };
    const patch = { metadata: { uid }, status: { conditions: [condition] } };
    const status = client.resource(pods).namespace(namespace).subresource('status');
    const patched = await status.patch(name, patch, { type: 'strategic' });
    return [{ ref: pods, resourceVersion: patched.metadata.resourceVersion }];
  },
};

const isTarget = (pod: Live<Pod>): boolean =>
  !pod.metadata.deletionTimestamp && !isFinished(pod) && podCondition(pod, TARGET)?.status === 'True';
