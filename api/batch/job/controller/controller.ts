import type { ApiObject, Live } from '../../../../libs/kind/object.ts';
import {
  type ControllerEnvironment,
  ownKey,
  type Reconciler,
  type Written,
  watching,
} from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import { labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { candidatesOf, claim, keysOfController, settleClaim } from '../../../core/pod/controller/ownership.ts';
import { createPods, deletePod, podFromTemplate } from '../../../core/pod/controller/pod-control.ts';
import { isFinished, isReady, restarts } from '../../../core/pod/controller/pod-state.ts';
import { jobs, pods } from '../../../resources.ts';
import type { Job } from '../../../types/batch/v1.generated.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { jobCounting } from './counting.ts';
import { INDEX } from './indexes.ts';
import { failureAnnotations } from './per-index.ts';
import { type Action, type NewPod, type Observed, plan, TRACKING } from './plan.ts';

/** Pods of a Job often end together; they are counted together too. */
const BATCH_MS = 1000;

const selectorOf = (job: Live<Job>) => labelSelectorOf(job.spec?.selector as never);

/**
 * Of Jobs that are there: one that comes later is looked at then, and one that is gone needs nothing. Nor does a pod whose
 * end has been written down: what is left to do with it the Job's own status tells.
 */
function keysOfPod(pod: Live<Pod>, env: ControllerEnvironment): readonly string[] {
  const informer = env.informers.informer(jobs);
  const { uid } = pod.metadata;
  return keysOfController(pod as Live<ApiObject>, jobs, env, selectorOf).filter((key) => {
    const job = informer.get(key);
    const { succeeded = [], failed = [] } = job?.status?.uncountedTerminatedPods ?? {};
    return job && !(isFinished(pod) && (succeeded.includes(uid) || failed.includes(uid)));
  });
}

/** Where a pod was put, and what its containers wait for, changes nothing for its Job. */
const meansMore = (pod: Live<Pod>, previous: Live<Pod>): boolean =>
  isFinished(pod) ||
  isReady(pod) !== isReady(previous) ||
  restarts(pod) !== restarts(previous) ||
  !isKept(pod, previous);

const isKept = ({ metadata: now }: Live<Pod>, { metadata: before }: Live<Pod>): boolean =>
  now.deletionTimestamp === before.deletionTimestamp &&
  sameValue(now.labels, before.labels) &&
  sameValue(now.annotations, before.annotations) &&
  sameValue(now.finalizers, before.finalizers) &&
  sameValue(now.ownerReferences, before.ownerReferences);

/** Runs Jobs to their end. */
export const jobController: Reconciler<Observed, Action> = {
  name: 'job',
  watches: [watching(jobs, ownKey), watching(pods, keysOfPod, BATCH_MS, meansMore)],
  observe({ informers }, key) {
    const job = informers.informer(jobs).get(key);
    // Somebody else looks after it.
    if (!job || (job.spec?.managedBy ?? 'kubernetes.io/job-controller') !== 'kubernetes.io/job-controller')
      return undefined;
    const owner = job as Live<ApiObject>;
    return { job, pods: claim(owner, selectorOf(job), candidatesOf(informers, pods, owner)) };
  },
  plan,
  counting: jobCounting,
  async apply(env, action, { job, pods: claimed }) {
    const { namespace = '' } = job.metadata;
    const written: Written[] = [];
    switch (action.type) {
      case 'claim':
        return settleClaim(env, pods, jobs, job, claimed);
      case 'create':
        await createPods(
          env,
          job,
          action.pods.map((pod) => podOf(job, pod)),
          written,
        );
        return written;
      case 'delete':
        for (const pod of action.pods) {
          if (!action.counts) await release(env, pod, written);
          await deletePod(env, job, pod, written);
        }
        return written;
      case 'release':
        for (const pod of action.pods) await release(env, pod, written);
        return written;
      case 'status': {
        const changed = { ...job, status: action.status } as unknown as Job;
        const updated = await env.client.resource(jobs).namespace(namespace).subresource('status').update(changed);
        for (const [type, reason, message] of action.events) env.events.event(job, type, reason, message);
        return [{ ref: jobs, resourceVersion: updated.metadata.resourceVersion }];
      }
    }
  },
};

/** Lets a pod go: its end has been counted, or shall not be. */
async function release(env: ControllerEnvironment, { metadata }: Live<Pod>, written: Written[]): Promise<void> {
  const finalizers = (metadata.finalizers ?? []).filter((finalizer) => finalizer !== TRACKING);
  if (finalizers.length === (metadata.finalizers ?? []).length) return;
  const patch = { metadata: { uid: metadata.uid, finalizers } };
  try {
    const client = env.client.resource(pods).namespace(metadata.namespace ?? '');
    const patched = await client.patch(metadata.name, patch, { type: 'merge' });
    written.push({ ref: pods, resourceVersion: patched.metadata.resourceVersion });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** The Job's pod; one with an index knows it by its name, its environment, and what it is marked with. */
function podOf(job: Live<Job>, { index, after }: NewPod): Pod {
  const pod = podFromTemplate(job.spec?.template ?? { spec: { containers: [] } }, jobs, job);
  const metadata = { ...pod.metadata, finalizers: [...(pod.metadata?.finalizers ?? []), TRACKING] };
  if (index === undefined) return { ...pod, metadata };
  const spec = pod.spec as NonNullable<Pod['spec']>;
  const name = `${job.metadata.name}-${index}`;
  const variable = {
    name: 'JOB_COMPLETION_INDEX',
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${INDEX}']` } },
  };
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    if (!container.env?.some((known) => known.name === variable.name))
      container.env = [...(container.env ?? []), variable];
  }
  spec.hostname = name;
  metadata.generateName = `${name}-`;
  const failures = job.spec?.backoffLimitPerIndex === undefined ? {} : failureAnnotations(job, after);
  metadata.annotations = { ...metadata.annotations, [INDEX]: String(index), ...failures };
  metadata.labels = { ...metadata.labels, [INDEX]: String(index) };
  return { ...pod, metadata, spec };
}
