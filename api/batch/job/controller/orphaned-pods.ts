import { type ApiObject, keyOf, type Live } from '../../../../libs/kind/object.ts';
import { type PlannedAction, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import { controllerOf } from '../../../../libs/machinery/meta.ts';
import { jobs, pods } from '../../../resources.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { TRACKING } from './plan.ts';

type Action = PlannedAction & { readonly type: 'release' };

const isTracked = ({ metadata }: Live<Pod>): boolean => metadata.finalizers?.includes(TRACKING) ?? false;

/** Nobody counts a pod whose Job is gone: lets it go. */
export const orphanedJobPodsController: Reconciler<Live<Pod>, Action> = {
  name: 'job-orphaned-pods',
  watches: [
    watching(pods, (pod) => (isTracked(pod) ? [keyOf(pod)] : [])),
    watching(jobs, (job, { informers }) =>
      informers.informer(jobs).get(keyOf(job)) === undefined
        ? informers
            .informer(pods)
            .list(job.metadata.namespace)
            .filter((pod) => isTracked(pod) && controllerOf(pod as ApiObject)?.uid === job.metadata.uid)
            .map(keyOf)
        : [],
    ),
  ],
  observe({ informers }, key) {
    const pod = informers.informer(pods).get(key);
    if (!pod || !isTracked(pod)) return undefined;
    const { namespace } = pod.metadata;
    const controller = controllerOf(pod as ApiObject);
    // Whatever else controls it counts it as it likes.
    if (controller && controller.kind !== jobs.kind) return undefined;
    const job = controller && informers.informer(jobs).get(keyOf({ metadata: { namespace, name: controller.name } }));
    return job && job.metadata.uid === controller?.uid ? undefined : pod;
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
