import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Container, ContainerResizePolicy } from '../../../api/types/core/v1.generated.ts';
import { one, simulatedNode } from '../../../tests/fixtures/simulated-node.ts';
import type { NodePod } from './objects.ts';
import { needsRestart, planResize, type Resources, withAllocation } from './resize.ts';

const pod = (requests: Record<string, string>, annotations: Record<string, string> = {}): NodePod => ({
  metadata: { name: 'app', uid: 'app', annotations },
  spec: { containers: [{ name: 'main', image: 'app:1', resources: { requests } }] },
});

test('what becomes of a wish', async (t) => {
  const cases: [string, NodePod, Record<string, string>, NodePod[], string][] = [
    ['nothing has changed', pod({ cpu: '1' }), { cpu: '1000m' }, [], 'none'],
    ['there is room', pod({ cpu: '2' }), { cpu: '1' }, [pod({ cpu: '2' })], 'allocate 2'],
    ['less than before', pod({ cpu: '1' }), { cpu: '2' }, [pod({ cpu: '2' })], 'allocate 1'],
    [
      'others are in the way',
      pod({ cpu: '3' }),
      { cpu: '1' },
      [pod({ cpu: '2' })],
      "Deferred: Node didn't have enough resource: cpu, requested: 3000, used: 2000, capacity: 4000",
    ],
    [
      'the node is too small',
      pod({ cpu: '5' }),
      { cpu: '1' },
      [],
      "Infeasible: Node didn't have enough capacity: cpu, requested: 5000, capacity: 4000",
    ],
    [
      'it comes from a manifest',
      pod({ cpu: '2' }, { 'kubernetes.io/config.source': 'file' }),
      { cpu: '1' },
      [],
      'Infeasible: In-place resize of containers running on static-pods is not supported',
    ],
  ];
  for (const [name, wanted, given, others, expected] of cases) {
    await t.test(name, () => {
      const allocation = new Map([['main', { requests: given }]]);
      const plan = planResize({ pod: wanted, allocation, others, allocatable: { cpu: '4', memory: '1Gi' } });
      const text =
        plan.type === 'refuse'
          ? `${plan.reason}: ${plan.message}`
          : plan.type === 'allocate'
            ? `allocate ${plan.allocation.get('main')?.requests?.['cpu']}`
            : plan.type;
      assert.equal(text, expected);
    });
  }
});

test('what a resize policy asks for', () => {
  const policy: ContainerResizePolicy[] = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
  const container: Container = { name: 'main', resizePolicy: policy };
  const of = (cpu: string, memory: string): Resources => ({ limits: { cpu, memory } });
  assert.equal(needsRestart(container, of('1', '1Gi'), of('2', '1Gi')), false);
  assert.equal(needsRestart(container, of('1', '1Gi'), of('1', '2Gi')), true);
  assert.equal(needsRestart({ name: 'main' }, of('1', '1Gi'), of('1', '2Gi')), false);
});

test('a pod is what it was allocated, with all else of its spec', () => {
  const wanted = pod({ cpu: '3' });
  const given = withAllocation(wanted, new Map([['main', { requests: { cpu: '1' } }]]));
  assert.equal(given.spec.containers[0]?.resources?.requests?.['cpu'], '1');
  assert.equal(withAllocation(wanted, new Map()), wanted);
});

const cpuOf = (of: { [name: string]: string } | undefined) => of?.['cpu'];

test('a container gets more while it runs; what has no room waits for it', async () => {
  await using at = await simulatedNode({ images: { 'job:1': { exitAfterMs: 60_000, exitCode: 0 } } });
  const sized = (cpu: string, more: Partial<Container> = {}) =>
    one('app:1', { resources: { requests: { cpu }, limits: { cpu } }, ...more });
  await at.create('app', sized('1'));
  await at.create('job', { ...one('job:1', { resources: { requests: { cpu: '2' } } }), restartPolicy: 'Never' });
  await at.advance('2s');
  const resize = (cpu: string) =>
    at.api
      .subresource('resize')
      .patch(
        'app',
        { spec: { containers: [{ name: 'main', resources: { requests: { cpu }, limits: { cpu } } }] } },
        { type: 'strategic' },
      );
  const shown = async () => {
    const { status } = await at.get('app');
    const [main] = status?.containerStatuses ?? [];
    const pending = status?.conditions?.find(({ type }) => type === 'PodResizePending');
    return `${cpuOf(main?.allocatedResources)} ${cpuOf(main?.resources?.limits)} ${main?.restartCount} ${pending?.reason}`;
  };
  assert.equal(await shown(), '1 1 0 undefined');
  await resize('2');
  await at.advance('2s');
  assert.equal(await shown(), '2 2 0 undefined');
  const [record] = [...at.runtime.containers.values()].filter(({ config }) => config.metadata?.name === 'main');
  assert.equal(Number(record?.config.linux?.resources?.cpuQuota), 200_000, 'the runtime was told');
  const told = async (words: string) => (await at.told()).some((line) => line.endsWith(words));
  const containers = (cpu: string) =>
    `"containers":[{"name":"main","resources":{"limits":{"cpu":"${cpu}"},"requests":{"cpu":"${cpu}"}}}]`;
  assert.ok(await told(`ResizeStarted: Pod resize started: {${containers('2')},"generation":2}`));
  assert.ok(await told(`ResizeCompleted: Pod resize completed: {${containers('2')},"generation":2}`));

  await resize('3');
  await at.advance('2s');
  assert.equal(await shown(), '2 2 0 Deferred');
  const why = "Node didn't have enough resource: cpu, requested: 3000, used: 2000, capacity: 4000";
  assert.ok(await told(`Pod resize Deferred: {${containers('3')},"generation":3,"error":"${why}"}`));
  await resize('5');
  await at.advance('2s');
  assert.equal(await shown(), '2 2 0 Infeasible');
  await resize('4');
  await at.advance('70s');
  assert.equal((await at.get('job')).status?.phase, 'Succeeded');
  assert.equal(await shown(), '4 4 0 undefined', 'there was room when the job had ended');

  await at.restart();
  await resize('1');
  await at.advance('2s');
  assert.equal(await shown(), '1 1 0 undefined', 'a kubelet that starts anew knows what it has');
});

test('a container whose policy says so starts anew with what it gets', async () => {
  await using at = await simulatedNode();
  const resizePolicy = [{ resourceName: 'cpu', restartPolicy: 'RestartContainer' }];
  await at.create('app', one('app:1', { resizePolicy, resources: { requests: { cpu: '1' } } }));
  await at.advance('2s');
  const containers = [{ name: 'main', resources: { requests: { cpu: '2' } } }];
  await at.api.subresource('resize').patch('app', { spec: { containers } }, { type: 'strategic' });
  await at.advance('5s');
  const [main] = (await at.get('app')).status?.containerStatuses ?? [];
  assert.deepEqual([main?.restartCount, cpuOf(main?.resources?.requests)], [1, '2']);
  assert.ok((await at.told()).some((line) => line.includes('Container main resize requires restart')));
});
