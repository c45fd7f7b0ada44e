import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import { createCluster } from '../../../../testing/create-cluster.ts';
import { clusterRoles } from '../../../resources.ts';
import type { ClusterRole } from '../../../types/rbac/v1.generated.ts';
import { plan } from './aggregation.ts';

const rule = (resource: string) => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
const role = (name: string, label: string | undefined, ...resources: string[]) =>
  ({
    metadata: { name, labels: label ? { [label]: 'yes' } : {} },
    rules: resources.map(rule),
  }) as unknown as Live<ClusterRole>;
const sum = (labels: string[], ...resources: string[]) =>
  ({
    ...role('sum', 'a', ...resources),
    aggregationRule: { clusterRoleSelectors: labels.map((label) => ({ matchLabels: { [label]: 'yes' } })) },
  }) as unknown as Live<ClusterRole>;

test('what a role is made up of', () => {
  const roles = [role('one', 'a', 'pods', 'nodes'), role('two', 'b', 'secrets', 'pods'), role('three', undefined, 'x')];
  const cases: [string, Live<ClusterRole>, string[] | undefined][] = [
    ['every rule once, selector by selector', sum(['b', 'a']), ['secrets', 'pods', 'nodes']],
    ['as it is already', sum(['a'], 'pods', 'nodes'), undefined],
    ['own rules go', sum(['b'], 'own'), ['secrets', 'pods']],
    ['nothing chosen, nothing there', sum(['c']), undefined],
    ['nothing chosen any more', sum(['c'], 'pods'), []],
  ];
  for (const [what, of, wanted] of cases) {
    const [action] = plan({ role: of, roles: [...roles, of] }).actions;
    assert.deepEqual(
      action?.rules.map(({ resources }) => resources?.[0]),
      wanted,
      what,
    );
  }
});

test('the roles of every cluster are filled, and follow what is added to them', async () => {
  await using cluster = await createCluster({ seed: 'roles' });
  const client = cluster.client.resource(clusterRoles);
  const resourcesOf = async (name: string) =>
    new Set((await client.get(name)).rules?.flatMap(({ resources }) => resources ?? []));
  await cluster.until(
    async () => (await resourcesOf('admin')).has('rolebindings') && (await resourcesOf('admin')).has('pods'),
  );
  await client.create({
    metadata: { name: 'widgets', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
    rules: [{ apiGroups: ['example.com'], resources: ['widgets'], verbs: ['get'] }],
  });
  await cluster.until(async () => (await resourcesOf('admin')).has('widgets'), {
    what: 'widgets in admin, through view and edit',
  });
  await client.delete('widgets');
  await cluster.until(async () => !(await resourcesOf('admin')).has('widgets'));
});
