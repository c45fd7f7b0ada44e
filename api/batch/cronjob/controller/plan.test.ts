import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import type { CronJob, CronJobSpec, CronJobStatus, Job } from '../../../types/batch/v1.generated.ts';
import { readSchedule } from '../due.ts';
import { plan } from './plan.ts';

const at = (time: string): string => `2026-01-01T${time}Z`;

const cronJob = (spec: Partial<CronJobSpec>, status?: CronJobStatus): Live<CronJob> =>
  ({
    metadata: { name: 'c', namespace: 'n', uid: 'u', resourceVersion: '1', creationTimestamp: at('12:00:30') },
    spec: {
      schedule: '*/10 * * * *',
      concurrencyPolicy: 'Allow',
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 1,
      ...spec,
    },
    ...(status ? { status } : {}),
  }) as unknown as Live<CronJob>;

const job = (name: string, end?: 'Complete' | 'Failed', time = at('12:10:00')): Live<Job> =>
  ({
    metadata: { name, namespace: 'n', uid: `uid-${name}`, resourceVersion: '1', creationTimestamp: time },
    status: {
      startTime: time,
      ...(end ? { conditions: [{ type: end, status: 'True' }] } : {}),
      ...(end === 'Complete' ? { completionTime: time } : {}),
    },
  }) as unknown as Live<Job>;

const active = (...names: string[]) => names.map((name) => ({ name, uid: `uid-${name}` }));

interface Case {
  readonly name: string;
  readonly spec?: Partial<CronJobSpec>;
  readonly status?: CronJobStatus;
  readonly jobs?: readonly Live<Job>[];
  readonly gone?: readonly string[];
  readonly now: string;
  /** Actions in short. */
  readonly does: readonly string[];
  readonly againAfterS?: number;
}

const minute = (time: string): number => Date.parse(at(time)) / 60_000;

const cases: Case[] = [
  { name: 'nothing before its time', now: '12:05:00', does: [], againAfterS: 300.1 },
  { name: 'a job when it is due', now: '12:10:01', does: [`start c-${minute('12:10:00')}`], againAfterS: 599.1 },
  {
    name: 'only the last of several missed',
    now: '12:45:00',
    does: [`start c-${minute('12:40:00')}`],
    againAfterS: 300.1,
  },
  {
    name: 'a warning where very many were missed',
    spec: { schedule: '* * * * *' },
    now: '15:00:00',
    does: ['TooManyMissedTimes', `start c-${minute('15:00:00')}`],
    againAfterS: 60.1,
  },
  { name: 'nothing while suspended', spec: { suspend: true }, now: '12:45:00', does: [] },
  {
    name: 'nothing for a time that was served',
    status: { lastScheduleTime: at('12:10:00') },
    now: '12:10:30',
    does: [],
    againAfterS: 570.1,
  },
  {
    name: 'nothing that is past its deadline',
    spec: { startingDeadlineSeconds: 30 },
    now: '12:12:00',
    does: [],
    againAfterS: 480.1,
  },
  {
    name: 'what is within its deadline',
    spec: { startingDeadlineSeconds: 180 },
    now: '12:12:00',
    does: [`start c-${minute('12:10:00')}`],
    againAfterS: 480.1,
  },
  {
    name: 'with Forbid nothing while one runs',
    spec: { concurrencyPolicy: 'Forbid' },
    status: { active: active('c-0') },
    jobs: [job('c-0')],
    now: '12:10:00',
    does: ['JobAlreadyActive'],
    againAfterS: 600.1,
  },
  {
    name: 'with Replace the running one goes',
    spec: { concurrencyPolicy: 'Replace' },
    status: { active: active('c-0') },
    jobs: [job('c-0')],
    now: '12:10:00',
    does: [`start c-${minute('12:10:00')} for c-0`],
    againAfterS: 600.1,
  },
  {
    name: 'what has ended leaves the list',
    status: { active: active('a', 'b'), lastScheduleTime: at('12:10:00') },
    jobs: [job('a', 'Complete'), job('b')],
    now: '12:11:00',
    does: ['SawCompletedJob', 'status b success'],
    againAfterS: 540.1,
  },
  {
    name: 'so does what has vanished',
    status: { active: active('a'), lastScheduleTime: at('12:10:00') },
    gone: ['uid-a'],
    now: '12:11:00',
    does: ['MissingJob', 'status '],
    againAfterS: 540.1,
  },
  {
    name: 'history keeps the youngest of each kind',
    status: { lastScheduleTime: at('12:10:00'), lastSuccessfulTime: at('12:10:00') },
    jobs: [
      job('old', 'Complete', at('12:01:00')),
      job('new', 'Complete'),
      job('bad', 'Failed', at('12:02:00')),
      job('worse', 'Failed', at('12:03:00')),
    ],
    now: '12:11:00',
    does: ['delete old', 'delete bad'],
    againAfterS: 540.1,
  },
  {
    name: 'a job that it has not made is told',
    jobs: [job('x')],
    status: { lastScheduleTime: at('12:10:00') },
    now: '12:11:00',
    does: ['UnexpectedJob'],
    againAfterS: 540.1,
  },
  { name: 'a schedule that is none', spec: { schedule: 'nonsense' }, now: '12:11:00', does: ['UnparseableSchedule'] },
  { name: 'a time zone that is none', spec: { timeZone: 'Nowhere/City' }, now: '12:11:00', does: ['UnknownTimeZone'] },
  {
    name: 'hours of its time zone',
    spec: { schedule: '30 14 * * *', timeZone: 'Europe/Warsaw' },
    now: '13:30:05',
    does: [`start c-${minute('13:30:00')}`],
    againAfterS: 86_395.1,
  },
];

describe('what a CronJob does', () => {
  for (const { name, spec = {}, status, jobs = [], gone = [], now, does, againAfterS } of cases) {
    it(name, () => {
      const one = cronJob(spec, status);
      const schedule = readSchedule(one.spec.schedule, one.spec.timeZone);
      const observed = { cronJob: one, jobs, gone: new Set(gone), schedule };
      const { actions, againAfterMs } = plan(observed, Date.parse(at(now)));
      const told = actions.map((action) => {
        switch (action.type) {
          case 'event':
            return action.event[1];
          case 'delete':
            return `delete ${action.job}`;
          case 'start':
            return `start ${action.name}${action.replaced.length > 0 ? ` for ${action.replaced}` : ''}`;
          case 'status': {
            const names = (action.status.active ?? []).map((one) => one.name).join();
            return `status ${names}${action.status.lastSuccessfulTime ? ' success' : ''}`;
          }
        }
      });
      assert.deepEqual(told, does);
      assert.equal(againAfterMs === undefined ? undefined : againAfterMs / 1000, againAfterS);
    });
  }
});
