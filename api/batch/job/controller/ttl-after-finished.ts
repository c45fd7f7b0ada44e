import { keyOf, type Live } from '../../../../libs/kind/object.ts';
import { type PlannedAction, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import { jobs } from '../../../resources.ts';
import type { Job } from '../../../types/batch/v1.generated.ts';
import { isDone } from './plan.ts';

type Action = PlannedAction & { readonly type: 'delete' };

/** Deletes Jobs that have ended `ttlSecondsAfterFinished` ago (API concept "Automatic Cleanup for Finished Jobs"). */
export const ttlAfterFinishedController: Reconciler<Live<Job>, Action> = {
  name: 'ttl-after-finished',
  watches: [watching(jobs, (job) => (isMortal(job) ? [keyOf(job)] : []))],
  observe: ({ informers }, key) => informers.informer(jobs).get(key),
  plan(job, nowMs) {
    if (!isMortal(job)) return { actions: [] };
    const leftMs = endedMs(job) + Number(job.spec?.ttlSecondsAfterFinished) * 1000 - nowMs;
    return leftMs > 0
      ? { actions: [], againAfterMs: leftMs }
      : { actions: [{ type: 'delete', reason: 'time to live' }] };
  },
  async apply({ client, clock }, _action, { metadata: { namespace = '', name, uid } }) {
    const ofNamespace = client.resource(jobs).namespace(namespace);
    try {
      // It may have been given more time meanwhile.
      const fresh = await ofNamespace.get(name);
      if (fresh.metadata.uid !== uid || ttlAfterFinishedController.plan(fresh, clock.now()).actions.length === 0)
        return;
      await ofNamespace.delete(name, { propagationPolicy: 'Foreground', preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  },
};

const isMortal = (job: Live<Job>): boolean =>
  job.spec?.ttlSecondsAfterFinished !== undefined && !job.metadata.deletionTimestamp && isDone(job);

function endedMs({ status }: Live<Job>): number {
  const end = status?.conditions?.find(
    ({ type, status: is }) => is === 'True' && (type === 'Complete' || type === 'Failed'),
  );
  return epochMs(end?.lastTransitionTime) ?? 0;
}
