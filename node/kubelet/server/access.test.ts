import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterRoleBindings, clusterRoles, serviceAccounts } from '../../../api/resources.ts';
import type { TokenRequest } from '../../../api/types/authentication/v1.generated.ts';
import { FixedKeys } from '../../../libs/base/node/fixed-keys.ts';
import { createCluster } from '../../../testing/index.ts';
import { KubeletAccess, subresourcesOf } from './access.ts';

test('what a path is called in RBAC', () => {
  const cases: [string, string][] = [
    ['/metrics', 'metrics'],
    ['/metrics/resource', 'metrics'],
    ['/stats/summary', 'stats'],
    ['/logs/x', 'log'],
    ['/pods', 'pods,proxy'],
    ['/configz', 'configz,proxy'],
    ['/healthz', 'healthz,proxy'],
    ['/exec/default/app/main', 'proxy'],
    ['/containerLogs/default/app/main', 'proxy'],
  ];
  for (const [path, expected] of cases) assert.equal(subresourcesOf(path).join(), expected, path);
});

test('tokens and certificates, reviewed by the API server', async () => {
  await using cluster = await createCluster({ seed: 1 });
  const { client, clock } = cluster;
  const allowed = { users: ['kube-apiserver-kubelet-client'], groups: ['system:masters'] };
  const access = new KubeletAccess({ client, clock, keys: new FixedKeys(1), nodeName: 'node-1', allowed });
  const accounts = client.resource(serviceAccounts).namespace('default');
  await accounts.create({ metadata: { name: 'scraper' } });
  const { status } = await accounts
    .subresource<TokenRequest>('token')
    .create({ metadata: {}, spec: { audiences: [] } } as never, { name: 'scraper' });
  const authorization = `Bearer ${status?.token}`;
  const ask = (path: string, more: object = { authorization }) =>
    access.check({ method: 'GET', path, ...more }).then(
      ({ name }) => name,
      (error: Error & { code: number }) => `${error.code} ${error.message}`,
    );
  assert.equal(await ask('/metrics', {}), '401 Unauthorized');
  assert.equal(await ask('/metrics', { authorization: 'Bearer nonsense' }), '401 Unauthorized');
  const name = 'system:serviceaccount:default:scraper';
  assert.equal(
    await ask('/metrics'),
    `403 Forbidden (user=${name}, verb=get, resource=nodes, subresource(s)=[metrics], name=node-1)\n`,
  );
  await client.resource(clusterRoles).create({
    metadata: { name: 'scraper' },
    rules: [{ apiGroups: [''], resources: ['nodes/metrics', 'nodes/pods'], verbs: ['get'] }],
  });
  await client.resource(clusterRoleBindings).create({
    metadata: { name: 'scraper' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'scraper' },
    subjects: [{ kind: 'ServiceAccount', name: 'scraper', namespace: 'default' }],
  });
  assert.match(await ask('/metrics'), /^403/, 'a refusal is remembered for half a minute');
  await cluster.advance(31_000);
  assert.equal(await ask('/metrics'), name);
  assert.equal(await ask('/pods'), name, 'by the fine subresource');
  assert.match(await ask('/exec/default/app/main'), /^403.*subresource\(s\)=\[proxy\]/);
  assert.equal(await ask('/exec/a/b/c', { certificate: { name: 'admin', groups: ['system:masters'] } }), 'admin');
  assert.match(await ask('/metrics', { certificate: { name: 'nobody', groups: [] } }), /^403/);
});
