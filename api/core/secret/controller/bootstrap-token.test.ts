import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { FixedKeys } from '../../../../libs/base/node/fixed-keys.ts';
import type { Live } from '../../../../libs/kind/object.ts';
import { createCluster } from '../../../../testing/create-cluster.ts';
import { configMaps, secrets } from '../../../resources.ts';
import type { ConfigMap, Secret } from '../../../types/core/v1.generated.ts';
import { type BootstrapToken, bootstrapTokenOf, parseBootstrapToken } from '../bootstrap-token.ts';
import { detachedSignature, plan as planSignatures } from './bootstrap-signer.ts';
import { plan as planCleaning } from './token-cleaner.ts';

const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
const FIELDS = {
  'token-id': 'abcdef',
  'token-secret': '0123456789abcdef',
  'usage-bootstrap-authentication': 'true',
  'usage-bootstrap-signing': 'true',
};

const secret = (fields: Record<string, string>, name = 'bootstrap-token-abcdef'): Secret => ({
  metadata: { name, namespace: 'kube-system' },
  type: 'bootstrap.kubernetes.io/token',
  data: Object.fromEntries(Object.entries({ ...FIELDS, ...fields }).map(([key, text]) => [key, btoa(text)])),
});
const tokenOf = (fields: Record<string, string> = {}, name?: string) =>
  bootstrapTokenOf(secret(fields, name) as Live<Secret>);

test('which Secrets hold a token, and what it may do', () => {
  const token = tokenOf({ 'auth-extra-groups': 'system:bootstrappers:b,system:bootstrappers:a' });
  assert.deepEqual(token?.groups, ['system:bootstrappers', 'system:bootstrappers:a', 'system:bootstrappers:b']);
  assert.deepEqual([token?.authenticates, token?.signs, token?.expiresMs], [true, true, undefined]);
  assert.equal(tokenOf({ 'usage-bootstrap-signing': 'yes' })?.signs, false);
  assert.equal(tokenOf({ 'auth-extra-groups': 'system:masters' })?.groups, undefined);
  assert.equal(tokenOf({ expiration: '2026-01-01T01:00:00Z' })?.expiresMs, NOW_MS + 3_600_000);
  assert.equal(tokenOf({ expiration: 'soon' })?.expiresMs, 0, 'an end that nobody can read has come');
  assert.equal(tokenOf({ 'token-secret': 'short' }), undefined);
  assert.equal(tokenOf({}, 'bootstrap-token-uvwxyz'), undefined);
  assert.equal(bootstrapTokenOf({ ...secret({}), type: 'Opaque' } as Live<Secret>), undefined);
  assert.deepEqual(parseBootstrapToken('abcdef.0123456789abcdef'), { id: 'abcdef', secret: '0123456789abcdef' });
  for (const text of ['abcdef', 'ABCDEF.0123456789abcdef', 'abcdef.0123456789abcdef\n']) {
    assert.equal(parseBootstrapToken(text), undefined, text);
  }
});

test('what is signed for whom', () => {
  const info = (data: Record<string, string>) =>
    ({ metadata: { name: 'cluster-info' }, data }) as unknown as Live<ConfigMap>;
  const token = (fields: Record<string, string>) => tokenOf(fields) as BootstrapToken;
  const sign = (content: string, { id }: BootstrapToken) => `${content} by ${id}`;
  const cases: [string, Record<string, string>, BootstrapToken[], Record<string, string> | undefined][] = [
    ['a new token', { kubeconfig: 'k' }, [token({})], { kubeconfig: 'k', 'jws-kubeconfig-abcdef': 'k by abcdef' }],
    ['signed already', { kubeconfig: 'k', 'jws-kubeconfig-abcdef': 'k by abcdef' }, [token({})], undefined],
    [
      'new content',
      { kubeconfig: 'l', 'jws-kubeconfig-abcdef': 'k by abcdef' },
      [token({})],
      { kubeconfig: 'l', 'jws-kubeconfig-abcdef': 'l by abcdef' },
    ],
    [
      'the token is gone',
      { kubeconfig: 'k', 'jws-kubeconfig-abcdef': 'k by abcdef', more: 'm' },
      [],
      { kubeconfig: 'k', more: 'm' },
    ],
    ['it has expired', { kubeconfig: 'k' }, [token({ expiration: '2025-12-31T00:00:00Z' })], undefined],
    ['it does not sign', { kubeconfig: 'k' }, [token({ 'usage-bootstrap-signing': '' })], undefined],
    ['there is nothing to sign', {}, [token({})], undefined],
  ];
  for (const [what, data, tokens, wanted] of cases) {
    assert.deepEqual(planSignatures({ info: info(data), tokens, sign }, NOW_MS).actions[0]?.data, wanted, what);
  }
});

test('a signature is a JWS that anybody can check who knows the token', () => {
  const text = detachedSignature(new FixedKeys('x'), 'content', { id: 'abcdef', secret: '0123456789abcdef' });
  const [header = '', body, signature] = text.split('.');
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), { alg: 'HS256', kid: 'abcdef' });
  assert.equal(body, '');
  const signed = `${header}.${Buffer.from('content').toString('base64url')}`;
  assert.equal(signature, createHmac('sha256', '0123456789abcdef').update(signed).digest('base64url'));
});

test('when tokens go', () => {
  const look = (fields: Record<string, string>) =>
    planCleaning({ secret: secret(fields) as Live<Secret>, token: tokenOf(fields) as BootstrapToken }, NOW_MS);
  assert.deepEqual(look({}), { actions: [] });
  assert.equal(look({ expiration: '2026-01-01T00:00:10Z' }).againAfterMs, 10_000);
  assert.equal(look({ expiration: '2026-01-01T00:00:00Z' }).actions[0]?.type, 'delete');
});

test('cluster-info is signed as long as the token lives', async () => {
  await using cluster = await createCluster({ seed: 'join' });
  const maps = cluster.client.resource(configMaps).namespace('kube-public');
  await maps.create({ metadata: { name: 'cluster-info' }, data: { kubeconfig: 'content' } });
  const expiration = new Date(cluster.clock.now() + 600_000).toISOString();
  await cluster.client.resource(secrets).namespace('kube-system').create(secret({ expiration }));
  await cluster.until(async () => (await maps.get('cluster-info')).data?.['jws-kubeconfig-abcdef']);
  await cluster.advance('11m');
  assert.deepEqual((await maps.get('cluster-info')).data, { kubeconfig: 'content' });
  assert.deepEqual((await cluster.client.resource(secrets).namespace('kube-system').list()).items, []);
});
