import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { NetworkHost } from '../harness/namespace.ts';
import { until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, type E2eCluster, startCluster } from './cluster.ts';
import { movable } from './movable.ts';

describe('a node that dies', requires(...CLUSTER_NEEDS), () => {
  let cluster: E2eCluster;
  let second: NetworkHost;
  const kubectl = (args: string) => cluster.kubectl.text(args, { timeoutMs: 60_000 });
  const nodesOfPods = async () => {
    const { items } = await cluster.kubectl.json('get pods -l app=kubia');
    const alive = items.filter((pod: any) => !pod.metadata.deletionTimestamp);
    return alive.map((pod: any) => pod.spec.nodeName).sort();
  };

  before(
    async () => {
      cluster = await startCluster({ others: 1, args: ['--node-monitor-grace-period', '15s'] });
      second = cluster.network.hosts[1]!;
      await cluster.join(second);
      await cluster.kubectl.apply(movable('kubia', 3));
      await kubectl('expose deployment kubia --port=80 --target-port=8080');
      await kubectl('rollout status deployment/kubia --timeout=60s');
    },
    { timeout: 240_000 },
  );
  after(() => cluster?.dispose());

  test('its pods run on the other, and Services follow', async () => {
    assert.deepEqual([...new Set(await nodesOfPods())], ['node-1', 'node-2']);
    await second.crash();
    await kubectl('wait node/node-2 --for=condition=Ready=Unknown --timeout=40s');
    await until(
      'all pods are on the node that lives',
      async () => (await nodesOfPods()).join() === 'node-1,node-1,node-1',
      {
        timeoutMs: 20_000,
        everyMs: 200,
      },
    );
    await kubectl('rollout status deployment/kubia --timeout=60s');
    const { spec } = await cluster.kubectl.json('get service kubia');
    const { items } = await cluster.kubectl.json('get pods -l app=kubia --field-selector=spec.nodeName=node-1');
    const expected = new Set(items.map((pod: any) => `You've hit ${pod.metadata.name}\n`));
    for (const { metadata } of items) await cluster.heard(metadata.name, 'Kubia server starting');
    const seen = new Set<string>();
    await until('all answer', async () => {
      // Not one connection may go to where nobody is any more.
      seen.add((await cluster.host.fetch(`http://${spec.clusterIP}/`)).body);
      return seen.size >= expected.size;
    });
    assert.deepEqual([...seen].sort(), [...expected].sort());
    const described = await kubectl('describe node node-2');
    assert.match(described, /node\.kubernetes\.io\/unreachable:NoExecute/);
    const { endpoints } = await cluster.kubectl.json('get endpointslice kube-dns-node-2 -n kube-system');
    assert.equal(endpoints[0].conditions.ready, false, 'its DNS is asked no more');
  });

  test('it is taken out of the cluster, and its pods with it', async () => {
    const { stderr } = await cluster.tutti('node remove node-2', { check: false });
    assert.match(stderr, /^tutti: Node node-2 is not heard of, and its pods may still run there; .*--force\.$/m);
    const { stdout } = await cluster.tutti('node remove node-2 --force');
    assert.match(stdout, /pods of it are forgotten\nnode node-2 is removed/);
    const { items } = await cluster.kubectl.json('get pods -A');
    assert.ok(items.every((pod: any) => pod.spec.nodeName !== 'node-2'));
    await until('its DNS is gone', async () => {
      return !(await kubectl('get endpointslices -n kube-system -o name')).includes('node-2');
    });
  });
});
