import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../base/log.ts';
import { turn } from '../base/node/turn.ts';
import { virtualTest } from '../testing/virtual-test.ts';
import { type ClusterPki, ensureClusterPki } from './cluster-pki.ts';
import { keepRenewed } from './keep-renewed.ts';

const DAY = 86_400_000;

async function running(renewed: (pki: ClusterPki) => void) {
  const { clock, keys, host } = virtualTest();
  const { files } = host;
  const pki = { dir: '/data', names: { dns: ['a'], ip: [] } };
  const current = await ensureClusterPki(files, keys, clock, pki);
  const keeping = keepRenewed({ files, keys, clock, log: silentLogger, pki, current, renewed });
  /** Days pass; what was begun meanwhile comes to its end. */
  const days = async (count: number) => {
    for (let day = 0; day < count; day++) {
      await clock.advance(DAY);
      for (let i = 0; i < 50; i++) await turn();
    }
  };
  return { clock, keys, current, keeping, days };
}

test('certificates are renewed in time, year after year, and until it is disposed', async () => {
  const seen: ClusterPki[] = [];
  const { clock, keys, current, keeping, days } = await running((pki) => void seen.push(pki));
  await days(254);
  assert.equal(seen.length, 0, 'not before less than 30 % is left');
  await days(3);
  assert.equal(seen.length, 1);
  assert.notEqual(seen[0]?.apiserver.certificatePem, current.apiserver.certificatePem);
  assert.equal(seen[0]?.ca.certificatePem, current.ca.certificatePem);
  await days(365);
  const last = seen.at(-1);
  assert.ok(last && seen.length === 2);
  assert.ok(keys.parseCertificate(last.apiserver.certificatePem).notAfterMs > clock.now());
  keeping[Symbol.dispose]();
  await days(400);
  assert.equal(seen.length, 2);
});

test('what takes them may fail, and is tried again', async () => {
  let tries = 0;
  const { keeping, days } = await running(() => {
    if (++tries === 1) throw new Error('not now');
  });
  await days(258);
  assert.equal(tries, 2);
  keeping[Symbol.dispose]();
});
