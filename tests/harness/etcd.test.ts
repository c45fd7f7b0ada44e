import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { request } from 'node:https';
import { describe, test } from 'node:test';
import { type Etcd, readTls, startEtcd } from './etcd.ts';
import { until } from './process.ts';
import { requires } from './requirements.ts';

/** Asks etcd's JSON gateway. */
async function call(etcd: Etcd, path: string, body: object, member = 0): Promise<any> {
  const response = await fetch(`${etcd.endpoints[member]}/v3/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const put = (etcd: Etcd, key: string, value: string, member = 0) =>
  call(etcd, 'kv/put', { key: base64(key), value: base64(value) }, member);
async function get(etcd: Etcd, key: string, member = 0): Promise<string | undefined> {
  const value = (await call(etcd, 'kv/range', { key: base64(key) }, member)).kvs?.[0]?.value;
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString();
}

describe('an etcd', requires('linux', 'etcd'), () => {
  test('keeps what it acknowledged through stop and kill, forgets it when wiped', async () => {
    await using etcd = await startEtcd();
    await put(etcd, 'a', '1');
    await etcd.restart();
    await put(etcd, 'b', '2');
    await etcd.kill();
    await assert.rejects(get(etcd, 'a'));
    await etcd.start();
    assert.deepEqual([await get(etcd, 'a'), await get(etcd, 'b')], ['1', '2']);
    await etcd.stop();
    etcd.members[0]!.wipe();
    await etcd.start();
    assert.equal(await get(etcd, 'a'), undefined);
  });

  test('that is paused answers nothing until it goes on', async () => {
    await using etcd = await startEtcd({ fsync: false });
    await put(etcd, 'a', '1');
    await etcd.members[0]!.pause();
    await assert.rejects(fetch(`${etcd.endpoints[0]}/health`, { signal: AbortSignal.timeout(200) }), {
      name: 'TimeoutError',
    });
    etcd.members[0]!.resume();
    assert.equal(await get(etcd, 'a'), '1');
  });

  test('of three members goes on without one', async () => {
    await using etcd = await startEtcd({ members: 3 });
    assert.equal(new Set(etcd.endpoints).size, 3);
    await put(etcd, 'a', '1');
    await etcd.members[0]!.kill();
    // It may have led; until the others agree on another, writes fail.
    await until('a write succeeds', () => put(etcd, 'a', '2', 1).catch(() => undefined), { timeoutMs: 30_000 });
    await etcd.members[0]!.start();
    assert.equal(await get(etcd, 'a', 0), '2');
  });

  test('with TLS wants a certificate of its authority', async () => {
    await using etcd = await startEtcd({ tls: true });
    const health = (tls: { ca: string; cert?: string; key?: string }): Promise<string> =>
      new Promise((resolve, reject) => {
        const asked = request(`${etcd.endpoints[0]}/health`, { ...tls, agent: false }, async (response) =>
          resolve(String((await response.toArray())[0])),
        );
        asked.on('error', reject);
        asked.end();
      });
    const tls = readTls(etcd.tls!);
    assert.match(await health(tls), /"health":"true"/);
    await assert.rejects(health({ ca: tls.ca }));
  });

  test('leaves nothing: neither the process nor its keys', async () => {
    const etcd = await startEtcd({ tls: true });
    assert.equal(existsSync(etcd.tls!.keyFile), true);
    await etcd.dispose();
    const refused = (error: any) => error.cause.code === 'ECONNREFUSED';
    await assert.rejects(get(etcd, 'a'), refused);
    assert.equal(existsSync(etcd.tls!.keyFile), false);
  });
});
