import assert from 'node:assert/strict';
import { it } from 'node:test';
import { FixedKeys } from '../../libs/base/node/fixed-keys.ts';
import { WorkQueue } from '../../libs/client/work-queue.ts';
import { MetricSet } from '../../libs/metrics/metrics.ts';
import { virtualTest } from '../../libs/testing/virtual-test.ts';
import { createCluster } from '../../testing/create-cluster.ts';
import { type RunningControllerManager, startControllerManager } from './controller-manager.ts';
import { queueMetrics } from './queue-metrics.ts';

it('queues tell what waits, how long it waited and how long it took', async () => {
  const { clock } = virtualTest();
  const metrics = new MetricSet();
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
  const handed = Promise.withResolvers<string>();
  void queue.serve(1, (one) => {
    handed.resolve(one);
    return new Promise(() => {});
  });
  const key = await handed.promise;
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

it('a manager tells which of its controllers run', async () => {
  const metrics = new MetricSet();
  await using cluster = await createCluster({ seed: 1, components: [] });
  const { client, clock } = cluster;
  let manager: RunningControllerManager | undefined;
  await cluster.run({
    name: 'counting',
    start({ informers, random, log }) {
      const options = { client, clock, informers, random, log, keys: new FixedKeys('k'), metrics };
      manager = startControllerManager({ ...options, featureGates: { enabled: () => false }, only: ['namespace'] });
    },
  });
  const running = () =>
    /^running_managed_controllers\{name="(.*)",manager="kube-controller-manager"\} (\d)$/m.exec(metrics.text());
  assert.deepEqual(running()?.slice(1), ['namespace', '1']);
  await manager?.stop();
  assert.deepEqual(running()?.slice(1), ['namespace', '0']);
});
