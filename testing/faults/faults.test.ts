import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configMaps } from '../../api/resources.ts';
import { silentLogger } from '../../libs/base/log.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import { createInformers } from '../../libs/client/informers.ts';
import { TransportError } from '../../libs/kind/client.ts';
import { ApiError } from '../../libs/machinery/errors.ts';
import { type ApiFault, type Cluster, ClusterUsageError, createCluster } from '../index.ts';

const named = (name: string, data: Record<string, string> = {}) => ({ metadata: { name }, data });

test('what befalls a request', async (t) => {
  const outcome = async (fault: ApiFault, ask: (cluster: Cluster) => Promise<unknown>) => {
    await using cluster = await createCluster({ seed: 1, components: [] });
    const maps = cluster.client.core.v1.configMaps('default');
    await maps.create(named('a'));
    using active = cluster.faults.add({ verbs: ['create', 'get'], ...fault });
    const beganMs = cluster.clock.monotonic();
    const ended = Promise.allSettled([ask(cluster)]);
    await cluster.advance('5s');
    const [result] = await ended;
    const tookMs = cluster.clock.monotonic() - beganMs;
    const { items } = await maps.list();
    const { count } = active;
    return { result, tookMs, count, names: items.map(({ metadata }) => metadata.name), counts: cluster.faults.counts };
  };
  const create = (cluster: Cluster) => cluster.client.core.v1.configMaps('default').create(named('b'));
  const cases: [string, ApiFault, (error: unknown) => boolean, string[]][] = [
    ['refused', { fault: 'refuse', code: 500 }, (e) => e instanceof ApiError && e.code === 500, ['a']],
    ['lost on the way', { fault: 'lose-request' }, (e) => e instanceof TransportError && !e.sent, ['a']],
    ['done, unknown', { fault: 'lose-answer' }, (e) => e instanceof TransportError && e.sent, ['a', 'b']],
    ['done twice', { fault: 'duplicate' }, (e) => e === undefined, ['a', 'b']],
    ['done late', { fault: 'delay', delayMs: 2_000 }, (e) => e === undefined, ['a', 'b']],
    ['of somebody else', { fault: 'refuse', users: ['jane'] }, (e) => e === undefined, ['a', 'b']],
    ['of another resource', { fault: 'refuse', resources: ['pods/*'] }, (e) => e === undefined, ['a', 'b']],
    ['another verb', { fault: 'refuse', verbs: ['delete'] }, (e) => e === undefined, ['a', 'b']],
    ['not at all', { fault: 'refuse', share: 0 }, (e) => e === undefined, ['a', 'b']],
  ];
  for (const [name, fault, is, names] of cases) {
    await t.test(name, async () => {
      const seen = await outcome(fault, create);
      assert.ok(is(seen.result.status === 'rejected' ? seen.result.reason : undefined), JSON.stringify(seen.result));
      assert.deepEqual(seen.names, names);
      const happened = !['of somebody else', 'of another resource', 'another verb', 'not at all'].includes(name);
      assert.equal(seen.count, happened ? 1 : 0);
      assert.deepEqual(seen.counts, happened ? { [fault.fault]: 1 } : {});
    });
  }
});

test('a stale read answers as before', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const maps = cluster.client.core.v1.configMaps('default');
  using _remembering = cluster.faults.add({ fault: 'delay', delayMs: 0, share: 0 });
  await maps.create(named('a', { k: 'old' }));
  await maps.get('a');
  await maps.patch('a', { data: { k: 'new' } }, { type: 'merge' });
  using _stale = cluster.faults.add({ fault: 'stale', times: 1 });
  assert.equal((await maps.get('a')).data?.['k'], 'old');
  assert.equal((await maps.get('a')).data?.['k'], 'new');
});

test('informers come through broken watches, lost history and restarts of the server', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const { client, clock } = cluster;
  const maps = client.core.v1.configMaps('default');
  const informers = createInformers({ client, clock, random: new SeededRandom(1), log: silentLogger });
  const informer = informers.informer(configMaps);
  await cluster.until(() => informer.synced);
  const sees = (name: string) => cluster.until(() => informer.get(`default/${name}`), { what: name });

  assert.equal(cluster.faults.breakWatches({ resources: ['configmaps'] }), 1);
  await maps.create(named('a'));
  await sees('a');

  using expire = cluster.faults.add({ fault: 'expire', times: 1 });
  cluster.faults.breakWatches();
  await maps.create(named('b'));
  await cluster.faults.compact();
  await sees('b');
  assert.equal(expire.count, 1);

  await cluster.faults.restartApiServer(5_000);
  await maps.create(named('c'));
  await sees('c');
  const { counts } = cluster.faults;
  assert.equal(counts['compact'], 1);
  assert.equal(counts['restart-apiserver'], 1);
  assert.ok((counts['break-watch'] ?? 0) >= 2);
  await informers.stop();
});

test('a full disk takes no writes and answers reads', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const maps = cluster.client.core.v1.configMaps('default');
  await maps.create(named('a'));
  cluster.faults.diskFull(true);
  await assert.rejects(maps.create(named('b')), ApiError);
  assert.equal((await maps.list()).items.length, 1);
  cluster.faults.diskFull(false);
  await maps.create(named('b'));
  assert.equal(cluster.faults.counts['disk-full'], 1);
});

test('a component that stands still does nothing; one with a wrong clock works', async () => {
  await using cluster = await createCluster({ seed: 1 });
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'a', image: 'a' }] } },
    },
  };
  cluster.faults.skew('controller-manager', 3_600_000);
  await cluster.apply(deployment);
  await cluster.until('deployment/web', (d) => d.status.replicas === 1);
  assert.throws(() => cluster.faults.pause('scheduler'), ClusterUsageError);
});

test('wrong faults are told', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  assert.throws(
    () => cluster.faults.add({ fault: 'explode' as never }),
    /there is no fault "explode"; there are refuse/,
  );
  for (const [fault, message] of [
    [{ share: 2 }, /share of a fault is between 0 and 1, not 2/],
    [{ share: -1 }, /share of a fault is a number from 0 on, not -1/],
    [{ verb: ['create'] }, /a fault has no "verb"; it has fault, verbs, resources/],
    [{ verbs: 'create' }, /verbs of a fault is a list, as \["pods"\], not "create"/],
    [{ verbs: ['post'] }, /there is no verb "post"; there are get, list, watch, create/],
    [{ times: '1' }, /times of a fault is a number from 0 on, not "1"/],
    [{ resources: [1] }, /resources of a fault is a list/],
  ] as const)
    assert.throws(
      () => cluster.faults.add({ fault: 'refuse', ...(fault as object) }),
      (error) => error instanceof ClusterUsageError && message.test(error.message),
      JSON.stringify(fault),
    );
});
