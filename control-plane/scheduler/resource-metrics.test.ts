import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodes, pods, serviceAccounts } from '../../api/resources.ts';
import type { PodSpec } from '../../api/types/core/v1.generated.ts';
import { createCluster } from '../../testing/create-cluster.ts';
import { wholePod } from './resource-metrics.ts';
import { runScheduler } from './run-scheduler.ts';
import type { RunningScheduler } from './start-scheduler.ts';

const container = (requests: Record<string, string>, limits: Record<string, string> = {}) => ({
  name: 'c',
  image: 'i',
  resources: { requests, limits },
});

test('what a pod asks for as a whole', () => {
  const cases: [string, object, object, object][] = [
    [
      'containers together',
      { containers: [container({ cpu: '1' }), container({ cpu: '500m' })] },
      { cpu: '1500m' },
      {},
    ],
    [
      'the largest of the init containers',
      { containers: [container({ cpu: '1' })], initContainers: [container({ cpu: '3' })] },
      { cpu: '3' },
      {},
    ],
    [
      'the pod itself costs something, where there is a limit',
      { overhead: { cpu: '1', memory: '1Gi' }, containers: [container({}, { cpu: '2' })] },
      { cpu: '1', memory: '1Gi' },
      { cpu: '3' },
    ],
    [
      'what is said of the pod as a whole',
      { resources: { requests: { cpu: '4' } }, containers: [container({ cpu: '1' })] },
      { cpu: '4' },
      {},
    ],
  ];
  for (const [what, spec, requests, limits] of cases) {
    assert.deepEqual(wholePod(spec as PodSpec, 'requests'), requests, what);
    assert.deepEqual(wholePod(spec as PodSpec, 'limits'), limits, what);
  }
});

test('the resources of pods that hold them are told, with their units', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const { client } = cluster;
  let scheduler: RunningScheduler | undefined;
  await cluster.run({
    name: 'counting',
    async start(context) {
      scheduler = await runScheduler({ ...context, featureGates: { enabled: () => false } });
      return scheduler;
    },
  });
  await client
    .resource(serviceAccounts)
    .namespace('default')
    .create({ metadata: { name: 'default' } });
  const room = { cpu: '4', memory: '8Gi', pods: '110', 'example.com/gpu': '2' };
  await client.resource(nodes).create({ metadata: { name: 'n1' }, spec: {} });
  await client
    .resource(nodes)
    .subresource('status')
    .patch('n1', { status: { capacity: room, allocatable: room } }, { type: 'merge' });
  await client.resource(nodes).patch('n1', { spec: { taints: null } }, { type: 'merge' });
  const requests = { cpu: '250m', memory: '1Gi', 'example.com/gpu': '1' };
  const spec = { containers: [container(requests, { memory: '2Gi', 'example.com/gpu': '1' })] };
  const inDefault = client.resource(pods).namespace('default');
  for (const name of ['runs', 'over']) await inDefault.create({ metadata: { name }, spec });
  await cluster.advance('10s');
  await inDefault.subresource('status').patch('over', { status: { phase: 'Succeeded' } }, { type: 'merge' });
  await cluster.advance('1s');
  const text = (await scheduler?.resourceMetrics()) ?? '';
  const of = (resource: string, unit: string) =>
    `{namespace="default",pod="runs",node="n1",scheduler="default-scheduler",priority="0",resource="${resource}",unit="${unit}"}`;
  assert.deepEqual(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .sort(),
    [
      `kube_pod_resource_limit${of('example.com/gpu', 'integer')} 1`,
      `kube_pod_resource_limit${of('memory', 'bytes')} ${2 * 2 ** 30}`,
      `kube_pod_resource_request${of('cpu', 'cores')} 0.25`,
      `kube_pod_resource_request${of('example.com/gpu', 'integer')} 1`,
      `kube_pod_resource_request${of('memory', 'bytes')} ${2 ** 30}`,
    ],
  );
});
