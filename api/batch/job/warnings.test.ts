import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CronJob, Job, JobSpec } from '../../types/batch/v1.generated.ts';
import { strategy as cronJobStrategy } from '../cronjob/strategy.ts';
import { strategy } from './strategy.ts';

const MANY =
  'In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail';
const spec = (parallelism: number): JobSpec => ({
  completionMode: 'Indexed',
  completions: 100001,
  parallelism,
  template: { spec: { containers: [{ name: 'a', image: 'i' }], restartPolicy: 'Never' } },
});
const job = (parallelism: number, generation = 1): Job => ({
  metadata: { name: 'x', generation },
  spec: spec(parallelism),
});
const warn = (now: Job, old?: Job) => strategy.warnings?.(now, old, undefined as never);

test('more indexes than a status has room for', () => {
  assert.deepEqual(warn(job(10001)), [`spec: ${MANY}`]);
  assert.deepEqual(warn(job(10000)), []);
  assert.deepEqual(warn(job(10001, 2), job(10000)), [`spec: ${MANY}`]);
  assert.deepEqual(warn(job(10001), job(10001)), [], 'once, for as long as nothing changes that counts');
});

test('the same in the template of a CronJob', () => {
  const cronJob: CronJob = {
    metadata: { name: 'x' },
    spec: { schedule: '* * * * *', jobTemplate: { spec: spec(10001) } },
  };
  assert.deepEqual(cronJobStrategy.warnings?.(cronJob, undefined, undefined as never), [
    `spec.jobTemplate.spec: ${MANY}`,
  ]);
});
