import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import type { KeyPair } from '../base/keys.ts';
import { NodeKeys } from '../base/node/node-keys.ts';
import { virtualTest } from '../testing/virtual-test.ts';
import { jsonWebKey, jsonWebKeySet, openidConfiguration } from './jwks.ts';
import { audiencesOf, decodeJwt, type JwtClaims, signJwt, verifySignature } from './jwt.ts';
import { JwtVerifier } from './jwt-verifier.ts';
import {
  boundTokenClaims,
  isServiceAccountIssuer,
  legacyTokenClaims,
  matchAudiences,
  readServiceAccountToken,
  type TokenOrder,
  userOf,
} from './service-account-token.ts';

const { keys, clock } = virtualTest();
const real = new NodeKeys();
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
const pairs: KeyPair[] = [await keys.generateKey('sa'), await real.generateKey('sa'), real.importKey(rsa as string)];
const [key, es256] = pairs as [KeyPair, KeyPair];
const now = Math.floor(clock.now() / 1000);
const issuer = 'https://kubernetes.default.svc.cluster.local';

for (const pair of pairs) {
  test(`${pair.algorithm}: what is signed is verified, and only by its key`, async () => {
    const token = signJwt(real, pair, { iss: 'me', sub: 'ä', n: 1 });
    const verified = verifySignature(real, token, pairs);
    assert.deepEqual(verified?.claims, { iss: 'me', sub: 'ä', n: 1 });
    assert.deepEqual(verified?.header, { alg: pair.algorithm, kid: pair.keyId });
    assert.equal(verified?.key, pair);
    assert.equal(
      verifySignature(
        real,
        token,
        pairs.filter((other) => other !== pair),
      ),
      undefined,
    );
    const other = await real.generateKey('other');
    assert.equal(verifySignature(real, token, [{ ...other, keyId: pair.keyId }]), undefined);
    const [head, body, tail] = token.split('.') as [string, string, string];
    const forged = Buffer.from('{"sub":"admin"}').toString('base64url');
    assert.equal(verifySignature(real, `${head}.${forged}.${tail}`, pairs), undefined);
    assert.equal(verifySignature(real, `${head}.${body}.`, pairs), undefined);
  });
}

const withHeader = (header: object, signer = key) => {
  const signed = [header, { sub: 'x' }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${signed}.${Buffer.from(keys.sign(signer, signed)).toString('base64url')}`;
};

test('the header chooses neither the algorithm nor none', () => {
  assert.ok(verifySignature(keys, withHeader({ alg: 'EdDSA', kid: key.keyId }), [key]));
  assert.ok(verifySignature(keys, withHeader({ alg: 'EdDSA', typ: 'JWT' }), [es256, key]), 'without kid all are tried');
  for (const header of [
    { alg: 'none', kid: key.keyId },
    { alg: 'ES256', kid: key.keyId },
    { alg: 'HS256' },
    { alg: 'EdDSA', kid: 'another' },
    { alg: 'EdDSA', crit: ['exp'] },
    { kid: key.keyId },
    { alg: 'EdDSA', kid: 5 },
  ]) {
    assert.equal(verifySignature(keys, withHeader(header), [key]), undefined, JSON.stringify(header));
  }
});

test('text that is no token', () => {
  const token = signJwt(keys, key, { sub: 'x' });
  const [head, , tail] = token.split('.');
  const body = (value: unknown) => `${head}.${Buffer.from(JSON.stringify(value)).toString('base64url')}.${tail}`;
  const bad = ['', 'x', 'a.b', 'a.b.c', `${token}.x`, `${token}=`, ` ${token}`, `.${token}`, 'x'.repeat(100_000)];
  const wrong = [1, null, [], 'x', { exp: '5' }, { sub: 5 }, { aud: [5] }, { aud: {} }, { jti: null }, { nbf: true }];
  for (const text of [
    ...bad,
    ...wrong.map(body),
    `${head}.${Buffer.from([0x22, 0xff, 0x22]).toString('base64url')}.${tail}`,
  ]) {
    assert.equal(decodeJwt(text), undefined, text.slice(0, 80));
  }
  assert.deepEqual(decodeJwt(token)?.claims, { sub: 'x' });
  assert.deepEqual(audiencesOf({ aud: 'a' }), ['a']);
  assert.deepEqual(audiencesOf({ aud: ['a', 'b'] }), ['a', 'b']);
  assert.deepEqual(audiencesOf({}), []);
});

test('the verifier looks at times with a minute of leeway, also for what it remembers', () => {
  const t = virtualTest();
  const at = (claims: JwtClaims, offsetSeconds: number) => {
    const verifier = new JwtVerifier({ keys, clock: { now: () => (now + offsetSeconds) * 1000 }, publicKeys: [key] });
    const verdict = verifier.verify(signJwt(keys, key, claims));
    return verdict.ok ? 'ok' : verdict.why;
  };
  const table: [JwtClaims, number, string][] = [
    [{ exp: now }, 60, 'ok'],
    [{ exp: now }, 61, 'expired'],
    [{ nbf: now }, -60, 'ok'],
    [{ nbf: now }, -61, 'not valid yet'],
    [{ iat: now }, -61, 'not valid yet'],
    [{ exp: now + 10, nbf: now, iat: now }, 5, 'ok'],
    [{}, 1e9, 'ok'],
  ];
  for (const [claims, offset, verdict] of table)
    assert.equal(at(claims, offset), verdict, JSON.stringify([claims, offset]));

  const verifier = new JwtVerifier({ keys, clock: t.clock, publicKeys: [key], leewayMs: 0 });
  const token = signJwt(keys, key, { exp: Math.floor(t.clock.now() / 1000) + 10 });
  assert.ok(verifier.verify(token).ok);
  t.clock.jump(11_000);
  assert.deepEqual(verifier.verify(token), { ok: false, why: 'expired' });
  assert.equal(verifier.remembered, 0, 'what has expired is forgotten');
});

test('the verifier remembers what held, within its bound, and nothing that did not', () => {
  let verified = 0;
  const counting = Object.create(keys, {
    verify: { value: (...args: Parameters<typeof keys.verify>) => (verified++, keys.verify(...args)) },
  });
  const verifier = new JwtVerifier({ keys: counting, clock, publicKeys: [key], rememberedMax: 2 });
  const [a, b, c] = ['a', 'b', 'c'].map((sub) => signJwt(keys, key, { sub })) as [string, string, string];
  const first = verifier.verify(a);
  assert.deepEqual(verifier.verify(a), first);
  assert.equal(verified, 1);
  assert.ok(first.ok && Object.isFrozen(first.claims) && first.keyId === key.keyId);
  verifier.verify(b);
  verifier.verify(a);
  verifier.verify(c);
  assert.equal(verifier.remembered, 2);
  assert.equal(verified, 3);
  verifier.verify(a);
  assert.equal(verified, 3, 'the least recently used was forgotten');
  verifier.verify(b);
  assert.equal(verified, 4);
  for (let i = 0; i < 5; i++) assert.equal(verifier.verify(`${a.slice(0, -5)}AAAA${i}`).ok, false);
  assert.equal(verifier.remembered, 2);
});

const order: TokenOrder = {
  issuer,
  namespace: 'team',
  serviceAccount: { name: 'robot', uid: 'u-sa' },
  audiences: [issuer],
  expirationSeconds: 3600,
  id: 'u-jti',
};

test('a bound token has upstream’s claims', () => {
  const pod = { name: 'p', uid: 'u-p' };
  const node = { name: 'n', uid: 'u-n' };
  assert.deepEqual(boundTokenClaims({ ...order, pod, node, warnAfterSeconds: 3607 }, clock.now()), {
    aud: [issuer],
    exp: now + 3600,
    iat: now,
    iss: issuer,
    jti: 'u-jti',
    'kubernetes.io': {
      namespace: 'team',
      node,
      pod,
      serviceaccount: { name: 'robot', uid: 'u-sa' },
      warnafter: now + 3607,
    },
    nbf: now,
    sub: 'system:serviceaccount:team:robot',
  });
  const bare = boundTokenClaims({ ...order, node: { name: 'n' } }, clock.now());
  assert.deepEqual(bare['kubernetes.io'], {
    namespace: 'team',
    node: { name: 'n' },
    serviceaccount: { name: 'robot', uid: 'u-sa' },
  });
  assert.throws(() => boundTokenClaims({ ...order, pod, secret: pod }, clock.now()), RangeError);
});

test('a bound token’s way: signed, verified, read, a user', () => {
  const claims = boundTokenClaims(
    { ...order, pod: { name: 'p', uid: 'u-p' }, node: { name: 'n', uid: 'u-n' }, warnAfterSeconds: 60 },
    clock.now(),
  );
  const verdict = new JwtVerifier({ keys, clock, publicKeys: [key] }).verify(signJwt(keys, key, claims));
  assert.ok(verdict.ok);
  const token = readServiceAccountToken(verdict.claims, [issuer]);
  assert.deepEqual(token, {
    kind: 'bound',
    namespace: 'team',
    serviceAccount: { name: 'robot', uid: 'u-sa' },
    audiences: [issuer],
    pod: { name: 'p', uid: 'u-p' },
    node: { name: 'n', uid: 'u-n' },
    id: 'u-jti',
    expiresAtMs: (now + 3600) * 1000,
    warnAfterMs: (now + 60) * 1000,
  });
  assert.deepEqual(userOf(token), {
    username: 'system:serviceaccount:team:robot',
    uid: 'u-sa',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:team'],
    extra: {
      'authentication.kubernetes.io/credential-id': ['JTI=u-jti'],
      'authentication.kubernetes.io/node-name': ['n'],
      'authentication.kubernetes.io/node-uid': ['u-n'],
      'authentication.kubernetes.io/pod-name': ['p'],
      'authentication.kubernetes.io/pod-uid': ['u-p'],
    },
  });
  assert.deepEqual(matchAudiences(token, ['other', issuer]), [issuer]);
  assert.deepEqual(matchAudiences(token, ['other']), []);
});

test('a legacy token’s claims, and its user', () => {
  const claims = legacyTokenClaims('team', { name: 'robot', uid: 'u-sa' }, 'robot-token');
  assert.deepEqual(claims, {
    iss: 'kubernetes/serviceaccount',
    'kubernetes.io/serviceaccount/namespace': 'team',
    'kubernetes.io/serviceaccount/secret.name': 'robot-token',
    'kubernetes.io/serviceaccount/service-account.name': 'robot',
    'kubernetes.io/serviceaccount/service-account.uid': 'u-sa',
    sub: 'system:serviceaccount:team:robot',
  });
  const token = readServiceAccountToken(claims, [issuer]);
  assert.ok(token?.kind === 'legacy' && token.secret?.name === 'robot-token');
  assert.deepEqual(userOf(token).extra, {});
  assert.deepEqual(matchAudiences(token, ['a', 'b']), ['a', 'b']);
});

test('claims that make no service account', () => {
  const good = boundTokenClaims(order, clock.now());
  const own = good['kubernetes.io'] as object;
  assert.ok(readServiceAccountToken(good, ['x', issuer]));
  const bad: JwtClaims[] = [
    {},
    { ...good, iss: 'https://elsewhere' },
    { ...good, iss: 'kubernetes/serviceaccount' },
    { ...good, sub: 'system:serviceaccount:team:other' },
    { ...good, sub: undefined },
    { ...good, 'kubernetes.io': undefined },
    { ...good, 'kubernetes.io': [] },
    { ...good, 'kubernetes.io': { ...own, namespace: '' } },
    { ...good, 'kubernetes.io': { ...own, serviceaccount: 'robot' } },
    { ...legacyTokenClaims('team', { name: 'robot', uid: 'u' }, 's'), iss: issuer },
    legacyTokenClaims('team', { name: 'robot' }, 's'),
  ];
  for (const claims of bad) assert.equal(readServiceAccountToken(claims, [issuer]), undefined, JSON.stringify(claims));
  assert.ok(isServiceAccountIssuer(issuer, [issuer]) && isServiceAccountIssuer('kubernetes/serviceaccount', []));
  assert.ok(!isServiceAccountIssuer('https://elsewhere', [issuer]) && !isServiceAccountIssuer(undefined, [issuer]));
});

test('the key set is what Node makes of the same keys', () => {
  for (const pair of pairs) {
    const { use, kid, alg, ...rest } = jsonWebKey(pair);
    assert.deepEqual(rest, createPublicKey(pair.publicKeyPem).export({ format: 'jwk' }));
    assert.deepEqual([use, kid, alg], ['sig', pair.keyId, pair.algorithm]);
  }
  assert.equal(jsonWebKeySet(pairs).keys.length, 3);
  assert.deepEqual(openidConfiguration(issuer, 'https://10.0.0.7:6443/openid/v1/jwks', [...pairs, key]), {
    issuer,
    jwks_uri: 'https://10.0.0.7:6443/openid/v1/jwks',
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256', 'EdDSA', 'RS256'],
  });
  assert.throws(() => jsonWebKey({ ...key, publicKeyPem: 'x' }), { name: 'KeyError' });
});
