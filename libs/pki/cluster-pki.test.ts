import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { NodeKeys } from '../base/node/node-keys.ts';
import { virtualTest } from '../testing/virtual-test.ts';
import { type ClusterPki, type ClusterPkiOptions, ensureClusterPki, PkiError } from './cluster-pki.ts';

const DAY = 86_400_000;
const options: ClusterPkiOptions = {
  dir: '/var/lib/tutti',
  nodeName: 'node-1',
  names: { dns: ['node-1.example.com'], ip: ['10.0.0.7', '2001:0db8::1'] },
};
const folder = '/var/lib/tutti/pki';
const leaves = [
  'apiserver',
  'apiserver-kubelet-client',
  'front-proxy-client',
  'admin',
  'controller-manager',
  'scheduler',
];
const every = ['ca', 'front-proxy-ca', 'sa', ...leaves, 'kube-proxy', 'kubelet'];

/** A cluster's folder, and `ensure` to bring it up to date. */
function cluster() {
  const { clock, keys, host } = virtualTest();
  const { files } = host;
  const ensure = (change: Partial<ClusterPkiOptions> = {}) =>
    ensureClusterPki(files, keys, clock, { ...options, ...change });
  return { clock, keys, files, ensure };
}

const changed = (pki: ClusterPki) => pki.changes.map(({ name }) => name).sort();

test('the first start makes everything, the second nothing', async () => {
  const { files, ensure } = cluster();
  const first = await ensure();
  assert.deepEqual(changed(first), [...every].sort());
  const names = await files.list(folder);
  assert.deepEqual(
    names,
    [...every.flatMap((name) => (name === 'sa' ? ['sa.key', 'sa.pub'] : [`${name}.crt`, `${name}.key`]))].sort(),
  );
  for (const name of names) assert.equal((await files.stat(`${folder}/${name}`)).mode, 0o600, name);
  assert.equal((await files.stat(folder)).mode, 0o700);
  const before = await Promise.all(names.map((name) => files.readText(`${folder}/${name}`)));
  const second = await ensure();
  assert.deepEqual(second.changes, []);
  assert.deepEqual(await Promise.all(names.map((name) => files.readText(`${folder}/${name}`))), before);
  assert.equal(second.admin.certificatePem, first.admin.certificatePem);
  assert.equal(second.serviceAccountKey.keyId, first.serviceAccountKey.keyId);
  assert.equal(second.renewAtMs, first.renewAtMs);
});

test('who is who', async () => {
  const { keys, ensure } = cluster();
  const pki = await ensure();
  const table: [keyof ClusterPki, string, string[], string[]][] = [
    ['apiserver', 'kube-apiserver', [], ['server auth']],
    ['apiserverKubeletClient', 'kube-apiserver-kubelet-client', ['system:masters'], ['client auth']],
    ['frontProxyClient', 'front-proxy-client', [], ['client auth']],
    ['admin', 'admin', ['system:masters'], ['client auth']],
    ['controllerManager', 'system:kube-controller-manager', [], ['client auth']],
    ['scheduler', 'system:kube-scheduler', [], ['client auth']],
    ['kubeProxy', 'system:kube-proxy', [], ['client auth']],
    ['kubelet', 'system:node:node-1', ['system:nodes'], ['client auth']],
  ];
  for (const [name, commonName, organizations, usages] of table) {
    const { key, certificatePem } = pki[name] as ClusterPki['ca'];
    const certificate = keys.parseCertificate(certificatePem);
    assert.equal(certificate.subject.commonName, commonName);
    assert.deepEqual(certificate.subject.organizations ?? [], organizations);
    assert.deepEqual(certificate.extendedUsages, usages);
    assert.equal(certificate.publicKeyPem, key.publicKeyPem);
    const authority = name === 'frontProxyClient' ? pki.frontProxyCa : pki.ca;
    assert.equal(certificate.notAfterMs - certificate.notBeforeMs, 365 * DAY + 300_000);
    assert.ok(keys.isIssuedBy(certificatePem, authority.certificatePem, certificate.notBeforeMs));
  }
  const { names } = keys.parseCertificate(pki.apiserver.certificatePem);
  const dns = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'];
  assert.deepEqual(names.dns, [...dns, 'localhost', 'node-1.example.com']);
  assert.deepEqual(names.ip, ['127.0.0.1', '::1', '10.96.0.1', '10.0.0.7', '2001:db8::1']);
  const ca = keys.parseCertificate(pki.ca.certificatePem);
  assert.equal(ca.subject.commonName, 'kubernetes');
  assert.equal(ca.notAfterMs - ca.notBeforeMs, 3650 * DAY + 300_000);
});

test('no node, other ranges and another name', async () => {
  const { keys, files, ensure } = cluster();
  const pki = await ensure({
    nodeName: undefined,
    serviceIps: ['10.5.0.1', 'fd00::1'],
    dnsDomain: 'x.y',
    clusterName: 'c',
  });
  assert.equal(pki.kubelet, undefined);
  assert.equal(await files.statIfExists(`${folder}/kubelet.crt`), undefined);
  const { names } = keys.parseCertificate(pki.apiserver.certificatePem);
  assert.ok(names.ip?.includes('10.5.0.1') && names.ip.includes('fd00::1') && !names.ip.includes('10.96.0.1'));
  assert.ok(names.dns?.includes('kubernetes.default.svc.x.y'));
  assert.equal(keys.parseCertificate(pki.ca.certificatePem).subject.commonName, 'c');
});

test('leaves are renewed with less than 30 % of a year left, authorities of ten', async () => {
  const { clock, keys, files, ensure } = cluster();
  const first = await ensure();
  const start = clock.now();
  assert.ok(Math.abs(first.renewAtMs - (start + 365 * 0.7 * DAY)) < DAY);
  await clock.advance(first.renewAtMs - start - 1000);
  assert.deepEqual((await ensure()).changes, []);
  await clock.advance(2000);
  const second = await ensure();
  assert.deepEqual(changed(second), [...leaves, 'kube-proxy', 'kubelet'].sort());
  assert.match(second.changes[0]?.why ?? '', /^it expires at 202\d-/);
  assert.ok(second.renewAtMs > clock.now());
  assert.equal(await files.readText(`${folder}/admin.crt`), second.admin.certificatePem);

  await clock.advance(start + 3650 * 0.7 * DAY + DAY - clock.now());
  const old = await ensure();
  assert.ok(changed(old).includes('ca') && changed(old).includes('front-proxy-ca'));
  assert.equal(old.ca.key.keyId, first.ca.key.keyId);
  assert.ok(keys.isIssuedBy(old.admin.certificatePem, old.ca.certificatePem, clock.now()));
  assert.ok(
    keys.isIssuedBy(old.admin.certificatePem, first.ca.certificatePem, clock.now()),
    'old kubeconfigs still trust',
  );
  assert.deepEqual((await ensure()).changes, []);
});

test('even what has expired altogether is renewed', async () => {
  const { clock, ensure } = cluster();
  await ensure();
  await clock.advance(20 * 365 * DAY);
  const pki = await ensure();
  assert.ok(changed(pki).includes('ca'));
  assert.match(pki.changes.find(({ name }) => name === 'admin')?.why ?? '', /^it expired at/);
  assert.deepEqual((await ensure()).changes, []);
});

test('each thing that is damaged, missing or outdated is made anew, and nothing else', async () => {
  const table: [string, (c: ReturnType<typeof cluster>, pki: ClusterPki) => Promise<unknown>, RegExp][] = [
    ['admin', ({ files }) => files.remove(`${folder}/admin.crt`), /missing/],
    ['admin', ({ files }) => files.remove(`${folder}/admin.key`), /missing/],
    ['scheduler', ({ files }) => files.write(`${folder}/scheduler.crt`, 'rubbish'), /cannot be read/],
    ['scheduler', ({ files }) => files.write(`${folder}/scheduler.key`, ''), /cannot be read/],
    [
      'kube-proxy',
      ({ files }, pki) => files.write(`${folder}/kube-proxy.key`, pki.admin.key.privateKeyPem()),
      /its key is another one/,
    ],
    [
      'front-proxy-client',
      async ({ files, keys, clock }, pki) => {
        const { key } = pki.frontProxyClient;
        const life = { notBeforeMs: clock.now(), notAfterMs: clock.now() + 300 * DAY };
        const subject = { commonName: 'front-proxy-client' };
        const pem = await keys.issueCertificate({ subject, publicKey: key, usages: ['client auth'], ...life }, pki.ca);
        await files.write(`${folder}/front-proxy-client.crt`, pem);
      },
      /not issued by the present front-proxy-ca/,
    ],
  ];
  for (const [name, damage, why] of table) {
    const c = cluster();
    await damage(c, await c.ensure());
    const pki = await c.ensure();
    assert.deepEqual(changed(pki), [name]);
    assert.match(pki.changes[0]?.why ?? '', why);
    assert.deepEqual((await c.ensure()).changes, []);
  }
});

test('new names and another node make new certificates, fewer names do not', async () => {
  const { ensure } = cluster();
  await ensure();
  assert.deepEqual((await ensure({ names: { ip: ['10.0.0.7'] } })).changes, []);
  const more = await ensure({ names: { ip: ['10.0.0.8', '2001:db8:0::1'] } });
  assert.deepEqual(more.changes, [{ name: 'apiserver', why: 'it lacks 10.0.0.8' }]);
  const moved = await ensure({ names: { ip: ['10.0.0.8'] }, nodeName: 'node-2' });
  assert.deepEqual(moved.changes, [{ name: 'kubelet', why: 'its subject is system:node:node-1' }]);
});

test('a lost authority’s certificate is made anew from its key, and what it issued stays', async () => {
  const { files, ensure } = cluster();
  const first = await ensure();
  await files.remove(`${folder}/ca.crt`);
  await files.remove(`${folder}/sa.pub`);
  const pki = await ensure();
  assert.deepEqual(changed(pki), ['ca']);
  assert.equal(pki.ca.key.keyId, first.ca.key.keyId);
  assert.equal(await files.readText(`${folder}/sa.pub`), first.serviceAccountKey.publicKeyPem);
});

test('what cannot be replaced is refused with cause and cure, and nothing is touched', async () => {
  const table: [string, (c: ReturnType<typeof cluster>, pki: ClusterPki) => Promise<unknown>, RegExp][] = [
    [
      'a lost key',
      ({ files }) => files.remove(`${folder}/ca.key`),
      /pki\/ca\.key is missing: put it back from a backup/,
    ],
    ['a broken key', ({ files }) => files.write(`${folder}/ca.key`, 'x'), /pki\/ca\.key cannot be used .*backup/],
    ['a broken signing key', ({ files }) => files.write(`${folder}/sa.key`, 'x'), /pki\/sa\.key cannot be used/],
    ['a broken certificate', ({ files }) => files.write(`${folder}/ca.crt`, 'x'), /remove that one file/],
    [
      'another key',
      ({ files }, pki) => files.write(`${folder}/ca.key`, pki.admin.key.privateKeyPem()),
      /ca\.crt and ca\.key are not an authority and its key/,
    ],
    [
      'a clock in the past',
      async ({ clock }) => clock.jump(-400 * DAY),
      /not valid before 2025.*clock says 2024.*set the clock/,
    ],
  ];
  for (const [what, damage, message] of table) {
    const c = cluster();
    await damage(c, await c.ensure());
    const before = await Promise.all((await c.files.list(folder)).map((name) => c.files.stat(`${folder}/${name}`)));
    await assert.rejects(
      c.ensure(),
      (error: unknown) => error instanceof PkiError && message.test(error.message),
      what,
    );
    const after = await Promise.all((await c.files.list(folder)).map((name) => c.files.stat(`${folder}/${name}`)));
    assert.deepEqual(after, before, what);
  }
});

test('a crash or a full disk at any write is made good by the next start', async () => {
  let survived = 0;
  for (let broken = true; broken; survived++) {
    const crashAt = survived + 1;
    const { files, ensure } = cluster();
    let writes = 0;
    files.fault = (operation) => (operation === 'write' && ++writes >= crashAt ? 'ENOSPC' : undefined);
    broken = await ensure().then(
      () => false,
      () => true,
    );
    files.fault = undefined;
    const caKey = await files.readTextIfExists(`${folder}/ca.key`);
    const pki = await ensure();
    assert.deepEqual((await ensure()).changes, []);
    if (caKey !== undefined) assert.equal(pki.ca.key.privateKeyPem(), caKey, 'an authority’s key is kept');
  }
  assert.equal(survived - 1, 22, 'every file was the first to fail once');
});

test('OpenSSL agrees, with real keys', async () => {
  const { clock, files } = cluster();
  const pki = await ensureClusterPki(files, new NodeKeys(), clock, options);
  const [ca, apiserver] = [
    new X509Certificate(pki.ca.certificatePem),
    new X509Certificate(pki.apiserver.certificatePem),
  ];
  assert.ok(apiserver.checkIssued(ca) && apiserver.verify(ca.publicKey));
  assert.ok(
    apiserver.checkPrivateKey((await import('node:crypto')).createPrivateKey(pki.apiserver.key.privateKeyPem())),
  );
  assert.equal(apiserver.checkHost('kubernetes.default.svc'), 'kubernetes.default.svc');
  assert.equal(apiserver.checkIP('10.96.0.1'), '10.96.0.1');
  assert.equal(pki.serviceAccountKey.algorithm, 'ES256');
});
