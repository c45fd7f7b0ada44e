import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import { createCluster } from '../../../../testing/create-cluster.ts';
import { secrets, serviceAccounts, tokenReviews } from '../../../resources.ts';
import type { TokenReview } from '../../../types/authentication/v1.generated.ts';
import type { Secret, ServiceAccount } from '../../../types/core/v1.generated.ts';
import { plan } from './tokens.ts';

const account = { metadata: { name: 'bot', namespace: 'n', uid: 'bu' } } as unknown as Live<ServiceAccount>;
const secret = (data: Record<string, string>, metadata: object = {}) =>
  ({
    metadata: { name: 't', namespace: 'n', annotations: { 'kubernetes.io/service-account.uid': 'bu' }, ...metadata },
    type: 'kubernetes.io/service-account-token',
    data,
  }) as unknown as Live<Secret>;

test('what a Secret of an account lacks', () => {
  const full = { 'ca.crt': btoa('ca'), namespace: btoa('n'), token: 'dA==' };
  const cases: [string, Live<Secret>, Live<ServiceAccount> | undefined, string | undefined][] = [
    ['everything', secret({}), account, 'fill ca.crt,namespace and a token'],
    ['nothing', secret(full), account, undefined],
    ['the present authority', secret({ ...full, 'ca.crt': btoa('old') }), account, 'fill ca.crt'],
    ['its mark', secret(full, { annotations: {} }), account, 'fill '],
    ['its account', secret(full), undefined, 'delete'],
    ['nothing more: it goes', secret({}, { deletionTimestamp: 'now' }), undefined, undefined],
  ];
  for (const [what, one, of, wanted] of cases) {
    const [action] = plan({ secret: one, account: of, rootAuthorityPem: 'ca' }).actions;
    const told =
      action?.type === 'fill'
        ? `fill ${Object.keys(action.data)}${action.needsToken ? ' and a token' : ''}`
        : action?.type;
    assert.equal(told, wanted, what);
  }
});

test('a token in a Secret stands for its account until either is gone', async () => {
  await using cluster = await createCluster({ seed: 'tokens' });
  const accounts = cluster.client.resource(serviceAccounts).namespace('default');
  const inDefault = cluster.client.resource(secrets).namespace('default');
  await accounts.create({ metadata: { name: 'bot' } });
  const make = (name: string) =>
    inDefault.create({
      metadata: { name, annotations: { 'kubernetes.io/service-account.name': 'bot' } },
      type: 'kubernetes.io/service-account-token',
    });
  const tokenOf = (name: string) => cluster.until(async () => (await inDefault.get(name)).data?.['token']);
  const userOf = async (token: string) => {
    const review = { metadata: {}, spec: { token: atob(token) } } as TokenReview;
    return (await cluster.client.resource(tokenReviews).create(review)).status?.user?.username;
  };
  await make('one');
  await make('two');
  const [one, two] = [await tokenOf('one'), await tokenOf('two')];
  assert.equal(await userOf(one), 'system:serviceaccount:default:bot');
  assert.match(atob((await inDefault.get('one')).data?.['ca.crt'] ?? ''), /BEGIN CERTIFICATE/);
  await inDefault.delete('one');
  assert.equal(await userOf(one), undefined);
  assert.equal(await userOf(two), 'system:serviceaccount:default:bot');
  await accounts.delete('bot');
  await cluster.until(async () => (await inDefault.list()).items.length === 0);
  assert.equal(await userOf(two), undefined);
});
