import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestEnvCommandError } from '../errors.ts';
import { TestEnvironment } from './test-environment.ts';

const manifest = JSON.stringify({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'shop/web:1' }] } },
  },
});

test('commands drive a cluster, which keeps its address through a reset', async () => {
  const kept: Record<string, string> = {};
  const writes: string[] = [];
  const env = new TestEnvironment({
    cluster: { nodes: 2, seed: 3 },
    frozen: true,
    onWrite: ({ key }) => writes.push(key),
    keep: async (name, text) => {
      kept[name] = text;
      return `/${name}`;
    },
  });
  const run = (command: string, more: object = {}) => env.run({ command, ...more });
  try {
    assert.deepEqual(await env.start(), { kubeconfig: '/kubeconfig', seed: '3', time: '2026-01-01T00:00:00.000Z' });
    const address = /server: (.*)/.exec(kept['kubeconfig'] ?? '')?.[1];
    assert.match(address ?? '', /^https:\/\/127\.0\.0\.1:\d+$/);
    await run('image', { reference: 'shop/web:1', policy: { serve: { 8080: 'hello' }, log: 'up' } });
    assert.deepEqual((await run('apply', { source: manifest }))['objects'], [
      { kind: 'Deployment', namespace: 'default', name: 'web' },
    ]);
    await run('until', { object: 'deployment/web', field: 'status.availableReplicas=2' });
    await run('until', { object: 'deployment/web', field: 'condition=Available' });
    await run('snapshot', { name: 'web' });
    assert.ok(writes.includes('/registry/apps/deployments/default/web'));

    await run('pressure', { node: 'node-2', resource: 'memory', left: '1Mi' });
    await run('until', { object: 'node/node-2', field: 'condition=MemoryPressure' });
    await run('relieve', { node: 'node-2' });
    await assert.rejects(run('oom-kill', { pod: 'web' }), /no container of pod default\/web runs on any node/);
    await run('crash', { node: 'node-1' });
    const { time } = await run('advance', { by: '1m' });
    assert.match(String(time), /^2026-01-01T00:01:1/);
    await run('until', { object: 'node/node-1', field: 'condition=Ready', within: '1s' }).then(
      () => assert.fail('a node that has crashed is not ready'),
      (error: Error) => assert.match(error.message, /node\/node-1 condition=Ready did not come within 1000 ms/),
    );
    await run('restart', { node: 'node-1' });
    await run('until', { object: 'node/node-1', field: 'condition=Ready' });
    await run('fault', { fault: { fault: 'refuse', users: ['admin'], verbs: ['get'] } });
    await assert.rejects(run('until', { object: 'pod/x' }), /a fault of the simulation/);
    await run('clear-faults');
    const { revision, kubeconfig } = await run('at', { when: '30s' });
    assert.equal(kubeconfig, `/at-${revision}`);
    assert.match(
      String(await run('diff', { from: '2m' }).catch((error: Error) => error.message)),
      /history knows the time/,
    );
    assert.match(String((await run('diff', { from: '1m' }))['diff']), /~ Node node-1/);

    for (const [name, isThere] of [
      ['web', true],
      ['start', false],
      ['web', true],
    ] as const) {
      await run('reset', { name });
      assert.equal(/server: (.*)/.exec(kept['kubeconfig'] ?? '')?.[1], address);
      const { nodes } = (await run('status')) as { nodes?: unknown };
      assert.deepEqual(
        nodes,
        [1, 2].map((at) => ({ name: `node-${at}`, state: 'running', partitioned: false })),
      );
      if (isThere) await run('until', { object: 'deployment/web', field: 'status.availableReplicas=2' });
      else await run('until', { object: 'deployment/web', field: 'gone' });
    }
    for (const [command, more, message] of [
      ['crash', { node: 'moon' }, /there is no node "moon"; there are node-1, node-2/],
      ['reset', { name: 'x' }, /there is no snapshot "x"; there are start, web/],
      ['until', { object: 'web' }, /names no object/],
      ['image', { reference: 'a', policy: 'b' }, /the policy of an image is an object/],
    ] as const)
      await assert.rejects(
        run(command, more),
        (error) => error instanceof TestEnvCommandError && message.test(error.message),
      );
  } finally {
    await env.stop();
  }
  await assert.rejects(run('status'), /the cluster has ended/);
});

test('time goes along with the machine’s, and stands still when it is told to', async () => {
  const env = new TestEnvironment({ cluster: { seed: 1, components: [] }, keep: async (name) => name });
  const nowMs = async () => Date.parse(String((await env.run({ command: 'status' }))['time']));
  const until = async (holds: () => Promise<boolean>) => {
    for (let tries = 0; !(await holds()); tries++) {
      assert.ok(tries < 1_000, 'it does not come');
      await sleep(10);
    }
  };
  try {
    await env.start();
    const startMs = await nowMs();
    await until(async () => (await nowMs()) > startMs + 20);
    await env.run({ command: 'freeze' });
    const frozenMs = await nowMs();
    await env.run({ command: 'advance', by: '1h' });
    assert.equal((await nowMs()) - frozenMs, 3_600_000);
    await env.run({ command: 'flow' });
    await until(async () => (await nowMs()) > frozenMs + 3_600_020);
  } finally {
    await env.stop();
  }
});
