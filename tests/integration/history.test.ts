// The past of a real cluster: a server over the embedded store that keeps its history.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { HistoryEndpoint, type HistoryFacts } from '../../bin/compose/history.ts';
import { SkippingClock } from '../../control-plane/store/conformance/under-test.ts';
import { LmdbStore } from '../../control-plane/store/drivers/lmdb/lmdb-store.ts';
import { createNodeHost } from '../../libs/base/node/node-host.ts';
import { SeededRandom } from '../../libs/base/random.ts';
import type { ObjectDiff } from '../../testing/time-travel/diff.ts';
import { startTestServer, type TestServer } from '../fixtures/api-server.ts';

const MINUTE = 60_000;

interface Kept extends TestServer {
  readonly history: HistoryEndpoint;
}

/** A folder with a cluster in it that can be started again and again, and the clock of all its lives. */
function cluster(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'tutti-history-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const clock = new SkippingClock();
  const random = new SeededRandom(directory);
  const limits = { keepTimes: true, historyBytesMax: 1024 ** 2, historyEventsMax: Number.POSITIVE_INFINITY };
  return {
    clock,
    async start(): Promise<Kept> {
      const store = await LmdbStore.open({ host: createNodeHost(), clock, random, directory, ...limits });
      const history = new HistoryEndpoint(store, clock);
      const running = await startTestServer({ store, clock, endpoints: [history] });
      return {
        ...running,
        history,
        async [Symbol.asyncDispose]() {
          await history[Symbol.asyncDispose]();
          await running[Symbol.asyncDispose]();
          await store.close();
        },
      };
    },
  };
}

const config = (name: string, data: object) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
const MAPS = '/api/v1/namespaces/default/configmaps';

test('a cluster is there as it was, by time and revision, also after a restart; the present goes on', async (t) => {
  const { clock, start } = cluster(t);
  let revision = '';
  let madeMs = 0;
  {
    await using server = await start();
    revision = (await server.send('POST', MAPS, config('prices', { apple: '1' }))).body.metadata.resourceVersion;
    madeMs = clock.now();
    clock.skip(10 * MINUTE);
    await server.send('PUT', `${MAPS}/prices`, config('prices', { apple: '2' }));
    await server.send('POST', MAPS, config('later', {}));
  }
  await using server = await start();
  clock.skip(5 * MINUTE);
  const time = new Date(madeMs + MINUTE).toISOString();
  for (const when of [revision, time, encodeURIComponent(time)]) {
    const then = `/history/at/${when}`;
    assert.deepEqual((await server.send('GET', `${then}${MAPS}/prices`)).body.data, { apple: '1' }, when);
    assert.equal((await server.send('GET', `${then}${MAPS}/later`)).code, 404, when);
    const names = (await server.send('GET', `${then}${MAPS}`)).body.items.map((one: any) => one.metadata.name);
    assert.ok(names.includes('prices') && !names.includes('later'));
    assert.ok((await server.send('GET', `${then}/apis`)).body.groups.length > 10, 'kubectl finds the kinds');
    const refused = await server.send('DELETE', `${then}${MAPS}/prices`);
    assert.equal(refused.code, 403);
    assert.match(refused.body.message, /as it was at revision \d+ .*it can only be read/);
  }
  assert.deepEqual((await server.send('GET', `${MAPS}/prices`)).body.data, { apple: '2' });
  assert.equal((await server.send('GET', `${MAPS}/later`)).code, 200);
});

test('what changed between two moments is told, in either direction', async (t) => {
  const { clock, start } = cluster(t);
  await using server = await start();
  await server.send('POST', MAPS, config('prices', { apple: '1' }));
  clock.skip(10 * MINUTE);
  await server.send('PUT', `${MAPS}/prices`, config('prices', { apple: '2' }));
  await server.send('PUT', `${MAPS}/prices`, config('prices', { apple: '3' }));
  await server.send('POST', MAPS, config('later', {}));
  const diff = async (query: string) =>
    (await server.send('GET', `/history/diff?${query}`)).body.objects
      .filter(({ kind }: ObjectDiff) => kind === 'ConfigMap')
      .map(({ change, name, fields }: ObjectDiff) => [
        change,
        name,
        fields.map(({ before, after }) => `${before}>${after}`),
      ]);
  assert.deepEqual(await diff('from=5m'), [
    ['created', 'later', []],
    ['changed', 'prices', ['1>3']],
  ]);
  assert.deepEqual(await diff('from=0s&to=5m'), [
    ['deleted', 'later', []],
    ['changed', 'prices', ['3>1']],
  ]);
  assert.deepEqual(await diff('from=0s'), []);
  assert.deepEqual(await diff('from=5m&to=4m'), []);
});

test('moments that are none, forgotten or still to come are refused in a sentence', async (t) => {
  const { clock, start } = cluster(t);
  await using server = await start();
  await server.send('POST', MAPS, config('a', {}));
  for (let at = 0; at < 30; at++) {
    clock.skip(MINUTE);
    await server.send('PUT', `${MAPS}/a`, config('a', { text: `${at}`.padEnd(80_000, 'x') }));
  }
  const facts = (await server.send('GET', '/history')).body as HistoryFacts;
  assert.ok(
    facts.usedBytes > 900_000 && facts.usedBytes < 1_200_000 && facts.limitBytes === 1024 ** 2,
    JSON.stringify(facts),
  );
  assert.ok(facts.firstRevision > 2);
  assert.equal((await server.send('GET', `/history/at/${facts.firstTime}${MAPS}/a`)).code, 200, 'the first is there');
  for (const [path, code, message] of [
    [`/history/at/1${MAPS}`, 410, /revision 1 is forgotten; the first is \d+/],
    ['/history/moment?at=29m30s', 410, /is not remembered; the first time is 20\d\d-/],
    ['/history/moment?at=999999', 400, /the last revision is \d+, not 999999/],
    ['/history/moment?at=soon', 400, /"soon" is no duration/],
    ['/history/moment?at=2026-13-77', 400, /is no time/],
    ['/history/moment?at=2999-01-01', 400, /is still to come/],
    [`/history/at/5m${MAPS}`, 400, /"5m" moves on; name a revision or a time/],
    ['/history/diff', 400, /is no duration/],
  ] as const) {
    const answer = await server.send('GET', path);
    assert.equal(answer.code, code, path);
    assert.match(answer.body.message ?? String(answer.body), message);
  }
});

test('who may not read the past does not, and who may sees what they might have seen then', async (t) => {
  const { clock, start } = cluster(t);
  await using server = await start();
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const bind = (name: string, rules: object[]) =>
    Promise.all([
      server.send('POST', `${rbac}/clusterroles`, { metadata: { name }, rules }),
      server.send('POST', `${rbac}/clusterrolebindings`, {
        metadata: { name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'jane' }],
      }),
    ]);
  await server.send('POST', MAPS, config('a', {}));
  clock.skip(MINUTE);
  const before = new Date(clock.now()).toISOString();
  clock.skip(MINUTE);
  await bind('reads', [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] }]);
  clock.skip(MINUTE);
  const after = new Date(clock.now()).toISOString();
  const asJane = (when: string, path = MAPS) => server.send('GET', `/history/at/${when}${path}`, undefined, 'jane');
  assert.match((await asJane(after)).body.message, /"jane" cannot get path "\/history\/at\//);
  await bind('travels', [{ nonResourceURLs: ['/history', '/history/*'], verbs: ['get'] }]);
  assert.equal((await asJane(after)).code, 200);
  assert.match((await asJane(before)).body.message, /"jane" cannot list resource "configmaps"/, 'not yet, then');
  assert.equal((await asJane(after, '/api/v1/secrets')).code, 403);
});

test('only a few pasts are open at a time, and they end', async (t) => {
  const { clock, start } = cluster(t);
  await using server = await start();
  const revisions: string[] = [];
  for (let at = 0; at < 5; at++) {
    clock.skip(MINUTE);
    revisions.push((await server.send('POST', MAPS, config(`map-${at}`, {}))).body.metadata.resourceVersion);
  }
  for (const round of [0, 1])
    for (const [at, revision] of revisions.entries()) {
      const { items } = (await server.send('GET', `/history/at/${revision}${MAPS}`)).body;
      assert.equal(items.filter((one: any) => one.metadata.name.startsWith('map-')).length, at + 1, `round ${round}`);
    }
  assert.equal(server.history.open, 3);
  clock.skip(6 * MINUTE);
  await server.send('GET', `/history/at/${revisions[4]}${MAPS}`);
  assert.equal(server.history.open, 1, 'the unused are closed');
});
