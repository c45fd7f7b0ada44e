import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiObject, ResourceRef } from '../../../../libs/kind/object.ts';
import { type Cluster, createCluster } from '../../../../testing/create-cluster.ts';
import { deployments, events, horizontalPodAutoscalers } from '../../../resources.ts';
import type { Deployment } from '../../../types/apps/v1.generated.ts';
import type { HorizontalPodAutoscaler } from '../../../types/autoscaling/v2.generated.ts';

interface PodMetrics extends ApiObject {
  readonly timestamp: string;
  readonly window: string;
  readonly containers: readonly { readonly name: string; readonly usage: Readonly<Record<string, string>> }[];
}
const podMetrics: ResourceRef<PodMetrics> = {
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  resource: 'pods',
  kind: 'PodMetrics',
  namespaced: true,
};

/** The API of metrics-server, from objects that a test writes: custom resources answer the same requests. */
const METRICS_API = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: 'pods.metrics.k8s.io',
    annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests alone' },
  },
  spec: {
    group: 'metrics.k8s.io',
    scope: 'Namespaced',
    names: { plural: 'pods', singular: 'pod', kind: 'PodMetrics', listKind: 'PodMetricsList' },
    versions: [
      {
        name: 'v1beta1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

const labels = { app: 'web' };
const web = {
  metadata: { name: 'web' },
  spec: {
    replicas: 2,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: { containers: [{ name: 'web', image: 'web:1', resources: { requests: { cpu: '200m' } } }] },
    },
  },
} as unknown as Deployment;

const autoscaler = (spec: object = {}) =>
  ({
    metadata: { name: 'web' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 10, ...spec },
  }) as HorizontalPodAutoscaler;

async function setUp() {
  const cluster = await createCluster({ seed: 1, nodes: 1 });
  const inDefault = <T extends ApiObject>(ref: ResourceRef<T>) => cluster.client.resource(ref).namespace('default');
  const conditions = async () => {
    const { status } = await inDefault(horizontalPodAutoscalers).get('web');
    return Object.fromEntries(
      (status?.conditions ?? []).map(({ type, status: is, reason }) => [type, `${is} ${reason}`]),
    );
  };
  const told = async (reason: string) => {
    const { items } = await inDefault(events).list();
    return items.filter((event) => event.involvedObject.kind === 'HorizontalPodAutoscaler' && event.reason === reason);
  };
  const replicas = async () => (await inDefault(deployments).get('web')).spec?.replicas;
  return { cluster, inDefault, conditions, told, replicas };
}

/** Every pod of the workload uses so much from now on. */
async function use(cluster: Cluster, cpu: string): Promise<void> {
  const client = cluster.client.resource(podMetrics).namespace('default');
  for (const { metadata } of (await client.list()).items) await client.delete(metadata.name);
  const { items } = await cluster.client
    .resource({ ...podMetrics, group: '', version: 'v1' })
    .namespace('default')
    .list();
  for (const { metadata } of items) {
    await client.create({
      metadata: { name: metadata.name, labels },
      timestamp: new Date(cluster.clock.now()).toISOString(),
      window: '30s',
      containers: [{ name: 'web', usage: { cpu } }],
    });
  }
}

test('without a metrics API an autoscaler says so, and changes nothing', async () => {
  const { cluster, inDefault, conditions, told, replicas } = await setUp();
  await using _ = cluster;
  await inDefault(deployments).create(web);
  await inDefault(horizontalPodAutoscalers).create(autoscaler());
  await cluster.advance('1m');
  assert.deepEqual(await conditions(), {
    AbleToScale: 'True SucceededGetScale',
    ScalingActive: 'False FailedGetResourceMetric',
  });
  const why =
    'failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: ' +
    'the server could not find the requested resource (get pods.metrics.k8s.io)';
  assert.equal((await told('FailedGetResourceMetric'))[0]?.message, why);
  assert.equal(
    (await told('FailedComputeMetricsReplicas'))[0]?.message,
    `invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: ${why}`,
  );
  assert.equal(await replicas(), 2);
  const { status } = await inDefault(horizontalPodAutoscalers).get('web');
  assert.equal(status?.currentReplicas, 2);
});

test('a workload follows its load up at once, and down when that has lasted', async () => {
  const { cluster, inDefault, conditions, told, replicas } = await setUp();
  await using _ = cluster;
  await cluster.apply(METRICS_API);
  await inDefault(deployments).create(web);
  await cluster.advance('10m');
  await use(cluster, '320m');
  await inDefault(horizontalPodAutoscalers).create(autoscaler());
  await cluster.advance('1s');
  // Twice the 80 % of what is requested that is the default.
  assert.equal(await replicas(), 4);
  assert.deepEqual(await conditions(), {
    AbleToScale: 'True SucceededRescale',
    ScalingActive: 'True ValidMetricFound',
    ScalingLimited: 'False DesiredWithinRange',
  });
  const [rescaled] = await told('SuccessfulRescale');
  assert.equal(rescaled?.message, 'New size: 4; reason: cpu resource utilization (percentage of request) above target');
  assert.equal(rescaled?.source?.component ?? rescaled?.reportingComponent, 'horizontal-pod-autoscaler');
  await cluster.advance('10m');
  await use(cluster, '160m');
  await cluster.advance('1m');
  const { status } = await inDefault(horizontalPodAutoscalers).get('web');
  assert.deepEqual(status?.currentMetrics, [
    { type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 80, averageValue: '160m' } } },
  ]);
  assert.deepEqual([status?.currentReplicas, status?.desiredReplicas], [4, 4]);

  await use(cluster, '10m');
  await cluster.advance('4m');
  assert.equal(await replicas(), 4);
  assert.equal((await conditions())['AbleToScale'], 'True ScaleDownStabilized');
  await cluster.advance('2m');
  assert.equal(await replicas(), 1);
  assert.equal((await told('SuccessfulRescale')).at(-1)?.message, 'New size: 1; reason: All metrics below target');
});

test('bounds count without any metrics, and a workload at zero is left alone', async () => {
  const { cluster, inDefault, conditions, told, replicas } = await setUp();
  await using _ = cluster;
  await inDefault(deployments).create(web);
  await inDefault(horizontalPodAutoscalers).create(autoscaler({ minReplicas: 3 }));
  await cluster.advance('1s');
  assert.equal(await replicas(), 3);
  const reasons = (await told('SuccessfulRescale')).map(({ message }) => message);
  assert.deepEqual(reasons, ['New size: 3; reason: Current number of replicas below Spec.MinReplicas']);
  await inDefault(deployments).patch('web', { spec: { replicas: 0 } }, { type: 'merge' });
  await cluster.advance('1m');
  assert.equal(await replicas(), 0);
  assert.equal((await conditions())['ScalingActive'], 'False ScalingDisabled');
});

test('what cannot be scaled is told', async () => {
  const { cluster, inDefault, conditions, told } = await setUp();
  await using _ = cluster;
  await inDefault(horizontalPodAutoscalers).create(autoscaler());
  await cluster.advance('20s');
  assert.deepEqual(await conditions(), { AbleToScale: 'False FailedGetScale' });
  assert.equal((await told('FailedGetScale'))[0]?.message, 'deployments.apps "web" not found');
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Fleet', name: 'web' };
  await inDefault(horizontalPodAutoscalers).patch('web', { spec: { scaleTargetRef } }, { type: 'merge' });
  await cluster.advance('1s');
  assert.equal((await told('FailedGetScale')).at(-1)?.message, 'no matches for kind "Fleet" in group "apps"');
  const daemons = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'web' };
  await inDefault(horizontalPodAutoscalers).patch('web', { spec: { scaleTargetRef: daemons } }, { type: 'merge' });
  await cluster.advance('1s');
  assert.equal((await told('FailedGetScale')).at(-1)?.message, 'the server could not find the requested resource');
});

test('two autoscalers of the same pods do nothing', async () => {
  const { cluster, inDefault, told } = await setUp();
  await using _ = cluster;
  await inDefault(deployments).create(web);
  await inDefault(horizontalPodAutoscalers).create(autoscaler());
  await inDefault(horizontalPodAutoscalers).create({ ...autoscaler(), metadata: { name: 'other' } });
  await cluster.advance('1s');
  const ambiguous = (await told('AmbiguousSelector')).map((event) => event.involvedObject.name);
  assert.deepEqual(ambiguous.sort(), ['other', 'web']);
  assert.match(
    (await told('AmbiguousSelector'))[0]?.message ?? '',
    /^pods by selector app=web are controlled by multiple HPAs: \[default\/other default\/web\]$/,
  );
});
