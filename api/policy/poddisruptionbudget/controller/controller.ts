import { keyOf, type Live } from '../../../../libs/kind/object.ts';
import { ownKey, type Reconciler, reading, watching } from '../../../../libs/kind/reconciler.ts';
import { labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import {
  deployments,
  podDisruptionBudgets,
  pods,
  replicaSets,
  replicationControllers,
  statefulSets,
} from '../../../resources.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import type { PodDisruptionBudget } from '../../../types/policy/v1.generated.ts';
import { type Action, type Observed, plan } from './plan.ts';
import { scaleOf } from './scale.ts';

const matches = ({ spec }: Live<PodDisruptionBudget>, pod: Live<Pod>): boolean =>
  labelSelectorOf(spec?.selector as never).matches(pod.metadata.labels as Record<string, string> | undefined);

/** Keeps what budgets say of themselves, by which evictions are allowed. */
export const disruptionController: Reconciler<Observed, Action> = {
  name: 'disruption',
  watches: [
    watching(podDisruptionBudgets, ownKey),
    watching(pods, (pod, { informers }) =>
      informers
        .informer(podDisruptionBudgets)
        .list(pod.metadata.namespace)
        .filter((budget) => matches(budget, pod))
        .map(keyOf),
    ),
    // Only their numbers are asked for; that they change shows in their pods.
    reading(deployments),
    reading(replicaSets),
    reading(replicationControllers),
    reading(statefulSets),
  ],
  async observe(env, key) {
    const budget = env.informers.informer(podDisruptionBudgets).get(key);
    if (!budget) return undefined;
    const own = env.informers
      .informer(pods)
      .list(budget.metadata.namespace)
      .filter((pod) => matches(budget, pod));
    return { budget, pods: own, scale: await scaleOf(env, own) };
  },
  plan,
  async apply(env, action, { budget }) {
    if (action.type === 'event') {
      env.events.event(action.about ?? budget, ...action.event);
      return;
    }
    const { namespace = '' } = budget.metadata;
    const changed = { ...budget, status: action.status } as unknown as PodDisruptionBudget;
    const client = env.client.resource(podDisruptionBudgets).namespace(namespace);
    const updated = await client.subresource('status').update(changed);
    return [{ ref: podDisruptionBudgets, resourceVersion: updated.metadata.resourceVersion }];
  },
};
