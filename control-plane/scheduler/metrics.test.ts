import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodes, pods, serviceAccounts } from '../../api/resources.ts';
import type { Node, Pod } from '../../api/types/core/v1.generated.ts';
import { MetricSet } from '../../libs/metrics/metrics.ts';
import { createCluster } from '../../testing/create-cluster.ts';
import { runScheduler } from './run-scheduler.ts';

const pod = (name: string, cpu: string, more: object = {}) =>
  ({
    metadata: { name },
    spec: { containers: [{ name: 'a', image: 'web:1', resources: { requests: { cpu } } }], ...more },
  }) as Pod;

test('attempts are counted by what came of them, and waiting pods by where they wait', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const metrics = new MetricSet();
  const { client } = cluster;
  const featureGates = { enabled: () => false };
  await cluster.run({ name: 'counting', start: (context) => runScheduler({ ...context, featureGates, metrics }) });
  const figure = (name: string) => Number(metrics.text().match(new RegExp(`^${name} (\\S+)$`, 'm'))?.[1] ?? Number.NaN);
  await client
    .resource(serviceAccounts)
    .namespace('default')
    .create({ metadata: { name: 'default' } });
  const allNodes = client.resource(nodes);
  await allNodes.create({ metadata: { name: 'n1' } } as Node);
  const room = { cpu: '1', memory: '8Gi', pods: '110' };
  await allNodes
    .subresource('status')
    .patch('n1', { status: { capacity: room, allocatable: room } }, { type: 'merge' });
  await allNodes.patch('n1', { spec: { taints: null } }, { type: 'merge' });

  const allPods = client.resource(pods).namespace('default');
  await allPods.create(pod('small', '100m'));
  await allPods.create(pod('big', '2'));
  await allPods.create(pod('gated', '100m', { schedulingGates: [{ name: 'example.com/wait' }] }));
  await cluster.advance('1m');

  const scheduled = 'result="scheduled",profile="default-scheduler"';
  const unschedulable = 'result="unschedulable",profile="default-scheduler"';
  assert.equal(figure(`scheduler_schedule_attempts_total{${scheduled}}`), 1);
  assert.equal(figure(`scheduler_schedule_attempts_total{${unschedulable}}`), 1);
  assert.equal(figure(`scheduler_scheduling_attempt_duration_seconds_count{${scheduled}}`), 1);
  assert.equal(figure('scheduler_pod_scheduling_attempts_count'), 1);
  // The first attempt was the last: no time passed in between.
  assert.equal(figure('scheduler_pod_scheduling_sli_duration_seconds_count{attempts="1"}'), 1);
  assert.equal(figure('scheduler_pod_scheduling_sli_duration_seconds_sum{attempts="1"}'), 0);
  assert.equal(figure('scheduler_scheduling_algorithm_duration_seconds_count'), 2);
  const point = (name: string, status: string) =>
    figure(
      `scheduler_framework_extension_point_duration_seconds_count{extension_point="${name}",status="${status}",profile="default-scheduler"}`,
    );
  assert.deepEqual(
    ['Filter', 'Reserve', 'PreBind', 'Bind'].map((name) => point(name, 'Success')),
    [1, 1, 1, 1],
  );
  // For the big one others were looked for to give way, without success.
  assert.deepEqual([point('Filter', 'Unschedulable'), point('PostFilter', 'Unschedulable')], [1, 1]);
  assert.equal(figure('scheduler_preemption_attempts_total'), 1);
  const came = (event: string, queue: string) =>
    figure(`scheduler_queue_incoming_pods_total{queue="${queue}",event="${event}"}`);
  assert.deepEqual([came('UnschedulablePodAdd', 'active'), came('UnschedulablePodAdd', 'unschedulable')], [2, 1]);
  assert.equal(came('ScheduleAttemptFailure', 'unschedulable'), 1);
  const places = ['active', 'backoff', 'unschedulable', 'gated'];
  assert.deepEqual(
    places.map((place) => figure(`scheduler_pending_pods{queue="${place}"}`)),
    [0, 0, 1, 1],
  );
  const refused = (plugin: string) =>
    figure(`scheduler_unschedulable_pods{plugin="${plugin}",profile="default-scheduler"}`);
  assert.deepEqual([refused('NodeResourcesFit'), refused('SchedulingGates')], [1, 1]);

  const evaluated = (plugin: string, point: string) =>
    figure(
      `scheduler_plugin_evaluation_total{plugin="${plugin}",extension_point="${point}",profile="default-scheduler"}`,
    );
  assert.deepEqual([evaluated('NodeResourcesFit', 'PreFilter'), evaluated('NodeResourcesFit', 'Filter')], [2, 2]);
  // With one node there is nothing to score.
  assert.equal(evaluated('NodeResourcesFit', 'Score'), Number.NaN);
  assert.equal(figure('scheduler_goroutines{operation="binding"}'), 0);

  await allNodes.subresource('status').patch('n1', { status: { allocatable: { cpu: '4' } } }, { type: 'merge' });
  await cluster.advance('1m');
  assert.equal(figure(`scheduler_schedule_attempts_total{${scheduled}}`), 2);
  assert.equal(figure('scheduler_pending_pods{queue="unschedulable"}'), 0);
  assert.equal(figure('scheduler_pod_scheduling_attempts_sum'), 3);
  assert.equal(came('NodeUpdate', 'active'), 1);
  assert.equal(figure('scheduler_pod_scheduling_sli_duration_seconds_sum{attempts="2"}'), 60);
});
