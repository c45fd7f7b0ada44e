import assert from 'node:assert/strict';
import { it } from 'node:test';
import { WorkQueue } from '../../libs/client/work-queue.ts';
import { MetricSet } from '../../libs/metrics/metrics.ts';
import { virtualTest } from '../../libs/testing/virtual-test.ts';
import { queueMetrics } from './queue-metrics.ts';

it('queues tell what waits, how long it waited and how long it took', async () => {
  const { clock } = virtualTest();
  const metrics = new MetricSet();
  queueMetrics(metrics, clock);
  const queue = new WorkQueue({ clock, observer: queueMetrics(metrics, clock)('job') });
  const line = (start: string) =>
    metrics
      .text()
      .split('\n')
      .find((one) => one.startsWith(`workqueue_${start}`))
      ?.replace(/.* /, '');
  queue.add('a');
  queue.add('a');
  queue.add('b');
  assert.deepEqual([line('adds_total{'), line('depth{')], ['2', '2']);
  await clock.advance(2000);
  const key = (await queue.take()) as string;
  assert.deepEqual([line('depth{'), line('queue_duration_seconds_sum')], ['1', '2']);
  await clock.advance(3000);
  assert.deepEqual([line('unfinished_work_seconds{'), line('longest_running_processor_seconds{')], ['3', '3']);
  queue.addRateLimited(key);
  queue.done(key);
  assert.deepEqual(
    [line('work_duration_seconds_sum'), line('unfinished_work_seconds{'), line('retries_total{')],
    ['3', '0', '1'],
  );
  await clock.advance(10);
  assert.deepEqual([line('adds_total{'), line('depth{')], ['3', '2']);
  queue.close();
});
