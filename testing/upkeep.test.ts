import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cluster } from './cluster.ts';
import { createCluster } from './create-cluster.ts';

const LEASE = /\/leases\/kube-node-lease\/(.*)$/;

/** When a node's lease was written, in seconds since `sinceMs`. */
function beats(cluster: Cluster, node: string, sinceMs = 0): number[] {
  return cluster
    .history()
    .entries.filter((one) => one.type === 'put' && LEASE.exec(one.key)?.[1] === node && one.timeMs >= sinceMs)
    .map(({ timeMs }) => Math.round((timeMs - sinceMs) / 1000));
}

async function readiness(cluster: Cluster, node: string): Promise<string | undefined> {
  const { status } = await cluster.client.core.v1.nodes().get(node);
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status;
}

const daily = {
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'daily' },
  spec: {
    schedule: '0 6 * * *',
    jobTemplate: {
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'job', image: 'shop/job:1' }] } } },
    },
  },
};
const images = { 'shop/job:1': { exitAfterMs: 90_000 } };

test('an hour in which nothing happens takes few heartbeats, and the last is fresh', async () => {
  await using cluster = await createCluster({ nodes: 2, seed: 1 });
  await cluster.advance('1m');
  const sinceMs = cluster.clock.now();
  await cluster.advance('1h');
  for (const { name } of cluster.nodes) {
    const written = beats(cluster, name, sinceMs);
    assert.ok(written.length <= 4, `${name} at ${written.join()} s`);
    const lease = await cluster.client.coordination.v1.leases('kube-node-lease').get(name);
    assert.ok(cluster.clock.now() - Date.parse(lease.spec?.renewTime ?? '') < 10_000);
    const { status } = await cluster.client.core.v1.nodes().get(name);
    for (const { lastHeartbeatTime } of status?.conditions ?? [])
      assert.ok(cluster.clock.now() - Date.parse(String(lastHeartbeatTime)) <= 310_000);
  }
  const unknown = cluster
    .history()
    .entries.filter((one) => one.type === 'put' && one.value?.includes('NodeStatusUnknown'));
  assert.equal(unknown.length, 0);
});

test('with everyHeartbeat there is one every ten seconds', async () => {
  await using cluster = await createCluster({ nodes: 1, seed: 1, everyHeartbeat: true });
  const sinceMs = cluster.clock.now();
  await cluster.advance('1h');
  assert.equal(beats(cluster, 'node-1', sinceMs).length, 360);
});

test('a node that falls silent after a quiet day is found as soon as ever', async () => {
  await using cluster = await createCluster({ nodes: 2, seed: 1 });
  await cluster.advance('24h');
  await cluster.nodes[0].crash();
  const crashedMs = cluster.clock.now();
  await cluster.advance('39s');
  assert.equal(await readiness(cluster, 'node-1'), 'True');
  await cluster.advance('12s');
  assert.equal(await readiness(cluster, 'node-1'), 'Unknown');
  await cluster.advance('1h');
  assert.equal(await readiness(cluster, 'node-2'), 'True');
  // While a node is away, all others send every heartbeat.
  assert.ok(beats(cluster, 'node-2', crashedMs).length >= 360);

  await cluster.nodes[0].restart();
  await cluster.until('node/node-1', (node) =>
    node.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True'),
  );
  const backMs = cluster.clock.now();
  await cluster.advance('2h');
  const after = beats(cluster, 'node-2', backMs);
  assert.ok(
    after.filter((seconds) => seconds <= 600).length >= 55,
    `and for a while after it is back: ${after.join()}`,
  );
  assert.ok(after.filter((seconds) => seconds > 660).length < 10, `then no more: ${after.join()}`);
});

test('what happens is the same with and without every heartbeat', async () => {
  const stories: string[] = [];
  for (const everyHeartbeat of [false, true]) {
    await using cluster = await createCluster({ nodes: 1, seed: 1, images, everyHeartbeat });
    await cluster.apply(daily);
    await cluster.advance('7h');
    const ended: string[] = [];
    for (const one of cluster.history().entries) {
      if (one.type !== 'put' || !/\/(pods|jobs)\/default\//.test(one.key)) continue;
      const { kind, status = {} } = JSON.parse(one.value ?? '{}');
      const day = Math.floor(one.timeMs / 86_400_000);
      const second = Math.round(one.timeMs / 1000) % 86_400;
      ended.push([day, second, kind, status.phase ?? status.conditions?.at(-1)?.type ?? ''].join(' '));
    }
    stories.push(ended.join('\n'));
  }
  assert.ok((stories[0]?.match(/Pod Succeeded/g)?.length ?? 0) >= 1, String(stories));
  assert.equal(stories[0], stories[1]);
});

test('one seed has one history, also where much is passed over', async () => {
  const story = async (seed: number) => {
    await using cluster = await createCluster({ nodes: 2, seed, images });
    await cluster.apply(daily);
    await cluster.advance('36h');
    return String(cluster.history());
  };
  const first = await story(7);
  assert.equal(await story(7), first);
  assert.notEqual(await story(8), first);
});
