import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createNodeHost } from '../../libs/base/node/node-host.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { PairStore, pairOf } from '../../node/kubelet/certificates/pair-store.ts';
import { nodeSubject } from '../../node/kubelet/certificates/plan.ts';
import { delay, type RunningProgram, until } from '../harness/process.ts';
import { requires } from '../harness/requirements.ts';
import { CLUSTER_NEEDS, type E2eCluster, startCluster } from './cluster.ts';

const NAMES = { client: 'kubelet-client', serving: 'kubelet-server' } as const;
const HOUR_MS = 3_600_000;

/** A node's own certificates, from its first request on: asked for with a token, renewed with themselves. */
describe('certificates of a node that joined', requires(...CLUSTER_NEEDS), () => {
  const keys = new NodeKeys();
  let cluster: E2eCluster;
  let agent: RunningProgram;
  const kubectl = (args: string) => cluster.kubectl.text(args, { timeoutMs: 30_000 });
  const second = () => cluster.network.hosts[1]!;
  const storeOf = (purpose: keyof typeof NAMES) => {
    const folder = join(second().folder, 'tutti/pki');
    return new PairStore({ files: createNodeHost().files, keys, folder, name: NAMES[purpose] });
  };
  const held = async (purpose: keyof typeof NAMES) => (await storeOf(purpose).read())!.parsed;
  const startAgent = async (...args: string[]) => {
    agent = second().spawn(cluster.agentCommand(second(), ...args), { logFile: join(second().folder, 'tutti.log') });
    await agent.waitFor(' is ready\n', 60_000);
  };
  const stopAgent = async () => {
    agent.kill('SIGINT');
    await agent.wait(12_000);
  };

  /** Puts a certificate of the cluster's authority into the place of the one that the node has. */
  const replace = async (purpose: keyof typeof NAMES, fromMs: number, toMs: number) => {
    const pki = join(cluster.dataDir, 'pki');
    const certificatePem = readFileSync(join(pki, 'ca.crt'), 'utf8');
    const authority = { certificatePem, key: keys.importKey(readFileSync(join(pki, 'ca.key'), 'utf8')) };
    const key = await keys.generateKey(purpose);
    const pem = await keys.issueCertificate(
      {
        subject: nodeSubject('node-2'),
        ...(purpose === 'serving' && { names: { ip: [second().address], dns: ['node-2'] } }),
        usages: ['digital signature', purpose === 'serving' ? 'server auth' : 'client auth'],
        publicKey: key,
        notBeforeMs: Date.now() + fromMs,
        notAfterMs: Date.now() + toMs,
      },
      authority,
    );
    await storeOf(purpose).write(pairOf(keys, pem, key.privateKeyPem()), Date.now());
  };

  before(
    async () => {
      cluster = await startCluster({ others: 1, images: ['busybox', 'behave'] });
      agent = await cluster.join(second());
    },
    { timeout: 240_000 },
  );
  after(async () => {
    await agent?.stop(12_000);
    await cluster?.dispose();
  });

  test('the token brings a client certificate, and that one a serving certificate', async () => {
    const requests = (await cluster.kubectl.json('get csr')).items.map(({ spec, status }: any) => [
      spec.signerName.replace(/^.*\//, ''),
      spec.username.replace(/:[a-z0-9]{6}$/, ''),
      status.conditions.map(({ type }: any) => type).join(),
    ]);
    assert.deepEqual(requests.sort(), [
      ['kube-apiserver-client-kubelet', 'system:bootstrap', 'Approved'],
      ['kubelet-serving', 'system:node:node-2', 'Approved'],
    ]);
    for (const purpose of ['client', 'serving'] as const) {
      const { subject, notAfterMs } = await held(purpose);
      assert.deepEqual(subject, nodeSubject('node-2'));
      assert.ok(notAfterMs > Date.now() + 24 * HOUR_MS);
    }
  });

  test('both are renewed in time, while the node runs, and the old ones are missed by nobody', {
    timeout: 180_000,
  }, async () => {
    await kubectl('run there --image=behave --overrides={"spec":{"nodeName":"node-2"}} -- stay');
    await kubectl('wait pod/there --for=condition=Ready --timeout=40s');
    await stopAgent();
    // Seven tenths of their lives are over in fifteen seconds, nine in thirty-five.
    await replace('client', -55_000, 45_000);
    await replace('serving', -55_000, 45_000);
    const overMs = Date.now() + 45_000;
    const [client, serving] = [await held('client'), await held('serving')];
    await startAgent();
    assert.equal((await held('client')).fingerprint, client.fingerprint, 'it began with the one that it had');
    for (const [purpose, before_] of [
      ['client', client],
      ['serving', serving],
    ] as const) {
      await until(
        `the ${purpose} certificate is new`,
        async () => (await held(purpose)).fingerprint !== before_.fingerprint,
        {
          timeoutMs: 60_000,
        },
      );
      assert.ok((await held(purpose)).notAfterMs > Date.now() + 24 * HOUR_MS);
    }
    assert.ok(Date.now() < overMs, 'before the old ones were over');
    const who = (await cluster.kubectl.json('get csr')).items.map(({ spec }: any) => spec.username);
    assert.ok(who.filter((name: string) => name === 'system:node:node-2').length >= 3, 'as itself, without a token');
    await delay(overMs + 2_000 - Date.now());
    // The kubelet still writes, and is still believed.
    const lease = async () => kubectl('get lease node-2 -n kube-node-lease -o jsonpath={.spec.renewTime}');
    const then = await lease();
    await until('the lease is renewed', async () => (await lease()) !== then, { timeoutMs: 20_000 });
    await kubectl('wait pod/there --for=condition=Ready --timeout=40s');
    assert.equal(await kubectl('exec there -- echo heard'), 'heard');
    assert.match(await kubectl('get nodes'), /^node-2 +Ready /m);
  });

  test('one that is over is of no use without a token, and with one the node is as it was', {
    timeout: 120_000,
  }, async () => {
    await stopAgent();
    await replace('client', -2 * HOUR_MS, -HOUR_MS);
    const { code, stderr } = await second().exec(cluster.agentCommand(second()), { check: false, timeoutMs: 60_000 });
    assert.equal(code, 1);
    assert.match(stderr, /^tutti: .*certificate.*(is over|run out|expired).*--token/m);
    const token = (await cluster.tutti('token create --quiet')).stdout.trim();
    await startAgent('--server', `https://${cluster.host.address}:6443`, '--token', token);
    assert.ok((await held('client')).notAfterMs > Date.now() + 24 * HOUR_MS);
    await kubectl('wait pod/there --for=condition=Ready --timeout=40s');
  });
});
