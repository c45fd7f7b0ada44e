import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cluster, createCluster } from 'tutti';
import { type Site, siteOperator, sites } from './site-operator.ts';

const definition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'sites.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'sites', singular: 'site', kind: 'Site' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                required: ['image', 'copies'],
                properties: { image: { type: 'string' }, copies: { type: 'integer', minimum: 0 } },
              },
              status: { type: 'object', properties: { ready: { type: 'integer' }, url: { type: 'string' } } },
            },
          },
        },
      },
    ],
  },
};

const site = (copies: number, image = 'shop/web:1') => ({
  apiVersion: 'example.com/v1',
  kind: 'Site',
  metadata: { name: 'shop', namespace: 'default' },
  spec: { image, copies },
});

/** A cluster in which the operator runs beside Kubernetes' own controllers. */
async function withOperator(): Promise<Cluster> {
  const cluster = await createCluster({ nodes: 3, seed: 42 });
  await cluster.apply(definition);
  await cluster.run({ name: 'site-operator', start: ({ run }) => run(siteOperator) });
  return cluster;
}

const ready = (copies: number) => (one: object) => (one as Site).status?.ready === copies;

test('a site becomes pods, and its status tells of them', async () => {
  await using cluster = await withOperator();
  await cluster.apply(site(3));
  const shop = await cluster.until('site/shop', ready(3));
  assert.equal((shop as unknown as Site).status?.url, 'http://shop.default/');
  const pods = await cluster.client.core.v1.pods('default').list({ labelSelector: 'site=shop' });
  assert.equal(pods.items.length, 3);
});

test('a changed site is rolled out', async () => {
  await using cluster = await withOperator();
  await cluster.apply(site(2));
  await cluster.until('site/shop', ready(2));
  await cluster.apply(site(2, 'shop/web:2'));
  await cluster.until('deployment/shop', (d) => d.status.updatedReplicas === 2 && d.status.replicas === 2);
  const pods = await cluster.client.core.v1.pods('default').list();
  assert.deepEqual(
    pods.items.map(({ spec }) => spec?.containers[0]?.image),
    ['shop/web:2', 'shop/web:2'],
  );
});

test('what somebody else changes is put right, and the history says who did what', async () => {
  await using cluster = await withOperator();
  await cluster.apply(site(2));
  await cluster.until('site/shop', ready(2));
  await cluster.client.apps.v1.deployments('default').patch('shop', { spec: { replicas: 9 } }, { type: 'merge' });
  await cluster.until('deployment/shop', (d) => d.spec.replicas === 2);
  const causes = cluster
    .history()
    .entries.flatMap((one) => (one.type === 'request' && one.user === 'site-operator' ? [one.cause] : []));
  assert.ok(
    causes.includes('site-operator: a new site') && causes.includes('site-operator: the site changed'),
    causes.join(),
  );
});

test('it survives the loss of a node and an API server that refuses every second write', async () => {
  await using cluster = await withOperator();
  cluster.faults.add({ fault: 'refuse', users: ['site-operator'], verbs: ['patch'], share: 0.5 });
  await cluster.apply(site(3));
  await cluster.until('site/shop', ready(3));
  await cluster.nodes[0].crash();
  await cluster.until('site/shop', ready(2));
  await cluster.advance('6m'); // five minutes until its pods are given up
  await cluster.until('site/shop', ready(3));
  assert.ok((cluster.faults.counts['refuse'] ?? 0) > 0);
});

test('a site that goes takes its pods with it; one that is wrong never comes', async () => {
  await using cluster = await withOperator();
  await cluster.apply(site(1));
  await cluster.until('site/shop', ready(1));
  await cluster.client.resource(sites).namespace('default').delete('shop');
  await cluster.until(async () => (await cluster.client.core.v1.pods('default').list()).items.length === 0);
  await assert.rejects(cluster.apply(site(-1)), /spec\.copies/);
});
