import { formatTime } from '../../../../libs/base/clock.ts';
import { type ApiObject, apiVersionOf, type Live } from '../../../../libs/kind/object.ts';
import {
  type ControllerEnvironment,
  ownKey,
  type Reconciler,
  type Written,
  watching,
} from '../../../../libs/kind/reconciler.ts';
import { copyValue } from '../../../../libs/machinery/copy.ts';
import { hasCause, isAlreadyExists, isNotFound } from '../../../../libs/machinery/errors.ts';
import { controllerOf, controllerReference } from '../../../../libs/machinery/meta.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { controlledBy, keysOfController } from '../../../core/pod/controller/ownership.ts';
import { cronJobs, jobs } from '../../../resources.ts';
import type { CronJob, CronJobStatus, Job } from '../../../types/batch/v1.generated.ts';
import { formatInZone, readSchedule, type Schedule } from '../due.ts';
import { cronJobCounting } from './counting.ts';
import { type Action, endOf, type Observed, plan } from './plan.ts';

/** That a Job comes, ends and goes counts; how far it has got does not. */
const meansMore = (job: Live<Job>, previous: Live<Job>): boolean =>
  endOf(job) !== endOf(previous) ||
  job.metadata.deletionTimestamp !== previous.metadata.deletionTimestamp ||
  !sameValue(job.metadata.ownerReferences, previous.metadata.ownerReferences);

const SCHEDULED = 'batch.kubernetes.io/cronjob-scheduled-timestamp';

/** Makes Jobs when they are due. */
export function cronJobController(): Reconciler<Observed, Action> {
  /** By CronJob: its schedule as it was read last. */
  const schedules = new Map<string, Schedule>();
  const scheduleOf = (key: string, { schedule: text, timeZone }: Live<CronJob>['spec']): Schedule => {
    const known = schedules.get(key);
    if (known && known.text === text && known.timeZone === timeZone) return known;
    const read = readSchedule(text, timeZone);
    schedules.set(key, read);
    return read;
  };
  return {
    name: 'cronjob',
    watches: [
      watching(cronJobs, ownKey),
      watching(jobs, (job, env) => keysOfController(job as Live<ApiObject>, cronJobs, env), 0, meansMore),
    ],
    async observe(env, key) {
      const cronJob = env.informers.informer(cronJobs).get(key);
      if (!cronJob) {
        schedules.delete(key);
        return undefined;
      }
      const own = controlledBy(env.informers, jobs, cronJob as Live<ApiObject>);
      const gone = await goneOf(env, cronJob, own);
      return { cronJob, jobs: own, gone, schedule: scheduleOf(key, cronJob.spec) };
    },
    plan,
    counting: cronJobCounting,
    async apply(env, action, { cronJob }) {
      switch (action.type) {
        case 'event':
          env.events.event(cronJob, ...action.event);
          return;
        case 'delete':
          await deleteJob(env, cronJob, action.job);
          return;
        case 'status':
          return [await writeStatus(env, cronJob, action.status)];
        case 'start':
          return start(env, cronJob, action);
      }
    },
  };
}

/** Which of the active jobs are no more; informers may be late to tell, so the server is asked. */
async function goneOf(
  { client }: ControllerEnvironment,
  { metadata: { namespace = '' }, status }: Live<CronJob>,
  known: readonly Live<Job>[],
): Promise<ReadonlySet<string>> {
  const gone = new Set<string>();
  for (const { uid = '', name = '' } of status?.active ?? []) {
    if (known.some(({ metadata }) => metadata.uid === uid)) continue;
    try {
      const job = await client.resource(jobs).namespace(namespace).get(name);
      if (job.metadata.uid !== uid) gone.add(uid);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      gone.add(uid);
    }
  }
  return gone;
}

async function deleteJob(env: ControllerEnvironment, cronJob: Live<CronJob>, name: string): Promise<void> {
  const { namespace = '' } = cronJob.metadata;
  try {
    await env.client.resource(jobs).namespace(namespace).delete(name, { propagationPolicy: 'Background' });
    env.events.event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  } catch (error) {
    if (isNotFound(error)) return;
    env.events.event(cronJob, 'Warning', 'FailedDelete', `Deleted job: ${(error as Error).message}`);
    throw error;
  }
}

async function start(
  env: ControllerEnvironment,
  cronJob: Live<CronJob>,
  { name, scheduledMs, replaced, status }: Extract<Action, { type: 'start' }>,
): Promise<readonly Written[]> {
  for (const one of replaced) await deleteJob(env, cronJob, one);
  const { namespace = '' } = cronJob.metadata;
  const client = env.client.resource(jobs).namespace(namespace);
  let job: Live<Job>;
  try {
    job = await client.create(jobOf(cronJob, name, scheduledMs));
    env.events.event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${name}`);
  } catch (error) {
    if (hasCause(error, 'NamespaceTerminating')) return [];
    if (!isAlreadyExists(error)) {
      env.events.event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${(error as Error).message}`);
      throw error;
    }
    // Made in a turn that could not write it down; or somebody else's, and then this time is served.
    job = await client.get(name);
    if (controllerOf(job as ApiObject)?.uid !== cronJob.metadata.uid) return [];
    if (status.active?.some(({ uid }) => uid === job.metadata.uid)) return [];
  }
  const { uid, resourceVersion } = job.metadata;
  const reference = { kind: 'Job', namespace, name, uid, apiVersion: apiVersionOf(jobs), resourceVersion };
  const written = await writeStatus(env, cronJob, { ...status, active: [...(status.active ?? []), reference] });
  return [{ ref: jobs, resourceVersion }, written];
}

function jobOf(cronJob: Live<CronJob>, name: string, scheduledMs: number): Job {
  const { metadata, spec } = cronJob.spec.jobTemplate;
  const { timeZone } = cronJob.spec;
  const scheduled = timeZone === undefined ? formatTime(scheduledMs) : formatInZone(scheduledMs, timeZone);
  return {
    metadata: {
      name,
      namespace: cronJob.metadata.namespace ?? '',
      ...(metadata?.labels ? { labels: { ...metadata.labels } } : {}),
      annotations: { ...metadata?.annotations, [SCHEDULED]: scheduled },
      ownerReferences: [
        controllerReference(cronJob as never, { apiVersion: apiVersionOf(cronJobs), kind: cronJobs.kind }),
      ],
    },
    spec: copyValue(spec) as Job['spec'],
  } as Job;
}

async function writeStatus(
  env: ControllerEnvironment,
  cronJob: Live<CronJob>,
  status: CronJobStatus,
): Promise<Written> {
  const { namespace = '' } = cronJob.metadata;
  const changed = { ...cronJob, status } as unknown as CronJob;
  const updated = await env.client.resource(cronJobs).namespace(namespace).subresource('status').update(changed);
  return { ref: cronJobs, resourceVersion: updated.metadata.resourceVersion };
}
