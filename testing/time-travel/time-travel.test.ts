import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isForbidden, isNotFound } from '../../libs/machinery/errors.ts';
import { ClusterUsageError, createCluster, HistoryFileError, replayHistory } from '../index.ts';

const web = (replicas: number, image = 'shop/web:1') => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'default' },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image }] } },
  },
});
const gauge = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gauges.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'gauges', singular: 'gauge', kind: 'Gauge' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        },
        additionalPrinterColumns: [{ name: 'Value', type: 'integer', jsonPath: '.spec.value' }],
      },
    ],
  },
};

async function scaled() {
  const cluster = await createCluster({ nodes: 2, seed: 5 });
  await cluster.apply([
    web(2),
    gauge,
    { apiVersion: 'example.com/v1', kind: 'Gauge', metadata: { name: 'g', namespace: 'default' }, spec: { value: 7 } },
  ]);
  const before = await cluster.until('deployment/web', (d) => d.status.availableReplicas === 2);
  const beforeMs = cluster.clock.now();
  await cluster.advance('10m');
  await cluster.apply(web(4, 'shop/web:2'));
  await cluster.client
    .resource({ group: 'example.com', version: 'v1', resource: 'gauges', kind: 'Gauge', namespaced: true })
    .namespace('default')
    .delete('g');
  await cluster.until(
    'deployment/web',
    (d) => d.status.updatedReplicas === 4 && d.status.availableReplicas === 4 && d.status.replicas === 4,
  );
  return { cluster, revision: before.metadata.resourceVersion, beforeMs };
}

test('a cluster is there as it was: objects, lists, tables, custom resources; and nobody writes to it', async () => {
  const { cluster, revision, beforeMs } = await scaled();
  await using now = cluster;
  for (const when of [revision, Number(revision), new Date(beforeMs), new Date(beforeMs).toISOString()]) {
    await using past = await now.at(when);
    assert.equal((await past.client.apps.v1.deployments('default').get('web')).spec?.replicas, 2, String(when));
    const pods = (await past.client.core.v1.pods('default').list({ labelSelector: 'app=web' })).items;
    assert.deepEqual(
      pods.map(({ spec, status }) => `${spec?.containers[0]?.image} ${status?.phase}`),
      Array(2).fill('shop/web:1 Running'),
    );
    assert.match(await past.table('deploy'), /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE\nweb +2\/2 +2 +2 +\d+s\n$/);
    assert.match(await past.table('gauges'), /^NAME +VALUE\ng +7\n$/);
    assert.match(await past.table('pods', { namespace: '' }), /^NAMESPACE +NAME .*\ndefault +web-/);
    assert.equal((await past.get('gauge.example.com/g')).metadata.name, 'g');
    await assert.rejects(
      past.client.core.v1.pods('default').delete(pods[0]?.metadata.name ?? ''),
      (error) => isForbidden(error) && /as it was at revision \d+ \(2026-.*it can only be read/.test(error.message),
    );
    await assert.rejects((await past.clientAs({ name: 'jane' })).core.v1.pods('default').list(), isForbidden);
  }
  await using start = await now.at(1);
  await assert.rejects(start.client.apps.v1.deployments('default').get('web'), isNotFound);
  await using recent = await now.at('1ms');
  await assert.rejects(recent.get('gauge.example.com/g'), isNotFound);
  // Looking at the past changes nothing now.
  assert.deepEqual(now.history().unrepeatable, []);
});

test('what changed between two moments is told field by field', async () => {
  const { cluster, revision } = await scaled();
  await using now = cluster;
  const diff = await now.diff(revision);
  const of = (kind: string, name: string) => diff.objects.find((one) => one.kind === kind && one.name === name);
  const fields = of('Deployment', 'web')?.fields ?? [];
  assert.deepEqual(
    fields.find(({ path }) => path === 'spec.replicas'),
    { path: 'spec.replicas', before: 2, after: 4 },
  );
  assert.ok(fields.some(({ path }) => path === 'spec.template.spec.containers[0].image'));
  assert.ok(
    !fields.some(({ path }) => path === 'metadata.resourceVersion' || path.startsWith('metadata.managedFields')),
  );
  assert.equal(of('Gauge', 'g')?.change, 'deleted');
  assert.equal(diff.objects.filter(({ kind, change }) => kind === 'Pod' && change === 'created').length, 4);
  assert.match(String(diff), /~ Deployment default\/web\n(?: {4}.*\n)*? {4}spec\.replicas: 2 → 4\n/);
  assert.match(String(diff), /- Gauge default\/g\n/);
  assert.equal(String(await now.diff(revision, revision)), '');
  const back = await now.diff('1ms', revision);
  assert.equal(back.objects.find(({ kind }) => kind === 'Gauge')?.change, 'created');
});

test('moments that are no moments are told', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  for (const [when, message] of [
    [10_000, /history knows the revisions 1 to \d+, not 10000/],
    ['10000', /not 10000/],
    [1.5, /not 1.5/],
    [new Date('2031-01-01'), /history knows the time from 2026-.* not 2031-01-01/],
    ['1d', /not 2025-12-31/],
    ['2026-13-77', /is no time/],
    ['soon', /"soon" is no duration/],
  ] as const) {
    await assert.rejects(
      cluster.at(when),
      (error) => error instanceof ClusterUsageError && message.test(error.message),
      String(when),
    );
  }
  const past = await cluster.at('0s');
  await past[Symbol.asyncDispose]();
  await past[Symbol.asyncDispose]();
  assert.throws(() => past.client, /this view of the past has been disposed/);
});

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tutti-history-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('a history is saved and replayed: the cluster at each of its moments, without the cluster', async (t) => {
  const file = join(folder(t), 'run.history');
  const { cluster, revision, beforeMs } = await scaled();
  let text: string;
  {
    await using now = cluster;
    await now.history().save(file);
    text = String(now.history());
    assert.ok(
      now.history().entries.some((one) => one.type === 'request' && one.cause?.startsWith('deployment')),
      'who and why',
    );
  }
  const replayed = await replayHistory(file);
  assert.equal(replayed.seed, '5');
  assert.deepEqual(replayed.unrepeatable, []);
  assert.equal(replayed.entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''), text);
  await using before = await replayed.at(new Date(beforeMs));
  assert.equal((await before.client.apps.v1.deployments('default').get('web')).spec?.replicas, 2);
  await using end = await replayed.at();
  assert.equal((await end.client.apps.v1.deployments('default').get('web')).spec?.replicas, 4);
  assert.ok(replayed.diff(revision).objects.some(({ kind, change }) => kind === 'Gauge' && change === 'deleted'));
});

test('a history that goes on from a snapshot knows what was there before', async (t) => {
  const file = join(folder(t), 'run.history');
  const { cluster } = await scaled();
  await using first = cluster;
  await using second = await createCluster({ from: await first.snapshot(), seed: 6 });
  await second.apply(web(1, 'shop/web:2'));
  await second.history().save(file);
  const replayed = await replayHistory(file);
  await using before = await replayed.at(replayed.firstRevision);
  assert.equal((await before.client.apps.v1.deployments('default').get('web')).spec?.replicas, 4);
  await using end = await replayed.at();
  assert.equal((await end.client.apps.v1.deployments('default').get('web')).spec?.replicas, 1);
});

test('a file that is no history, is broken, or of another version is told with its line', async (t) => {
  const path = folder(t);
  for (const [text, message] of [
    ['', /line 1: Unexpected end/],
    ['{}\n', /line 1: this is no history/],
    ['{"tuttiHistory":9}\n', /line 1: a history of format 9; this version reads 1/],
    [
      '{"tuttiHistory":1,"clusterId":"","seed":"1","unrepeatable":[],"revision":1,"timeMs":0}\n{"type":"put"',
      /line 2: /,
    ],
    [
      '{"tuttiHistory":1,"clusterId":"","seed":"1","unrepeatable":[],"revision":1,"timeMs":0}\n{"type":"sing"}\n',
      /line 2: nothing is known of "sing"/,
    ],
  ] as const) {
    const file = join(path, 'broken');
    writeFileSync(file, text);
    await assert.rejects(
      replayHistory(file),
      (error) => error instanceof HistoryFileError && message.test(error.message),
      text,
    );
  }
  await assert.rejects(replayHistory(join(path, 'absent')), HistoryFileError);
});
