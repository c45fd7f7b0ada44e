import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterRoles, configMaps, customResourceDefinitions, events, namespaces } from '../../../api/resources.ts';
import type { ApiObject, ResourceRef } from '../../../libs/kind/object.ts';
import { type Cluster, createCluster } from '../../../testing/create-cluster.ts';

const widgets: ResourceRef<ApiObject> = {
  group: 'example.com',
  version: 'v1',
  resource: 'widgets',
  kind: 'Widget',
  namespaced: true,
};

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
  },
};

/** A widget of a kind that was defined this moment, and config maps that it owns. */
async function brandNewOwner(cluster: Cluster, dependents: number) {
  await cluster.apply(definition);
  const owners = cluster.client.resource(widgets).namespace('default');
  const owned = cluster.client.resource(configMaps).namespace('default');
  const owner = await owners.create({ metadata: { name: 'owner' } });
  const { uid, name } = owner.metadata;
  const ownerReferences = [{ apiVersion: 'example.com/v1', kind: 'Widget', name, uid }];
  for (let i = 0; i < dependents; i++) await owned.create({ metadata: { name: `dependent-${i}`, ownerReferences } });
  const count = async () =>
    (await owned.list()).items.filter((one) => one.metadata.name.startsWith('dependent-')).length;
  return { owners, count };
}

const options = { seed: 1, controllers: ['garbage-collector'] } as const;

test('dependents go with an owner that was deleted before its kind was followed', async () => {
  for (const [livedFor, what] of [
    ['0ms', 'deleted before anybody looked'],
    ['100ms', 'deleted after its dependents were looked at'],
    ['490ms', 'deleted just before its kind is discovered'],
    ['520ms', 'deleted while its kind is discovered'],
    ['30s', 'deleted long after'],
  ] as const) {
    await using cluster = await createCluster(options);
    const { owners, count } = await brandNewOwner(cluster, 3);
    await cluster.advance(livedFor);
    assert.equal(await count(), 3, what);
    await owners.delete('owner');
    await cluster.until(async () => (await count()) === 0, { within: '5s' });
  }
});

test('dependents stay while an owner of a new kind lives', async () => {
  await using cluster = await createCluster(options);
  const { count } = await brandNewOwner(cluster, 50);
  await cluster.advance('1h');
  assert.equal(await count(), 50);
});

test('owners are sought in the namespace of their dependents, and events say where there can be none', async () => {
  await using cluster = await createCluster(options);
  const { client } = cluster;
  const maps = (namespace: string) => client.resource(configMaps).namespace(namespace);
  const owner = await maps('default').create({ metadata: { name: 'owner' } });
  const { uid } = owner.metadata;
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }];
  await client.resource(clusterRoles).create({ metadata: { name: 'everywhere', ownerReferences }, rules: [] });
  await client.resource(namespaces).create({ metadata: { name: 'elsewhere' }, spec: {} });
  await maps('elsewhere').create({ metadata: { name: 'dependent', ownerReferences } });
  await cluster.until(
    async () => !(await maps('elsewhere').list()).items.some(({ metadata }) => metadata.name === 'dependent'),
  );
  await cluster.advance('10m');
  assert.equal((await client.resource(clusterRoles).get('everywhere')).metadata.name, 'everywhere');
  const told = (await client.resource(events).list()).items
    .filter(({ reason }) => reason === 'OwnerRefInvalidNamespace')
    .map(({ metadata, involvedObject, message, count }) => [metadata.namespace, involvedObject.name, message, count]);
  const at = (namespace: string) =>
    `ownerRef [v1/ConfigMap, namespace: ${namespace}, name: owner, uid: ${uid}] does not exist in namespace "${namespace}"`;
  assert.deepEqual(
    told.sort(),
    [
      ['default', 'everywhere', at(''), 1],
      ['elsewhere', 'dependent', at('elsewhere'), 1],
    ].sort(),
  );
});

test('a kind that went and came again is followed as before', async () => {
  await using cluster = await createCluster(options);
  for (let time = 0; time < 2; time++) {
    const { owners, count } = await brandNewOwner(cluster, 3);
    await cluster.advance('1m');
    await owners.delete('owner');
    await cluster.until(async () => (await count()) === 0, { within: '5s' });
    await cluster.client.resource(customResourceDefinitions).delete(definition.metadata.name);
    await cluster.advance('10m');
  }
});
