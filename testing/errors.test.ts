// What goes wrong in a test, and what its writer is told.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import {
  type ClusterOptions,
  ClusterUsageError,
  createCluster,
  EndlessInstantError,
  ManifestError,
  NeverSettledError,
} from './index.ts';

const pod = (image: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web' },
  spec: { restartPolicy: 'Never', containers: [{ name: 'main', image }] },
});

test('what never comes is told with who waits for what, the function that threw, and the seed', async () => {
  await using cluster = await createCluster({ nodes: 1, seed: 'unlucky' });
  cluster.image('shop/web:1', () => {
    throw new Error('no such table');
  });
  await cluster.apply(pod('shop/web:1'));
  await assert.rejects(
    cluster.until('pod/web', (one) => one.status.phase === 'Running', { within: '30s' }),
    (error) =>
      error instanceof NeverSettledError &&
      error.seed === 'unlucky' &&
      /pod\/web in namespace default as wanted did not come within 30000 ms/.test(error.message) &&
      /no such table/.test(error.message),
  );
});

test('a cluster that never comes to rest is told', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const maps = cluster.client.core.v1.configMaps('default');
  await maps.create({ metadata: { name: 'restless' } });
  await using _restless = await cluster.run(async function restless({ clock, client, stopping }) {
    const own = client.core.v1.configMaps('default');
    const turn = async () => {
      for (let at = 0; !stopping.aborted; at++) {
        await own.patch('restless', { data: { at: String(at) } }, { type: 'merge' });
        await clock.sleep(1_000, stopping);
      }
    };
    turn().catch(() => undefined);
  });
  await assert.rejects(
    cluster.idle({ within: '1m' }),
    /10000 ms without a write did not come within 60000 ms; last seen: restless wrote 6\d times, at last: patch \/api\/v1\/namespaces\/default\/configmaps\/restless/,
  );
});

test('a cluster that was disposed of tells so, whatever is asked of it', async () => {
  const cluster = await createCluster({ seed: 1, components: [] });
  await cluster[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
  for (const use of [
    () => cluster.client,
    () => cluster.nodes,
    () => cluster.image('a', {}),
    () => cluster.clientAs({ name: 'jane' }),
    () => cluster.advance(1),
    () => cluster.until(() => true),
    () => cluster.idle(),
    () => cluster.apply([]),
    () => cluster.fetch('http://web'),
    () => cluster.serve('https://a', () => ''),
    () => cluster.exec('a', ['b']),
    () => cluster.run(function late() {}),
    () => cluster.at(1),
    () => cluster.diff(1),
    () => cluster.snapshot(),
    () => cluster.kubeconfig(),
  ])
    await assert.rejects(
      async () => use(),
      (error) => error instanceof ClusterUsageError && /the cluster has been disposed/.test(error.message),
      String(use),
    );
});

test('an option that is none, or has a part that is none, is told with its place', async () => {
  for (const [options, message] of [
    [{ nods: 1 }, /createCluster has no option "nods"; it knows seed, time/],
    [{ seed: {} }, /seed is a text or a number, not \{\}/],
    [{ time: 'slow' }, /time is "virtual" or "real", not "slow"/],
    [{ startMs: '2026' }, /startMs is a time in milliseconds since 1970, not "2026"/],
    [{ components: 'scheduler' }, /components is a list, .* not "scheduler"/],
    [{ components: ['schedular'] }, /there is no component "schedular"/],
    [{ controllers: ['deploy'] }, /there is no controller "deploy"; there are /],
    [{ scheduler: { plugin: [] } }, /scheduler has no "plugin"; it has configuration, plugins/],
    [
      { images: { 'shop/web:1': { pullms: 1 } } },
      /policy of the image shop\/web:1 has no "pullms"; it has run, pullMs/,
    ],
    [{ images: { 'shop/web:1': 'run' } }, /the image shop\/web:1 is a function, or a policy/],
    [{ nodes: 5_001 }, /a cluster has 0 to 5000 nodes, not 5001/],
  ] as const)
    await assert.rejects(
      createCluster(options as ClusterOptions),
      (error) => error instanceof ClusterUsageError && message.test(error.message),
      JSON.stringify(options),
    );
  await using cluster = await createCluster({ seed: 1, components: [] });
  assert.throws(() => cluster.image('a', { exitcode: 1 } as object), /policy of the image a has no "exitcode"/);
});

test('two who move time at once are told', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const first = cluster.advance('1s');
  await assert.rejects(cluster.advance('1s'), /time is being advanced already; await the first/);
  await first;
});

test('a manifest with errors is told with its document and line', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  for (const [text, message] of [
    ['a: b: c', /line 1/],
    ['apiVersion: v1\nkind: ConfigMap\n', /line 1.*name/s],
    ['apiVersion: v1\nkind: Nothing\nmetadata: { name: a }\n', /line 1.*Nothing/s],
    [
      'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: A_B }\n',
      /document 2 \(line 4\).*A_B/s,
    ],
  ] as const)
    await assert.rejects(
      cluster.apply(text),
      (error) => error instanceof ManifestError && message.test(error.message),
      text,
    );
});

test('an instant that never ends is told with who set its timers, and the seed', async () => {
  await using cluster = await createCluster({ seed: 'endless', components: [] });
  let left = 2_000_000;
  const loop = () => {
    if (left-- > 0) cluster.clock.setTimer(loop, 0);
  };
  loop();
  await assert.rejects(
    cluster.advance('1s'),
    (error) =>
      error instanceof EndlessInstantError &&
      /stands still .*set by loop .*errors\.test\.ts.* \(seed endless\)$/.test(error.message),
  );
});

test('a test that fails with an error of its own prints the seed that nobody gave', () => {
  const script = (options: string, fails: boolean) => `
    import { createCluster } from ${JSON.stringify(new URL('index.ts', import.meta.url).href)};
    await using cluster = await createCluster(${options});
    console.log(cluster.seed);
    if (${fails}) throw new Error('it is not as I wanted it');
  `;
  const told = (options: string, fails: boolean) => {
    const args = ['--input-type=module', '-e', script(options, fails)];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
    return { seed: stdout.trim(), stderr };
  };
  const drawn = told('{ components: [] }', true);
  assert.match(drawn.stderr, new RegExp(`^createCluster drew the seed ${drawn.seed}( at .*)?$`, 'm'));
  assert.doesNotMatch(told('{ components: [] }', false).stderr, /drew the seed/);
  assert.doesNotMatch(told('{ components: [], seed: 1 }', true).stderr, /drew the seed/);
});

test('a test that forgets to dispose does not keep the process alive', () => {
  const script = `
    import { createCluster } from ${JSON.stringify(new URL('index.ts', import.meta.url).href)};
    const cluster = await createCluster({ nodes: 1, seed: 1 });
    await cluster.kubeconfig();
    await (await cluster.at('0s')).kubeconfig();
    await createCluster({ time: 'real', components: ['controller-manager'] });
    console.log('forgotten');
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(stdout, 'forgotten\n', stderr);
  assert.equal(status, 0, stderr);
});
