import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cronJobs, jobs, nodes, pods, services } from '../../api/resources.ts';
import { formatTime } from '../../libs/base/clock.ts';
import { FixedKeys } from '../../libs/base/node/fixed-keys.ts';
import { MetricSet } from '../../libs/metrics/metrics.ts';
import { createCluster } from '../../testing/create-cluster.ts';
import { startControllerManager } from './controller-manager.ts';

/** What makes pods run, beside what is counted. */
const OTHERS = ['node-lifecycle', 'node-ipam-controller', 'serviceaccount', 'garbage-collector'];

/** A cluster whose controllers of these names are counted; with a node, pods run. */
async function counted(count: 0 | 1, ...only: string[]) {
  const cluster = await createCluster({
    seed: 1,
    nodes: count,
    ...(count ? { controllers: OTHERS } : { components: [] }),
  });
  const metrics = new MetricSet();
  await cluster.run({
    name: 'counted',
    start({ client, clock, informers, random, log }) {
      const options = { client, clock, informers, random, log, keys: new FixedKeys('k'), metrics };
      return startControllerManager({ ...options, featureGates: { enabled: () => true }, only });
    },
  });
  /** `name{labels}` to value, of the metrics whose name begins so. */
  const read = (name: string) =>
    Object.fromEntries(
      [...metrics.text().matchAll(new RegExp(`^${name}(\\S*) (\\S+)$`, 'gm'))].map(([, of, value]) => [
        of,
        Number(value),
      ]),
    );
  return { cluster, read, [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() };
}

const template = (image: string) => ({
  spec: { restartPolicy: 'Never', automountServiceAccountToken: false, containers: [{ name: 'main', image }] },
});

test('Jobs are counted, their pods, and what failure policies made of them', async () => {
  await using it = await counted(1, 'job');
  const { cluster, read } = it;
  cluster.image('good:1', { exitAfterMs: 1_000, exitCode: 0 });
  cluster.image('bad:1', { exitAfterMs: 1_000, exitCode: 3 });
  const client = cluster.client.resource(jobs).namespace('default');
  await client.create({
    metadata: { name: 'good' },
    spec: { completions: 2, completionMode: 'Indexed', parallelism: 2, template: template('good:1') },
  });
  const onExitCodes = { operator: 'In', values: [3] };
  const podFailurePolicy = { rules: [{ action: 'FailJob', onExitCodes }] };
  await client.create({
    metadata: { name: 'bad' },
    spec: { backoffLimit: 0, podFailurePolicy, template: template('bad:1') },
  });
  await cluster.advance('1m');
  assert.deepEqual(read('job_controller_jobs_finished_total'), {
    '{completion_mode="Indexed",result="succeeded",reason="CompletionsReached"}': 1,
    '{completion_mode="NonIndexed",result="failed",reason="PodFailurePolicy"}': 1,
  });
  assert.deepEqual(read('job_controller_job_pods_finished_total'), {
    '{completion_mode="Indexed",result="succeeded"}': 2,
    '{completion_mode="Indexed",result="failed"}': 0,
    '{completion_mode="NonIndexed",result="succeeded"}': 0,
    '{completion_mode="NonIndexed",result="failed"}': 1,
  });
  assert.deepEqual(read('job_controller_pod_failures_handled_by_failure_policy_total'), { '{action="FailJob"}': 1 });
  assert.deepEqual(read('job_controller_terminated_pods_tracking_finalizer_total'), {
    '{event="add"}': 3,
    '{event="delete"}': 3,
  });
  const syncs = read('job_controller_job_syncs_total');
  assert.equal(syncs['{completion_mode="Indexed",result="success",action="pods_created"}'], 1);
  assert.equal(syncs['{completion_mode="NonIndexed",result="success",action="pods_created"}'], 1);
  assert.ok(syncs['{completion_mode="NonIndexed",result="success",action="reconciling"}']! > 0);
  const timed = read('job_controller_job_sync_duration_seconds_count');
  assert.deepEqual(timed, syncs, 'each is timed');
});

test('how late CronJobs begin is told', async () => {
  await using it = await counted(1, 'cronjob', 'job');
  const { cluster, read } = it;
  await cluster.client
    .resource(cronJobs)
    .namespace('default')
    .create({
      metadata: { name: 'often' },
      spec: { schedule: '* * * * *', jobTemplate: { spec: { template: template('good:1') } } },
    });
  assert.equal(read('cronjob_controller_job_creation_skew_duration_seconds')._count, 0);
  await cluster.advance('130s');
  const skew = read('cronjob_controller_job_creation_skew_duration_seconds');
  assert.deepEqual([skew._count, skew._sum, skew['_bucket{le="1"}']], [2, 0, 2]);
});

test('endpoints are told as they are, and as they come and go', async () => {
  await using it = await counted(1, 'endpointslice');
  const { cluster, read } = it;
  const inDefault = cluster.client.resource(pods).namespace('default');
  await cluster.client
    .resource(services)
    .namespace('default')
    .create({
      metadata: { name: 'web' },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }], trafficDistribution: 'PreferSameZone' },
    });
  for (const name of ['a', 'b']) {
    await inDefault.create({
      metadata: { name, labels: { app: 'web' } },
      spec: { automountServiceAccountToken: false, containers: [{ name: 'main', image: 'web:1' }] },
    });
  }
  await cluster.advance('30s');
  const of = (what: string) => read(`endpoint_slice_controller_${what}`);
  assert.deepEqual(of('services_count_by_traffic_distribution'), { '{traffic_distribution="PreferSameZone"}': 1 });
  assert.deepEqual([of('num_endpoint_slices')[''], of('desired_endpoint_slices')['']], [1, 1]);
  assert.equal(of('endpoints_desired')[''], 2);
  assert.equal(of('endpoints_added_per_sync')._sum, 2);
  await inDefault.delete('a', { gracePeriodSeconds: 0 });
  await cluster.advance('30s');
  assert.equal(of('endpoints_desired')[''], 1);
  assert.equal(of('endpoints_removed_per_sync')._sum, 1);
  await cluster.client.resource(services).namespace('default').delete('web');
  await cluster.advance('30s');
  assert.deepEqual(of('services_count_by_traffic_distribution'), {});
});

test('a node that is away is counted once', async () => {
  await using it = await counted(0, 'node-lifecycle');
  const { clock, client } = it.cluster;
  const read = () => it.read('node_collector_evictions_total');
  const lastTransitionTime = formatTime(clock.now());
  const ready = { type: 'Ready', status: 'True', lastTransitionTime, lastHeartbeatTime: lastTransitionTime };
  const labels = { 'topology.kubernetes.io/region': 'r', 'topology.kubernetes.io/zone': 'z' };
  await client.resource(nodes).create({ metadata: { name: 'gone', labels }, spec: {} });
  await client
    .resource(nodes)
    .subresource('status')
    .patch('gone', { status: { conditions: [ready] } }, { type: 'merge' });
  await it.cluster.advance('30s');
  assert.deepEqual(read(), {});
  await it.cluster.advance('5m');
  assert.deepEqual(read(), { '{zone="r:\0:z"}': 1 });
});
