import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ClusterOptions, ClusterUsageError, createCluster } from './index.ts';

const web = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'shop/web:1' }] } },
  },
};

test('a cluster on LMDB is there again after its end, and says that it is not repeatable', async (t) => {
  const lmdb = mkdtempSync(join(tmpdir(), 'tutti-store-'));
  t.after(() => rmSync(lmdb, { recursive: true }));
  const options: ClusterOptions = { nodes: 1, seed: 1, store: { lmdb } };
  let endedMs = 0;
  {
    await using cluster = await createCluster(options);
    await cluster.apply(web);
    await cluster.until('deployment/web', (one) => one.status.availableReplicas === 2);
    await cluster.advance('1h');
    assert.deepEqual(cluster.history().unrepeatable, ['the store is LMDB']);
    await using past = await cluster.at('30m');
    assert.equal((await past.get('deployment/web')).metadata.name, 'web');
    await assert.rejects(cluster.snapshot(), /snapshots are of the memory store; this one is LMDB/);
    endedMs = cluster.clock.now();
    const taken = createCluster(options);
    await assert.rejects(taken, (error) => error instanceof ClusterUsageError && /^store: /.test(error.message));
  }
  await using cluster = await createCluster(options);
  assert.ok(cluster.clock.now() > endedMs - 600_000, 'time does not go back');
  await cluster.until('deployment/web', (one) => one.status.availableReplicas === 2);
  assert.equal((await cluster.client.core.v1.pods('default').list()).items.length, 2, 'the same pods');
  assert.equal(
    cluster.history().entries.some(({ type }) => type === 'put'),
    true,
  );
});

test('what is no store is told', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-store-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'data.mdb'), 'this is no database at all, though it has the name of one');
  await using cluster = await createCluster({ seed: 1, components: [] });
  const from = await cluster.snapshot();
  for (const [options, message] of [
    [{ store: 'etcd' }, /^store is "memory", or \{ lmdb: "folder" \}, not "etcd"/],
    [{ store: { lmdb: '' } }, /not \{"lmdb":""\}/],
    [{ store: { lmdb: 'a', size: 1 } }, /not \{"lmdb":"a","size":1\}/],
    [{ store: { lmdb: folder } }, /^store: .*data\.mdb is not a database/],
    [{ store: { lmdb: folder }, from }, /what goes on from a snapshot is in memory/],
  ] as const)
    await assert.rejects(
      createCluster(options as ClusterOptions),
      (error) => error instanceof ClusterUsageError && message.test(error.message),
      JSON.stringify(Object.keys(options)),
    );
});
