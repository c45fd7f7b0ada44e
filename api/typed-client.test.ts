import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from '../libs/client/client.ts';
import type { Transport } from '../libs/client/transport.ts';
import type { ResourceRef } from '../libs/kind/object.ts';
import * as resources from './resources.ts';
import { referenceOf, type SettledObject, typedClient, typedResources } from './typed-client.ts';

/** Paths of what was asked for. */
function recording() {
  const asked: string[] = [];
  const transport: Transport = {
    async request({ path }) {
      asked.push(path);
      return { code: 200, headers: {}, value: { metadata: {}, items: [] } };
    },
    watch: () => Promise.reject(new Error('nobody watches here')),
    async close() {},
  };
  return { asked, client: typedClient(createClient(transport)) };
}

test('every built-in resource stands in the table, under its own group and version', () => {
  const all = Object.values(resources as Record<string, ResourceRef>).filter(({ resource }) => resource);
  const table = typedResources();
  assert.deepEqual(new Set(table.map(({ ref }) => ref)), new Set(all));
  for (const { group, version, ref } of table) {
    assert.equal(group, ref.group === '' ? 'core' : ref.group.split('.')[0], ref.resource);
    assert.equal(version, ref.version, ref.resource);
  }
});

test('names lead to paths', async () => {
  const { asked, client } = recording();
  await client.core.v1.pods('default').list();
  await client.apps.v1.deployments().list();
  await client.core.v1.nodes().list();
  await client.resource.v1.resourceClaims('a').list();
  await client.resource({ group: 'example.com', version: 'v1', plural: 'backups' }).namespace('b').list();
  await client.because({ component: 'c', step: 's' }).batch.v1.jobs('d').list();
  assert.deepEqual(asked, [
    '/api/v1/namespaces/default/pods',
    '/apis/apps/v1/deployments',
    '/api/v1/nodes',
    '/apis/resource.k8s.io/v1/namespaces/a/resourceclaims',
    '/apis/example.com/v1/namespaces/b/backups',
    '/apis/batch/v1/namespaces/d/jobs',
  ]);
});

test('a definition names its storage version', () => {
  const spec = {
    group: 'example.com',
    scope: 'Cluster',
    names: { plural: 'backups', kind: 'Backup' },
    versions: [{ name: 'v1alpha1' }, { name: 'v1', storage: true }],
  };
  assert.deepEqual(referenceOf({ spec }), {
    group: 'example.com',
    version: 'v1',
    resource: 'backups',
    kind: 'Backup',
    namespaced: false,
  });
});

test('words for objects have their types', () => {
  const replicas = (d: SettledObject<'deployment'>): number => d.status.availableReplicas;
  const phase = (p: SettledObject<'pods'>): string => p.status.phase;
  const address = (i: SettledObject<'ingress'>): string => i.status.loadBalancer.ingress[0]?.ip ?? '';
  const anything = (b: SettledObject<'backup'>): unknown => b['spec'].whatever;
  assert.equal([replicas, phase, address, anything].length, 4);
});
