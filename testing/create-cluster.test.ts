import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterRoleBindings, clusterRoles, configMaps } from '../api/resources.ts';
import { isForbidden } from '../libs/machinery/errors.ts';
import { createCluster } from './create-cluster.ts';
import { ClusterUsageError, NeverSettledError } from './errors.ts';

test('a cluster keeps objects, tells watchers, and frees everything', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const inDefault = cluster.client.resource(configMaps).namespace('default');
  const made = await inDefault.create({ metadata: { name: 'a' }, data: { k: 'v' } });
  assert.equal(made.metadata.managedFields?.[0]?.manager, 'admin');

  const seen: string[] = [];
  for await (const event of inDefault.watch()) {
    seen.push(`${event.type} ${(event.object as { data?: Record<string, string> }).data?.k ?? ''}`);
    if (event.type === 'ADDED') await inDefault.patch('a', { data: { k: 'w' } }, { type: 'merge' });
    if (event.type === 'MODIFIED') await inDefault.delete('a');
    if (event.type === 'DELETED') break;
  }
  assert.deepEqual(seen, ['ADDED v', 'MODIFIED w', 'DELETED w']);
});

async function scenario(seed: number): Promise<string> {
  await using cluster = await createCluster({ seed });
  const inDefault = cluster.client.resource(configMaps).namespace('default');
  for (const name of ['a', 'b', 'c']) await inDefault.create({ metadata: { generateName: name }, data: { name } });
  await cluster.advance('1h');
  const { items } = await inDefault.list();
  await Promise.all(
    items.map((item) => inDefault.patch(item.metadata.name, { data: { late: 'yes' } }, { type: 'merge' })),
  );
  const history = cluster.history();
  assert.deepEqual(history.unrepeatable, []);
  return String(history);
}

test('one seed gives one history, byte for byte; another seed another', async () => {
  const [first, second, other] = [await scenario(7), await scenario(7), await scenario(8)];
  assert.equal(first, second);
  assert.notEqual(first, other);
  assert.match(first, /"type":"request".*"user":"admin","verb":"create"/);
});

test('others may do what RBAC lets them', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const jane = (await cluster.clientAs({ name: 'jane' })).resource(configMaps).namespace('default');
  await assert.rejects(jane.list(), isForbidden);
  await cluster.client.resource(clusterRoles).create({
    metadata: { name: 'reader' },
    rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['list'] }],
  });
  await cluster.client.resource(clusterRoleBindings).create({
    metadata: { name: 'reader' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'reader' },
    subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'jane' }],
  });
  assert.equal((await jane.list()).items.length, 0);
});

test('what does not come is told with the seed', async () => {
  await using cluster = await createCluster({ seed: 'lost' });
  const missing = () => cluster.client.resource(configMaps).namespace('default').get('missing');
  await assert.rejects(cluster.until(missing, { within: '3s', what: 'configmaps/missing' }), (error: unknown) => {
    assert.ok(error instanceof NeverSettledError);
    assert.match(
      error.message,
      /configmaps\/missing did not come within 3000 ms; last seen: .*not found \(seed lost\)/,
    );
    return true;
  });
});

test('wrong use is told at once', async () => {
  await assert.rejects(createCluster({ sed: 1 } as never), /createCluster has no option "sed"/);
  const cluster = await createCluster({ seed: 1 });
  await cluster[Symbol.asyncDispose]();
  assert.throws(() => cluster.client, ClusterUsageError);
});
