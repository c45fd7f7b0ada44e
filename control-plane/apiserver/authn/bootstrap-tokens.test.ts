import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FixedKeys } from '../../../libs/base/node/fixed-keys.ts';
import { VirtualClock } from '../../../libs/base/virtual-clock.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import { isUnauthorized } from '../../../libs/machinery/errors.ts';
import type { ApiRequest } from '../api.ts';
import { bootstrapTokenAuthenticator } from './bootstrap-tokens.ts';

const SECRET = {
  'token-id': 'abcdef',
  'token-secret': '0123456789abcdef',
  'usage-bootstrap-authentication': 'true',
};

function authenticate(authorization: string | undefined, fields: Record<string, string> = {}) {
  const data = Object.fromEntries(Object.entries({ ...SECRET, ...fields }).map(([key, text]) => [key, btoa(text)]));
  const metadata = { name: 'bootstrap-token-abcdef', namespace: 'kube-system' };
  const stored = { metadata, type: 'bootstrap.kubernetes.io/token', data };
  const registry = {
    get: async (_ref: unknown, namespace: string, name: string) =>
      namespace === 'kube-system' && name === metadata.name ? stored : undefined,
  } as unknown as Registry;
  const clock = new VirtualClock({ startMs: Date.parse('2026-01-01T00:00:00Z'), turn: async () => {} });
  const authenticator = bootstrapTokenAuthenticator({ keys: new FixedKeys('x'), clock }, () => registry);
  return authenticator.authenticate({ headers: { ...(authorization ? { authorization } : {}) } } as ApiRequest);
}

test('a good token stands for a user of its own', async () => {
  const groups = 'system:bootstrappers:tutti:default-node-token';
  const user = await authenticate('Bearer abcdef.0123456789abcdef', { 'auth-extra-groups': groups });
  assert.deepEqual(user, { name: 'system:bootstrap:abcdef', groups: ['system:bootstrappers', groups], extra: {} });
  assert.ok(await authenticate('Bearer abcdef.0123456789abcdef', { expiration: '2026-01-01T00:00:01Z' }));
});

test('other credentials are for others to judge', async () => {
  for (const header of [undefined, 'Basic abcdef.0123456789abcdef', 'Bearer a.b.c', 'Bearer abcdef.0123']) {
    assert.equal(await authenticate(header), undefined, String(header));
  }
});

test('what looks like a token and is not good is refused', async () => {
  const cases: [string, string, Record<string, string>][] = [
    ['a wrong secret', 'abcdef.0123456789abcdex', {}],
    ['no such token', 'uvwxyz.0123456789abcdef', {}],
    ['expired', 'abcdef.0123456789abcdef', { expiration: '2026-01-01T00:00:00Z' }],
    ['not for this', 'abcdef.0123456789abcdef', { 'usage-bootstrap-authentication': 'false' }],
    ['groups that are not its to give', 'abcdef.0123456789abcdef', { 'auth-extra-groups': 'system:masters' }],
  ];
  for (const [what, token, fields] of cases) {
    await assert.rejects(async () => authenticate(`Bearer ${token}`, fields), isUnauthorized, what);
  }
});
