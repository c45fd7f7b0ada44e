import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterRoleBindings, clusterRoles, services } from '../api/resources.ts';
import { createCluster } from './create-cluster.ts';

test('a server that starts gives roles, bindings and its Service what they lack, unless somebody has said no', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const roles = cluster.client.resource(clusterRoles);
  const bindings = cluster.client.resource(clusterRoleBindings);
  const kubernetes = cluster.client.resource(services).namespace('default');
  const [view, node, proxier] = await Promise.all([
    roles.get('view'),
    roles.get('system:node'),
    bindings.get('system:node-proxier'),
  ]);
  const own = { verbs: ['get'], apiGroups: ['example.com'], resources: ['sites'] };
  await roles.update({ ...node, rules: [...(node.rules ?? []).slice(2), own] } as never);
  const refuses = {
    metadata: { annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'false' } },
    rules: [own],
  };
  await roles.patch('system:kube-dns', refuses, { type: 'merge' });
  await bindings.update({ ...proxier, subjects: [] } as never);
  await kubernetes.patch('kubernetes', { spec: { ports: [{ name: 'other', port: 443 }] } }, { type: 'merge' });

  await cluster.faults.restartApiServer(1_000);
  await cluster.advance('5s');

  const mended = (await roles.get('system:node')).rules ?? [];
  assert.deepEqual(mended, [...(node.rules ?? []).slice(2), own, ...(node.rules ?? []).slice(0, 2)]);
  assert.deepEqual((await roles.get('system:kube-dns')).rules, [own]);
  assert.deepEqual((await bindings.get('system:node-proxier')).subjects, proxier.subjects);
  assert.deepEqual(
    (await kubernetes.get('kubernetes')).spec?.ports?.map(({ name }) => name),
    ['https'],
  );
  assert.equal((await roles.get('view')).metadata.resourceVersion, view.metadata.resourceVersion);
});
