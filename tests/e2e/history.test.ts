// `tutti up --history` and what a person does with it, with an unmodified kubectl.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { Kubectl } from '../harness/kubectl.ts';
import { createNetwork, type Network } from '../harness/namespace.ts';
import type { RunningProgram } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';

const TUTTI = join(import.meta.dirname, '../../entry/tutti.mjs');
const DEPLOYED = { timeoutMs: 60_000 };

describe('tutti up --history', requires('linux', 'root', 'kubectl'), () => {
  let network: Network;
  let program: RunningProgram | undefined;
  const folder = () => join(network.hosts[0]!.folder, 'tutti');
  const tutti = async (words: string, check = true) => {
    const { stdout, stderr } = await network.hosts[0]!.exec(
      [process.execPath, TUTTI, ...words.split(' '), '--data-dir', folder()],
      { check },
    );
    return (check ? stdout : stderr).trimEnd();
  };
  const kubectl = (kubeconfig = join(folder(), 'admin.kubeconfig')) => new Kubectl(network.hosts[0]!, { kubeconfig });
  const start = async (...more: string[]) => {
    program = network.hosts[0]!.spawn(
      [process.execPath, TUTTI, 'up', '--simulate', '1', '--data-dir', folder(), '--no-merge-kubeconfig', ...more],
      { logFile: join(network.hosts[0]!.folder, 'tutti.log') },
    );
    await program.waitFor('\nkubeconfig: ', 60_000);
  };
  const stop = async () => {
    program?.kill('SIGINT');
    await program?.wait(12_000);
    program = undefined;
  };

  before(
    async () => {
      network = await createNetwork({ hosts: 1 });
      await start('--history', '64Mi');
    },
    { timeout: 120_000 },
  );
  after(async () => {
    await stop();
    await network?.dispose();
  });

  test('kubectl sees the cluster as it was, also after a restart', async () => {
    await kubectl().text('create deployment web --image=shop/web:1 --replicas=1');
    await kubectl().text('rollout status deployment/web', DEPLOYED);
    const { metadata } = await kubectl().json('get deployment web');
    await kubectl().text('scale deployment web --replicas=3');
    await kubectl().text('rollout status deployment/web', DEPLOYED);
    await stop();
    await start('--history', '64Mi');
    const before = kubectl(await tutti(`history at ${metadata.resourceVersion}`));
    assert.match(
      await before.text('get deployments,pods'),
      /deployment\.apps\/web +1\/1 +1 +1 [\s\S]*pod\/web-\S+ +1\/1 +Running/,
    );
    assert.equal((await before.json('get pods')).items.length, 1);
    assert.match(await before.text('describe deployment web'), /1 desired \| 1 updated \| 1 total \| 1 available/);
    const refused = await before.run('delete deployment web', { check: false });
    assert.match(refused.stderr, /as it was at revision \d+ .*it can only be read/);
    assert.equal((await kubectl().json('get pods')).items.length, 3);

    const now = new Date().toISOString();
    assert.match(await kubectl(await tutti(`history at ${now}`)).text('get deployment web'), /web +3\/3/);
    assert.match(
      await tutti(`history diff ${metadata.resourceVersion} -n default`),
      /^~ Deployment default\/web\n(?: {4}.*\n)*? {4}spec\.replicas: 1 → 3$/m,
    );
    assert.match(await tutti('history'), /^since +20\d\d-.*Z\nrevisions +\d+ to \d+\nsize +\S+ .?B of 67\.1 MB$/);
  });

  test('what cannot be is told in a sentence', async () => {
    assert.match(
      await tutti('history at 10h', false),
      /^tutti: How the cluster was at .* is not remembered; the first time is /,
    );
    assert.match(await tutti('history at', false), /"tutti history at" wants 1 of/);
    await stop();
    assert.match(await tutti('history', false), /^tutti: /);
    await start();
    assert.match(await tutti('history', false), /keeps no history; start it with "tutti up --history 256Mi"\.$/);
  });
});
