import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as tls from 'node:tls';
import { inspect } from 'node:util';
import { type Issuer, KeyError, type KeyPair, type Keys, type SubjectNames } from '../keys.ts';
import { FixedKeys } from './fixed-keys.ts';
import { NodeKeys } from './node-keys.ts';

const kinds: [string, () => Keys, string][] = [
  ['NodeKeys', () => new NodeKeys(), 'ES256'],
  ['FixedKeys', () => new FixedKeys(1), 'EdDSA'],
];
const now = Date.UTC(2026, 0, 31, 8);
const day = 86_400_000;
const life = { notBeforeMs: now - 1000, notAfterMs: now + day };

async function authority(keys: Keys, commonName = 'test-ca', span = life): Promise<Issuer> {
  const key = await keys.generateKey(commonName);
  const certificatePem = await keys.issueCertificate({
    subject: { commonName },
    publicKey: key,
    isCertificateAuthority: true,
    usages: ['digital signature', 'key encipherment', 'cert sign', 'crl sign'],
    ...span,
  });
  return { key, certificatePem };
}

async function leaf(keys: Keys, ca: Issuer, commonName: string, names?: SubjectNames, span = life) {
  const key = await keys.generateKey(commonName);
  const request = {
    subject: { commonName, organizations: ['system:masters', 'Größe, "x"'] },
    names,
    publicKey: key,
    usages: ['digital signature', 'server auth', 'client auth'],
    ...span,
  } as const;
  return { key, pem: await keys.issueCertificate(request, ca), request };
}

for (const [name, make, algorithm] of kinds) {
  test(`${name}: digests, MACs, comparison, secrets`, () => {
    const keys = make();
    const hex = (data: Uint8Array) => Buffer.from(data).toString('hex');
    assert.equal(hex(keys.digest('sha1', 'abc')), 'a9993e364706816aba3e25717850c26c9cd0d89d');
    assert.equal(hex(keys.digest('sha256', '')).slice(0, 16), 'e3b0c44298fc1c14');
    assert.equal(hex(keys.digest('sha512', Buffer.from('abc'))).slice(0, 16), 'ddaf35a193617aba');
    // RFC 4231, test case 2.
    assert.equal(
      hex(keys.hmac(Buffer.from('Jefe'), 'what do ya want for nothing?')),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
    assert.ok(keys.equal(Buffer.from('abc'), Buffer.from('abc')));
    assert.ok(!keys.equal(Buffer.from('abc'), Buffer.from('abd')));
    assert.ok(!keys.equal(Buffer.from('abc'), Buffer.from('ab')));
    assert.equal(keys.secret(45).length, 45);
    assert.notDeepEqual(keys.secret(16), keys.secret(16));
  });

  test(`${name}: signs and verifies, and a signature fits one key, text and algorithm alone`, async () => {
    const keys = make();
    const key = await keys.generateKey('sa');
    const other = await keys.generateKey('other');
    assert.equal(key.algorithm, algorithm);
    assert.match(key.keyId, /^[\w-]{43}$/);
    const signature = keys.sign(key, 'text');
    assert.equal(signature.length, 64);
    const { algorithm: alg, publicKeyPem } = key;
    assert.ok(keys.verify(publicKeyPem, alg, 'text', signature));
    assert.ok(keys.verify(publicKeyPem, alg, Buffer.from('text'), signature));
    assert.ok(!keys.verify(publicKeyPem, alg, 'texT', signature));
    assert.ok(!keys.verify(other.publicKeyPem, alg, 'text', signature));
    assert.ok(!keys.verify(publicKeyPem, 'RS256', 'text', signature));
    assert.ok(!keys.verify(publicKeyPem, alg, 'text', signature.subarray(1)));
    assert.ok(!keys.verify('no key', alg, 'text', signature));
  });

  test(`${name}: keys survive PEM, and do not show themselves`, async () => {
    const keys = make();
    const key = await keys.generateKey('sa');
    const copy = keys.importKey(key.privateKeyPem());
    assert.equal(copy.keyId, key.keyId);
    assert.ok(keys.verify(key.publicKeyPem, key.algorithm, 'x', keys.sign(copy, 'x')));
    assert.equal(keys.importPublicKey(key.publicKeyPem).keyId, key.keyId);
    const secret = key.privateKeyPem().split('\n')[1]!.slice(0, 40);
    for (const shown of [JSON.stringify(key), inspect(key, { depth: 9, showHidden: true }), String(key)]) {
      assert.ok(!shown.includes(secret) && !shown.includes('PRIVATE'));
    }
    // A pair that another implementation made.
    const foreign: KeyPair = { ...key, privateKeyPem: () => key.privateKeyPem() };
    assert.ok(keys.verify(key.publicKeyPem, key.algorithm, 'x', keys.sign(foreign, 'x')));
  });

  test(`${name}: a certificate says what was asked for, to us and to OpenSSL`, async () => {
    const keys = make();
    const ca = await authority(keys);
    const names = { dns: ['kubernetes', '*.example.com'], ip: ['10.96.0.1', '::1', '2001:0db8:0:0::01'] };
    const { key, pem, request } = await leaf(keys, ca, 'system:node:a', names);
    const parsed = keys.parseCertificate(pem);
    assert.deepEqual(parsed.subject, request.subject);
    assert.deepEqual(parsed.issuer, { commonName: 'test-ca' });
    assert.deepEqual(parsed.names, { dns: names.dns, ip: ['10.96.0.1', '::1', '2001:db8::1'] });
    assert.equal(parsed.notBeforeMs, now - 1000);
    assert.equal(parsed.notAfterMs, now + day);
    assert.equal(parsed.isCertificateAuthority, false);
    assert.deepEqual(parsed.extendedUsages, ['server auth', 'client auth']);
    assert.equal(parsed.publicKeyPem, key.publicKeyPem);
    assert.match(parsed.serialNumber, /^[4-7][0-9a-f]{31}$/);
    assert.equal(keys.parseCertificate(ca.certificatePem).isCertificateAuthority, true);

    const openssl = new X509Certificate(pem);
    assert.equal(openssl.serialNumber.toLowerCase(), parsed.serialNumber);
    assert.equal(openssl.fingerprint256.replaceAll(':', '').toLowerCase(), parsed.fingerprint);
    assert.equal(openssl.validToDate.getTime(), now + day);
    assert.deepEqual(openssl.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    assert.equal(openssl.checkHost('kubernetes'), 'kubernetes');
    assert.equal(openssl.checkIP('2001:db8::1'), '2001:db8::1');
    assert.ok(openssl.subject.includes('O=system:masters\n'));
    assert.equal(openssl.ca, false);
    assert.equal(new X509Certificate(ca.certificatePem).ca, true);
    assert.ok(openssl.checkIssued(new X509Certificate(ca.certificatePem)));
    assert.equal(openssl.subject.includes('OU=fixed keys'), name === 'FixedKeys');
  });

  test(`${name}: isIssuedBy wants the right key, an authority, and both in date`, async () => {
    const keys = make();
    const ca = await authority(keys, 'ca');
    const { pem } = await leaf(keys, ca, 'a');
    assert.ok(keys.isIssuedBy(pem, ca.certificatePem, now));
    assert.ok(keys.isIssuedBy(ca.certificatePem, ca.certificatePem, now));
    assert.ok(!keys.isIssuedBy(pem, ca.certificatePem, now + day + 1));
    assert.ok(!keys.isIssuedBy(pem, ca.certificatePem, now - 1001));
    assert.ok(!keys.isIssuedBy(pem, pem, now));
    assert.ok(!keys.isIssuedBy('rubbish', ca.certificatePem, now));
    const namesake = new NodeKeys();
    assert.ok(!keys.isIssuedBy(pem, (await authority(namesake, 'ca')).certificatePem, now));
    const leafAsIssuer = await leaf(keys, { key: ca.key, certificatePem: pem }, 'b');
    assert.ok(!keys.isIssuedBy(leafAsIssuer.pem, pem, now));
    const expired = await authority(keys, 'ca', { notBeforeMs: now - day, notAfterMs: now - 1000 });
    const outlived = await leaf(keys, expired, 'c');
    assert.ok(!keys.isIssuedBy(outlived.pem, expired.certificatePem, now));
  });

  test(`${name}: a signing request comes back as it was made, and only with its own signature`, async () => {
    const keys = make();
    const key = await keys.generateKey('node');
    const subject = { commonName: 'system:node:a', organizations: ['system:nodes'] };
    const names = { dns: ['a.example.com'], ip: ['10.0.0.7'] };
    const pem = await keys.createCertificateSigningRequest(key, subject, names);
    const parsed = await keys.parseCertificateSigningRequest(pem);
    assert.deepEqual(parsed, { subject, names, otherNames: [], publicKeyPem: key.publicKeyPem });
    const bare = await keys.createCertificateSigningRequest(key, { commonName: 'x' });
    assert.deepEqual((await keys.parseCertificateSigningRequest(bare)).names, {});

    // One changed letter of the name: well-formed, but no longer what was signed.
    const der = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64');
    der.write('z', der.indexOf('system:node:a') + 12);
    const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    await assert.rejects(keys.parseCertificateSigningRequest(forged), /not signed by its own key/);
  });

  test(`${name}: TLS with client certificates works over what it issues`, async () => {
    const keys = make();
    const span = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + day };
    const ca = await authority(keys, 'tls-ca', span);
    const server = await leaf(keys, ca, 'server', { dns: ['localhost'], ip: ['127.0.0.1'] }, span);
    const client = await leaf(keys, ca, 'client', undefined, span);
    const listening = tls.createServer(
      {
        ...{ key: server.key.privateKeyPem(), cert: server.pem, ca: ca.certificatePem },
        ...{ requestCert: true, rejectUnauthorized: true },
      },
      (socket) => socket.end(`${socket.getPeerX509Certificate()}`),
    );
    listening.listen(0, '127.0.0.1');
    await once(listening, 'listening');
    const { port } = listening.address() as { port: number };
    const socket = tls.connect({
      ...{ host: '127.0.0.1', port, servername: 'localhost', ca: ca.certificatePem },
      ...{ key: client.key.privateKeyPem(), cert: client.pem },
    });
    let seen = '';
    socket.setEncoding('utf8').on('data', (text) => {
      seen += text;
    });
    await once(socket, 'end');
    assert.ok(socket.authorized);
    assert.equal(keys.parseCertificate(seen).subject.commonName, 'client');
    socket.destroy();
    listening.close();
  });
}

test('fixed keys: the same seed gives the same bytes, another seed others', async () => {
  const make = async (seed: number) => {
    const keys = new FixedKeys(seed);
    const ca = await authority(keys);
    const { key, pem } = await leaf(keys, ca, 'a', { dns: ['a'] });
    return [ca.certificatePem, pem, key.privateKeyPem(), keys.secret(40), keys.secret(40), keys.sign(key, 'x')];
  };
  const [one, again, two] = [await make(1), await make(1), await make(2)];
  assert.deepEqual(one, again);
  for (const [i, part] of one.entries()) assert.notDeepEqual(part, two[i]);
  const keys = new FixedKeys(1);
  keys.secret(5);
  const copy = new FixedKeys(1, keys.state());
  assert.deepEqual(copy.secret(33), keys.secret(33));
});

test('serial numbers: as given, or refused', async () => {
  const keys = new NodeKeys();
  const key = await keys.generateKey('x');
  const issue = (serialNumber: string) =>
    keys.issueCertificate({ subject: { commonName: 'x' }, publicKey: key, usages: [], serialNumber, ...life });
  for (const [given, read] of [
    ['1', '01'],
    ['80', '80'],
    ['00ff', 'ff'],
    ['ABCDEF0123456789abcdef0123456789', 'abcdef0123456789abcdef0123456789'],
  ] as const) {
    assert.equal(keys.parseCertificate(await issue(given)).serialNumber, read);
    assert.equal(new X509Certificate(await issue(given)).serialNumber.toLowerCase(), read);
  }
  for (const bad of ['0', 'x', '-1', 'f'.repeat(41)]) await assert.rejects(issue(bad), KeyError);
});

test('validity beyond 2049 and an empty subject are written as RFC 5280 wants them', async () => {
  const keys = new NodeKeys();
  const key = await keys.generateKey('x');
  const far = Date.UTC(2075, 5, 1);
  const pem = await keys.issueCertificate({
    subject: { commonName: '' },
    names: { dns: ['a'] },
    publicKey: key,
    usages: ['server auth'],
    notBeforeMs: now,
    notAfterMs: far + 999,
  });
  assert.equal(keys.parseCertificate(pem).notAfterMs, far);
  assert.equal(new X509Certificate(pem).validToDate.getTime(), far);
  assert.deepEqual(keys.parseCertificate(pem).subject, { commonName: '' });
});

test('RSA keys and keys on other curves', async () => {
  const keys = new NodeKeys();
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  for (const type of ['pkcs1', 'pkcs8'] as const) {
    const key = keys.importKey(rsa.export({ type, format: 'pem' }) as string);
    assert.equal(key.algorithm, 'RS256');
    assert.ok(keys.verify(key.publicKeyPem, 'RS256', 'x', keys.sign(key, 'x')));
    assert.ok(!keys.verify(key.publicKeyPem, 'ES256', 'x', keys.sign(key, 'x')));
    const ca = { key, certificatePem: (await authority(keys)).certificatePem };
    const pem = await keys.issueCertificate(
      { subject: { commonName: 'x' }, publicKey: key.publicKeyPem, usages: ['client auth'], ...life },
      ca,
    );
    assert.ok(new X509Certificate(pem).verify(createPublicKey(key.publicKeyPem)));
  }
  const sec1 = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'sec1', format: 'pem' });
  assert.equal(keys.importKey(sec1 as string).algorithm, 'ES256');
  const wide = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ type: 'sec1', format: 'pem' });
  assert.throws(() => keys.importKey(wide as string), /secp384r1/);
});

test('bad input is a KeyError that does not repeat it', async () => {
  const keys = new NodeKeys();
  const key = await keys.generateKey('x');
  const wrapped = (label: string, body: string) => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
  const rubbish = Buffer.from('0123456789 secret').toString('base64');
  for (const text of ['', 'secret', wrapped('PRIVATE KEY', rubbish), wrapped('CERTIFICATE', rubbish)]) {
    assert.throws(
      () => keys.importKey(text),
      (e: Error) => e instanceof KeyError && !e.message.includes('secret'),
    );
    assert.throws(() => keys.importPublicKey(text), KeyError);
    assert.throws(() => keys.parseCertificate(text), KeyError);
    await assert.rejects(keys.parseCertificateSigningRequest(text), KeyError);
  }
  await assert.rejects(keys.parseCertificateSigningRequest(wrapped('CERTIFICATE REQUEST', rubbish)), KeyError);
  const bad: SubjectNames[] = [{ dns: ['a b'] }, { dns: [''] }, { dns: ['a..b'] }, { ip: ['10.0.0'] }, { ip: ['x'] }];
  for (const names of bad) {
    const request = { subject: { commonName: 'x' }, names, publicKey: key, usages: [], ...life };
    await assert.rejects(keys.issueCertificate(request), KeyError);
  }
  const noSigner = { subject: { commonName: 'x' }, publicKey: key.publicKeyPem, usages: [], ...life };
  await assert.rejects(keys.issueCertificate(noSigner), /key pair that signs/);
});

test('truncated and altered certificates and requests never crash the reader', async () => {
  const keys = new FixedKeys(3);
  const { pem, key } = await leaf(keys, await authority(keys), 'a', { dns: ['a'], ip: ['::1'] });
  const request = await keys.createCertificateSigningRequest(key, { commonName: 'a' }, { dns: ['a'] });
  for (const [label, text] of [
    ['CERTIFICATE', pem],
    ['CERTIFICATE REQUEST', request],
  ] as const) {
    const der = Buffer.from(text.split('\n').slice(1, -2).join(''), 'base64');
    for (let at = 0; at < der.length; at++) {
      const altered = Buffer.from(der);
      altered[at]! ^= 1 << (at % 8);
      for (const bytes of [altered, der.subarray(0, at)]) {
        const bad = `-----BEGIN ${label}-----\n${bytes.toString('base64')}\n-----END ${label}-----\n`;
        if (label === 'CERTIFICATE') {
          try {
            keys.parseCertificate(bad);
          } catch (error) {
            assert.ok(error instanceof KeyError, `${at}: ${error}`);
          }
        } else await assert.rejects(keys.parseCertificateSigningRequest(bad), KeyError, `${at}`);
      }
    }
  }
});

const openssl = spawnSync('openssl', ['version']).status === 0;

test('the openssl command reads our requests, and we read its own', { skip: !openssl && 'no openssl' }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'));
  try {
    const keys = new NodeKeys();
    const key = await keys.generateKey('x');
    const pem = await keys.createCertificateSigningRequest(
      key,
      { commonName: 'system:node:a', organizations: ['system:nodes'] },
      { dns: ['a.example.com'], ip: ['10.0.0.7'] },
    );
    const text = execFileSync('openssl', ['req', '-noout', '-text', '-verify'], {
      input: pem,
      stdio: ['pipe', 'pipe', 'ignore'],
    }).toString();
    assert.match(text, /DNS:a\.example\.com, IP Address:10\.0\.0\.7/);
    assert.match(text, /O ?= ?system:nodes, CN ?= ?system:node:a/);

    for (const algorithm of [
      ['EC', 'ec_paramgen_curve:P-384'],
      ['RSA', 'rsa_keygen_bits:2048'],
    ] as const) {
      const made = execFileSync(
        'openssl',
        [
          ...['req', '-new', '-nodes', '-newkey', algorithm[0], '-pkeyopt', algorithm[1], '-sha384'],
          ...['-keyout', join(folder, 'key.pem'), '-subj', '/O=one/O=two/CN=user'],
          ...['-addext', 'subjectAltName=DNS:b,IP:fe80::1,email:me@b,URI:spiffe://b'],
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      ).toString();
      const parsed = await keys.parseCertificateSigningRequest(made);
      assert.deepEqual(parsed.subject, { commonName: 'user', organizations: ['one', 'two'] });
      assert.deepEqual(parsed.names, { dns: ['b'], ip: ['fe80::1'] });
      assert.deepEqual(parsed.otherNames, ['me@b', 'spiffe://b']);
    }
    const ca = await authority(keys);
    writeFileSync(join(folder, 'ca.pem'), ca.certificatePem);
    writeFileSync(join(folder, 'leaf.pem'), (await leaf(keys, ca, 'a', { dns: ['a'] })).pem);
    const at = ['-attime', String(now / 1000), '-x509_strict', '-CAfile', join(folder, 'ca.pem')];
    execFileSync('openssl', ['verify', ...at, join(folder, 'leaf.pem')]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
