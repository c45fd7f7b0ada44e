import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { endpointSlices, ipAddresses, leases, namespaces, services } from '../../../api/resources.ts';
import { silentLogger } from '../../../libs/base/log.ts';
import { turn } from '../../../libs/base/node/turn.ts';
import type { ApiObject } from '../../../libs/kind/object.ts';
import { virtualTest } from '../../../libs/testing/virtual-test.ts';
import { MemoryStore } from '../../store/drivers/memory/memory-store.ts';
import { createDefaultServer } from '../default-server.ts';
import type { ApiServer } from '../server.ts';
import { systemContext } from '../system-context.ts';
import { standardUpkeep } from './upkeep.ts';

const { clock, random, keys } = virtualTest({ seed: 'upkeep' });
const MINUTE_MS = 60_000;
let server: ApiServer;

/** Time passes, and what began in it ends. */
async function pass(ms: number): Promise<void> {
  await clock.advance(ms);
  for (let i = 0; i < 60; i++) await turn();
}

const ctx = () => systemContext(clock, 'test');
const registry = () => server.engine.registry;

async function readyz(): Promise<{ code: number; text: string }> {
  const { code, body } = await server.handle({
    method: 'GET',
    path: '/readyz',
    query: 'verbose',
    headers: {},
    body: undefined,
    peer: { address: '' },
    signal: new AbortController().signal,
  });
  return { code, text: body.form === 'whole' ? String(body.value()) : '' };
}

before(async () => {
  const key = await keys.generateKey('ca');
  const clientAuthorityPem = await keys.issueCertificate({
    subject: { commonName: 'ca' },
    publicKey: key,
    isCertificateAuthority: true,
    usages: ['cert sign'],
    notBeforeMs: clock.now(),
    notAfterMs: clock.now() + 1e12,
  });
  server = createDefaultServer({
    store: new MemoryStore({ clock, random }),
    clock,
    random,
    keys,
    log: silentLogger,
    clientAuthorityPem,
    serviceAccountKey: key,
    serverAddress: '192.0.2.1:6443',
    advertiseAddress: '192.0.2.1',
    platform: 'x',
    runtime: 'x',
    identity: { name: 'apiserver-me', holder: 'me', hostname: 'here' },
  });
  await server.start();
});
after(() => server.stop());

describe('what an API server sees to while it runs', { concurrency: 1 }, () => {
  it('the Service `kubernetes` and what stands behind it come again, and are set right', async () => {
    await registry().delete(ctx(), services, 'default', 'kubernetes');
    await registry().update(ctx(), endpointSlices, 'default', 'kubernetes', (draft) => {
      draft.endpoints = [{ addresses: ['192.0.2.99'] }];
    });
    await pass(11_000);
    const service = await registry().get(services, 'default', 'kubernetes');
    assert.deepEqual([service?.spec?.clusterIP, service?.spec?.ports?.[0]?.targetPort], ['10.96.0.1', 6443]);
    const slice = await registry().get(endpointSlices, 'default', 'kubernetes');
    assert.deepEqual(slice?.endpoints?.[0]?.addresses, ['192.0.2.1']);
  });

  it('addresses that no Service has are freed, once they are not young', async () => {
    const address = {
      metadata: {
        name: '10.96.0.77',
        labels: {
          'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
          'ipaddress.kubernetes.io/ip-family': 'IPv4',
        },
      },
      spec: { parentRef: { resource: 'services', namespace: 'default', name: 'gone' } },
    };
    await registry().create(ctx(), ipAddresses, '', address as ApiObject as never);
    await pass(3.2 * MINUTE_MS);
    assert.equal(await registry().get(ipAddresses, '', '10.96.0.77'), undefined);
    assert.ok(await registry().get(ipAddresses, '', '10.96.0.1'));
  });

  it('leases of servers that are no more are taken away, its own is kept', async () => {
    const lease = (name: string, labels: Record<string, string>) => ({
      metadata: { name, namespace: 'kube-system', labels },
      spec: { holderIdentity: name, leaseDurationSeconds: 3600, renewTime: '2025-01-01T00:00:00.000000Z' },
    });
    const identity = { 'apiserver.kubernetes.io/identity': 'kube-apiserver' };
    await registry().create(ctx(), leases, 'kube-system', lease('apiserver-gone', identity));
    await registry().create(ctx(), leases, 'kube-system', lease('somebody-elses', {}));
    await pass(61 * MINUTE_MS);
    const names = (await registry().list(leases, 'kube-system')).map(({ metadata }) => metadata.name);
    assert.deepEqual(names.sort(), ['apiserver-me', 'somebody-elses']);
  });

  it('is told by /readyz, as is the end', async () => {
    const { code, text } = await readyz();
    assert.equal(code, 200, text);
    assert.match(text, /^\[\+\]poststarthook\/start-service-ip-repair-controllers ok$/m);
    server.shutDown();
    const last = await readyz();
    assert.equal(last.code, 500);
    assert.match(last.text, /^\[-\]shutdown failed: reason withheld$/m);
  });

  it('ends with the server', async () => {
    await server.stop();
    const { renewTime } = (await registry().get(leases, 'kube-system', 'apiserver-me'))?.spec ?? {};
    await pass(MINUTE_MS);
    assert.equal((await registry().get(leases, 'kube-system', 'apiserver-me'))?.spec?.renewTime, renewTime);
    assert.ok(await registry().get(namespaces, '', 'kube-system'));
  });
});

it('a store that does not forget by itself is told to, five minutes late', async () => {
  const told: number[] = [];
  let revision = 10;
  const store = {
    growsUntilCompacted: true,
    currentRevision: () => revision++,
    compact: (to: number) => void told.push(to),
  };
  const task = standardUpkeep({ serviceCidrs: [], port: 6443 }).find(({ name }) => name === 'history');
  for (let i = 0; i < 3; i++) await task?.run({ ...server.engine, store } as never, ctx());
  assert.deepEqual([task?.everyMs, told], [5 * MINUTE_MS, [10, 11]]);
  const other = standardUpkeep({ serviceCidrs: [], port: 6443 }).find(({ name }) => name === 'history');
  for (let i = 0; i < 3; i++)
    await other?.run({ ...server.engine, store: { ...store, growsUntilCompacted: undefined } } as never, ctx());
  assert.deepEqual(told, [10, 11]);
});
