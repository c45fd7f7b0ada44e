import assert from 'node:assert/strict';
import { it } from 'node:test';
import { leases } from '../../../api/resources.ts';
import { silentLogger } from '../../../libs/base/log.ts';
import { turn } from '../../../libs/base/node/turn.ts';
import { startSubject } from '../../../tests/fuzz/run.ts';
import { keepIdentityLease } from './identity-lease.ts';

it('an API server keeps a lease that tells of it, made anew where somebody deletes it', async () => {
  await using subject = await startSubject('identity');
  const { server, clock } = subject;
  const settle = async () => {
    for (let i = 0; i < 30; i++) await turn();
  };
  const held = () => server.engine.registry.get(leases, 'kube-system', 'apiserver-x');
  const lease = keepIdentityLease({
    server,
    clock,
    log: silentLogger,
    name: 'apiserver-x',
    holder: 'h',
    hostname: 'host',
  });
  await settle();
  const first = await held();
  assert.equal(first?.metadata.labels?.['apiserver.kubernetes.io/identity'], 'kube-apiserver');
  assert.equal(first?.spec?.leaseDurationSeconds, 3600);
  await clock.advance(11_000);
  await settle();
  const second = await held();
  assert.notEqual(second?.spec?.renewTime, first?.spec?.renewTime);
  assert.equal(second?.spec?.acquireTime, first?.spec?.acquireTime);
  await server.asItself('DELETE', '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/apiserver-x', '', {});
  await clock.advance(11_000);
  await settle();
  assert.ok(await held());
  lease[Symbol.dispose]();
  const last = (await held())?.spec?.renewTime;
  await clock.advance(60_000);
  await settle();
  assert.equal((await held())?.spec?.renewTime, last);
});
