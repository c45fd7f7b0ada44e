// Faults as clients of the real endpoint meet them: a plain HTTPS client here, kubectl where there is one.

import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { configMaps } from '../../api/resources.ts';
import { createNodeFiles } from '../../libs/base/node/files.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { createClient } from '../../libs/client/client.ts';
import { connectionTransport } from '../../libs/client/node/connection-transport.ts';
import { parseKubeconfig } from '../../libs/pki/kubeconfig.ts';
import { type Cluster, createCluster } from '../index.ts';

const run = promisify(execFile);
const hasKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

/** A client outside of the cluster's process would be no other: TLS, a certificate, bytes. */
async function outside(t: TestContext, cluster: Cluster) {
  const connection = parseKubeconfig(await cluster.kubeconfig()).connection();
  const clock = new RealClock();
  const transport = await connectionTransport(connection, {
    files: createNodeFiles(),
    folder: '/',
    clock,
    userAgent: 'outside',
  });
  t.after(() => transport.close());
  return createClient(transport, { userAgent: 'outside', clock }).resource(configMaps).namespace('default');
}

const nameOf = ({ metadata }: { readonly metadata: object }) => (metadata as { readonly name: string }).name;
const map = (name: string) => ({ metadata: { name } });

test('requests of real clients are refused, lost, delayed, duplicated and stale, by verb, resource and user', async (t) => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const maps = await outside(t, cluster);
  const inside = cluster.client.core.v1.configMaps('default');
  const { faults } = cluster;
  const fault = (one: Parameters<typeof faults.add>[0]) => faults.add({ users: ['admin'], times: 1, ...one });

  fault({ fault: 'refuse', verbs: ['create'], resources: ['configmaps'], code: 500 });
  await assert.rejects(maps.create(map('a')), /a fault of the simulation refuses this request/);
  await maps.create(map('a'));

  faults.add({ fault: 'refuse', users: ['jane'] });
  await maps.get('a');
  faults.clear();

  fault({ fault: 'lose-request', verbs: ['create'] });
  await assert.rejects(maps.create(map('b')), { name: 'TransportError' });
  assert.equal((await inside.list()).items.filter(({ metadata }) => metadata.name === 'b').length, 0, 'never done');
  fault({ fault: 'lose-answer', verbs: ['create'] });
  await assert.rejects(maps.create(map('b')), { name: 'TransportError' });
  assert.equal((await inside.get('b')).metadata.name, 'b', 'done all the same');

  fault({ fault: 'duplicate', verbs: ['patch'] });
  const patched = await maps.patch('b', { data: { n: '1' } }, { type: 'merge' });
  fault({ fault: 'duplicate', verbs: ['delete'] });
  await maps.delete('b');
  assert.equal(patched.data?.['n'], '1');
  assert.equal(faults.counts['duplicate'], 2);

  await inside.patch('a', { data: { n: 'old' } }, { type: 'merge' });
  faults.add({ fault: 'stale', verbs: ['get'], after: 1, times: 1 });
  assert.equal((await maps.get('a')).data?.['n'], 'old');
  await inside.patch('a', { data: { n: 'new' } }, { type: 'merge' });
  assert.equal((await maps.get('a')).data?.['n'], 'old', 'the earlier answer');
  assert.equal((await maps.get('a')).data?.['n'], 'new');

  fault({ fault: 'delay', verbs: ['get'], delayMs: 300 });
  const beganMs = performance.now();
  await maps.get('a');
  assert.ok(performance.now() - beganMs >= 290, 'of the machine’s time');
  assert.deepEqual(
    { ...faults.counts },
    { refuse: 1, 'lose-request': 1, 'lose-answer': 1, duplicate: 2, stale: 1, delay: 1 },
  );
});

test('watches of real clients break, by resource and user, and are told that a revision is gone', async (t) => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const maps = await outside(t, cluster);
  const { metadata } = await maps.list();
  const { resourceVersion } = metadata as { resourceVersion: string };
  const seen: string[] = [];
  const watching = (async () => {
    for await (const event of maps.watch({ resourceVersion })) seen.push(nameOf(event.object));
  })();
  await maps.create(map('a'));
  while (seen.length === 0) await new Promise((next) => setTimeout(next, 5));
  assert.equal(cluster.faults.breakWatches({ resources: ['secrets'] }), 0);
  assert.equal(cluster.faults.breakWatches({ users: ['jane'] }), 0);
  assert.equal(cluster.faults.breakWatches({ resources: ['configmaps'], users: ['admin'] }), 1);
  await watching;
  assert.equal(cluster.faults.breakWatches(), 0, 'it is gone');

  cluster.faults.add({ fault: 'expire', resources: ['configmaps'], times: 1 });
  const again = async () => {
    for await (const event of maps.watch({ resourceVersion })) return nameOf(event.object);
    return undefined;
  };
  await assert.rejects(again(), (error: { status?: { code?: number } }) => error.status?.code === 410);
  assert.equal(await again(), 'a');
});

test('kubectl is refused, and its watch ends when it is broken', {
  skip: hasKubectl ? false : 'no kubectl here',
}, async (t) => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const folder = mkdtempSync(join(tmpdir(), 'kubectl-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = join(folder, 'config');
  writeFileSync(config, await cluster.kubeconfig());
  const words = ['--kubeconfig', config, '--cache-dir', join(folder, 'cache')];
  cluster.faults.add({ fault: 'refuse', verbs: ['create'], resources: ['configmaps'], code: 403, times: 1 });
  const create = (name: string) => run('kubectl', [...words, 'create', 'configmap', name], { timeout: 20_000 });
  await assert.rejects(create('a'), /failed to create configmap: a fault of the simulation refuses this request/);
  await create('a');
  const watch = spawn('kubectl', [...words, 'get', 'configmaps', '--watch', '--output=name']);
  t.after(() => watch.kill());
  let out = '';
  watch.stdout.on('data', (chunk) => (out += String(chunk)));
  const isTold = async (text: string) => {
    for (let tries = 0; !out.includes(text); tries++) {
      assert.ok(tries < 1_000, `${text} is not in ${out}`);
      await new Promise((next) => setTimeout(next, 10));
    }
  };
  await isTold('configmap/a\n');
  const broken = async () => {
    for (let tries = 0; cluster.faults.breakWatches({ resources: ['configmaps'] }) === 0; tries++) {
      assert.ok(tries < 500, 'there is no watch');
      await new Promise((next) => setTimeout(next, 10));
    }
  };
  await broken();
  const [code] = await new Promise<[number | null]>((done) => watch.once('close', (...args) => done([args[0]])));
  assert.equal(code, 0, 'kubectl ends when its watch does');
});
