import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createCluster, SimulatedNetworkError } from './index.ts';

const manifests = fileURLToPath(new URL('fixtures/shop/', import.meta.url));

test('my operator survives a node loss', async () => {
  await using cluster = await createCluster({ nodes: 3, seed: 42 });
  await cluster.apply(manifests);
  cluster.image('shop/web:1', async (pod) => {
    pod.serve(8080, () => 'hello');
  });
  await cluster.until('deployment/web', (d) => d.status.availableReplicas === 3);
  await cluster.nodes[0].crash();
  await cluster.advance('6m');
  const pods = await cluster.client.core.v1.pods('default').list({ labelSelector: 'app=web' });

  const alive = pods.items.filter(({ metadata }) => !metadata.deletionTimestamp);
  assert.equal(alive.length, 3);
  for (const { spec, status } of alive) {
    assert.notEqual(spec?.nodeName, 'node-1');
    assert.equal(status?.phase, 'Running');
  }
  const node = await cluster.client.core.v1.nodes().get('node-1');
  assert.equal(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'Unknown');

  await cluster.nodes[0].restart();
  await cluster.until('node/node-1', (n) => n.status.conditions.some((c) => c.type === 'Ready' && c.status === 'True'));
  await cluster.idle();
  const after = await cluster.client.core.v1.pods('default').list({ labelSelector: 'app=web' });
  assert.equal(after.items.length, 3, 'what was on the lost node has gone');
});

test('requests go through Services and names, from outside and from pods', async () => {
  await using cluster = await createCluster({ nodes: 2, seed: 1 });
  cluster.image('shop/web:1', (pod) => pod.serve(8080, ({ path }) => `${pod.pod.name} ${path}`));
  await cluster.apply(manifests);
  await cluster.until('deployment/web', (d) => d.status.availableReplicas === 3);
  const seen = new Set<string>();
  for (let n = 0; n < 30; n++) seen.add((await cluster.fetch('http://web.default/a?b=c')).body);
  assert.equal(seen.size, 3, 'all endpoints are asked');
  for (const answer of seen) assert.match(answer, /^web-\S+ \/a\?b=c$/);

  const heard: string[] = [];
  cluster.image('shop/asker:1', async (pod) => {
    for (const host of ['web', 'web.default.svc', 'web.default.svc.cluster.local'])
      heard.push((await pod.fetch(`http://${host}/`)).body.split('-')[0] as string);
    return 0;
  });
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'asker' },
    spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'shop/asker:1' }] },
  });
  await cluster.until('pod/asker', (p) => p.status.phase === 'Succeeded');
  assert.deepEqual(heard, ['web', 'web', 'web']);
  await assert.rejects(
    cluster.fetch('http://nobody.default/'),
    (e) => e instanceof SimulatedNetworkError && e.code === 'ENOTFOUND',
  );
  await cluster.client.apps.v1.deployments('default').patch('web', { spec: { replicas: 0 } }, { type: 'merge' });
  await cluster.until('deployment/web', (d) => !d.status.replicas);
  await cluster.idle();
  await assert.rejects(
    cluster.fetch('http://web.default/'),
    (e) => e instanceof SimulatedNetworkError && e.code === 'ECONNREFUSED',
  );
});

test('logs of containers, and a function that throws is named', async () => {
  await using cluster = await createCluster({ nodes: 1, seed: 1 });
  cluster.image('talks', (pod) => {
    pod.log('one');
    pod.logError('two');
    throw new RangeError('out of paper');
  });
  await cluster.apply(`
apiVersion: v1
kind: Pod
metadata: { name: talks }
spec: { restartPolicy: Never, containers: [{ name: main, image: talks }] }
`);
  const pod = await cluster.until('pod/talks', (p) => p.status.phase === 'Failed');
  assert.equal(pod.status.containerStatuses[0]?.state.terminated.exitCode, 1);
  const log = await cluster.client.raw('GET', '/api/v1/namespaces/default/pods/talks/log');
  assert.equal(log, 'one\ntwo\nout of paper\n');
  await assert.rejects(
    cluster.until('pod/talks', (p) => p.status.phase === 'Succeeded', { within: '1s' }),
    /pod\/talks in namespace default as wanted did not come within 1000 ms.*status \{.*the function of image talks threw in pod default\/talks: RangeError: out of paper/s,
  );
});

test('nodes as they are asked for', async () => {
  const taints = [{ key: 'gpu', effect: 'NoSchedule' as const }];
  await using cluster = await createCluster({
    seed: 1,
    nodes: [{ name: 'big', capacity: { cpu: '64', memory: '256Gi', pods: '500' }, labels: { zone: 'a' } }, { taints }],
  });
  const { items } = await cluster.client.core.v1.nodes().list();
  assert.deepEqual(
    items.map(({ metadata, spec, status }) => [
      metadata.name,
      metadata.labels?.['zone'],
      spec?.taints?.[0]?.key,
      status?.capacity,
    ]),
    [
      ['big', 'a', undefined, { cpu: '64', memory: '256Gi', pods: '500', 'ephemeral-storage': '64Gi' }],
      ['node-2', undefined, 'gpu', { cpu: '4', memory: '8Gi', pods: '110', 'ephemeral-storage': '64Gi' }],
    ],
  );
  const pod = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'main', image: 'x', resources: { requests: { cpu: '63' } } }] },
  });
  await cluster.apply([pod('first'), pod('second')]);
  await cluster.until('pod/first', (p) => p.status.phase === 'Running');
  await assert.rejects(
    cluster.until('pod/second', (p) => p.status.phase === 'Running', { within: '5s' }),
    /pod default\/second \(Pending\) on no node: not scheduled: 0\/2 nodes are available/,
  );
});

test('a node that is cut off, or stands still, is given up and comes back', async (t) => {
  for (const [what, break_, mend] of [
    ['partition', 'partition', 'heal'],
    ['pause', 'pause', 'resume'],
  ] as const) {
    await t.test(what, async () => {
      await using cluster = await createCluster({ nodes: 2, seed: 3 });
      const ready = () =>
        cluster.until('node/node-2', (n) => n.status.conditions.some((c) => c.type === 'Ready' && c.status === 'True'));
      await cluster.nodes[1]?.[break_]();
      await cluster.until('node/node-2', (n) =>
        n.status.conditions.some((c) => c.type === 'Ready' && c.status === 'Unknown'),
      );
      await cluster.nodes[1]?.[mend]();
      await ready();
    });
  }
});

test('one seed gives one history in two processes, with nodes and faults', () => {
  const program = fileURLToPath(new URL('../tests/fixtures/cluster-history.ts', import.meta.url));
  const run = (seed: string) => execFileSync(process.execPath, [program, seed], { encoding: 'utf8' });
  const [first, second, other] = [run('5'), run('5'), run('6')];
  assert.match(first, /^[0-9a-f]{64} \d{3,} entries$/m);
  assert.equal(first, second);
  assert.notEqual(first, other);
});

test('a pod goes though the first deletion of its object meets a conflict', async () => {
  await using cluster = await createCluster({ nodes: 1, seed: 1 });
  const pods = cluster.client.core.v1.pods('default');
  await pods.create({ metadata: { name: 'app' }, spec: { containers: [{ name: 'main', image: 'shop/web:1' }] } });
  await cluster.until('pod/app', (pod) => pod.status.phase === 'Running');
  cluster.faults.add({ fault: 'refuse', code: 409, users: ['system:node:*'], verbs: ['delete'], times: 1 });
  await pods.delete('app', { gracePeriodSeconds: 1 });
  await cluster.until(async () => (await pods.list()).items.length === 0);
  assert.equal(cluster.faults.counts['refuse'], 1);
});

test('a node that boots again keeps since when it is ready', async () => {
  await using cluster = await createCluster({ nodes: 1, seed: 1, components: ['controller-manager'] });
  const ready = async () => {
    const { status } = await cluster.client.core.v1.nodes().get('node-1');
    return status?.conditions?.find(({ type }) => type === 'Ready');
  };
  await cluster.advance('1m');
  const before = await ready();
  await cluster.nodes[0].restart();
  await cluster.advance('1s');
  const after = await ready();
  assert.notEqual(after?.lastHeartbeatTime, before?.lastHeartbeatTime, 'it has reported since');
  assert.equal(after?.lastTransitionTime, before?.lastTransitionTime);
});

test('a kubelet that is killed leaves its pods running, and takes them over when it begins anew', async () => {
  await using cluster = await createCluster({ nodes: 1, seed: 1 });
  const pod = (name: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image: 'shop/web:1' }] },
  });
  await cluster.apply([pod('kept'), pod('deleted')]);
  const running = (name: string) => cluster.until(`pod/${name}`, (one) => one.status.phase === 'Running');
  const before = await running('kept');
  await running('deleted');

  const [node] = cluster.nodes;
  await node.crashKubelet();
  await node.crashKubelet();
  assert.equal(node.kubelet, undefined);
  assert.equal(node.state, 'running');
  const pods = cluster.client.core.v1.pods('default');
  await pods.delete('deleted');
  await cluster.apply(pod('later'));
  await cluster.advance('10s');
  assert.equal((await pods.get('later')).status?.phase, 'Pending', 'nobody starts it');
  assert.ok((await pods.get('deleted')).metadata.deletionTimestamp, 'nobody ends it');

  await node.startKubelet();
  await running('later');
  await cluster.until(async () => (await pods.list()).items.length === 2, { what: 'the pod that was deleted goes' });
  const after = await pods.get('kept');
  assert.equal(after.status?.containerStatuses?.[0]?.containerID, before.status.containerStatuses[0]?.containerID);
  assert.equal(after.status?.containerStatuses?.[0]?.restartCount, 0);

  await node.crash();
  await node.startKubelet();
  assert.equal(node.state, 'crashed', 'a machine without power starts no kubelet');
});
