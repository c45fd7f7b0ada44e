import type { Informers } from '../../../../libs/kind/client.ts';
import { type ApiObject, keyOf, type Live } from '../../../../libs/kind/object.ts';
import { type PlannedAction, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import { controllerOf } from '../../../../libs/machinery/meta.ts';
import { controlledBy } from '../../../core/pod/controller/ownership.ts';
import { jobs, pods } from '../../../resources.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { TRACKING } from './plan.ts';

type Action = PlannedAction & { readonly type: 'release' };

const isTracked = ({ metadata }: Live<Pod>): boolean => metadata.finalizers?.includes(TRACKING) ?? false;

/** Held for a Job that is not to be seen, or for none. */
function isOrphaned(pod: Live<Pod>, informers: Informers): boolean {
  if (!isTracked(pod)) return false;
  const controller = controllerOf(pod as ApiObject);
  if (!controller) return true;
  // Whatever else controls it counts it as it likes.
  if (controller.kind !== jobs.kind) return false;
  const { namespace } = pod.metadata;
  const job = informers.informer(jobs).get(keyOf({ metadata: { namespace, name: controller.name } }));
  return job?.metadata.uid !== controller.uid;
}

/** Nobody counts a pod whose Job is gone: lets it go. */
export const orphanedJobPodsController: Reconciler<Live<Pod>, Action> = {
  name: 'job-orphaned-pods',
  watches: [
    watching(pods, (pod, { informers }) => (isOrphaned(pod, informers) ? [keyOf(pod)] : [])),
    watching(jobs, (job, { informers }) =>
      informers.informer(jobs).get(keyOf(job)) === undefined
        ? controlledBy(informers, pods, job as Live<ApiObject>)
            .filter(isTracked)
            .map(keyOf)
        : [],
    ),
  ],
  observe({ informers }, key) {
    const pod = informers.informer(pods).get(key);
    return pod && isOrphaned(pod, informers) ? pod : undefined;
  },
  plan: () => ({ actions: [{ type: 'release', reason: 'its job is gone' }] }),
  async apply({ client }, _action, { metadata: { namespace = '', name, uid, finalizers = [] } }) {
    const rest = finalizers.filter((finalizer) => finalizer !== TRACKING);
    try {
      const patch = { metadata: { uid, finalizers: rest } };
      const patched = await client.resource(pods).namespace(namespace).patch(name, patch, { type: 'merge' });
      return [{ ref: pods, resourceVersion: patched.metadata.resourceVersion }];
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return [];
    }
  },
};
