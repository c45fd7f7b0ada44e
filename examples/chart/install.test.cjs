// Installs what a chart renders and checks that it comes up, is reached, is guarded, and does its nightly work.
// CommonJS, as many test suites are.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { test } = require('node:test');
const { createCluster, ManifestError } = require('tutti');

const chart = join(__dirname, 'shop.yaml');

async function installed(time = '2026-01-01T09:00:00Z') {
  const cluster = await createCluster({ nodes: 3, seed: 'chart', startMs: Date.parse(time) });
  cluster.image('shop/migrate:1', async (container) => {
    await container.sleep(3_000);
    container.log('the tables are there');
    return 0;
  });
  cluster.image('shop/web:1', (container) =>
    container.serve(8080, ({ path }) =>
      path === '/ready'
        ? 'ready'
        : `${container.env.greeting}, the password has ${container.env.PASSWORD.length} letters`,
    ),
  );
  cluster.image('shop/report:1', { exitAfterMs: 30_000 });
  await cluster.apply(chart);
  await cluster.until('deployment/web', (d) => d.status.availableReplicas === 3, { namespace: 'shop' });
  return cluster;
}

test('everything of the chart comes up and is reached through its Service', async () => {
  await using cluster = await installed();
  const { status, body } = await cluster.fetch('http://web.shop/');
  assert.deepEqual([status, body], [200, 'good morning, the password has 11 letters']);
});

test('the pods may do what the chart’s role says, and no more', async () => {
  await using cluster = await installed();
  const groups = ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'];
  const web = await cluster.clientAs({ name: 'system:serviceaccount:shop:web', groups });
  assert.equal((await web.core.v1.configMaps('shop').get('web')).data.greeting, 'good morning');
  await assert.rejects(web.core.v1.secrets('shop').get('web'), /secrets "web" is forbidden/);
});

test('the disruption budget keeps two pods', async () => {
  await using cluster = await installed();
  await cluster.until('pdb/web', (pdb) => pdb.status.disruptionsAllowed === 1, { namespace: 'shop' });
  const pods = cluster.client.core.v1.pods('shop');
  const [one, two] = (await pods.list({ labelSelector: 'app.kubernetes.io/name=web' })).items.map(
    (pod) => pod.metadata.name,
  );
  const evict = (name) =>
    pods
      .subresource('eviction')
      .create({ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'shop' } }, { name });
  await evict(one);
  await assert.rejects(evict(two), /disruption budget/);
});

test('the nightly report runs at three', async () => {
  await using cluster = await installed('2026-01-01T02:55:00Z');
  const done = (cron) => cron.status.lastSuccessfulTime !== undefined;
  const cron = await cluster.until('cronjob/report', done, { namespace: 'shop', within: '10m' });
  assert.equal(cron.status.lastScheduleTime, '2026-01-01T03:00:00Z');
});

test('a typing error in the chart is told with its file and line', async () => {
  await using cluster = await createCluster({ seed: 1 });
  const text = readFileSync(chart, 'utf8').replace('targetPort: http', 'targetPrt: http');
  await assert.rejects(
    cluster.apply(text),
    (error) => error instanceof ManifestError && /document 8 .*targetPrt/s.test(error.message),
  );
});
