import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serviceCIDRs, services } from '../../api/resources.ts';
import { createCluster } from '../../testing/create-cluster.ts';

test('Services get addresses of a further range, which stays until they are gone', async () => {
  await using cluster = await createCluster({ seed: 1 });
  const ranges = cluster.client.resource(serviceCIDRs);
  const inDefault = cluster.client.resource(services).namespace('default');
  const ready = async () => (await ranges.get('more')).status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  await ranges.create({ metadata: { name: 'more' }, spec: { cidrs: ['192.168.7.0/24'] } });
  await cluster.until(async () => (await ready()) === 'True');
  await inDefault.create({ metadata: { name: 'web' }, spec: { clusterIP: '192.168.7.7', ports: [{ port: 80 }] } });

  await ranges.delete('more');
  await cluster.until(async () => (await ready()) === 'False');
  const another = { metadata: { name: 'late' }, spec: { clusterIP: '192.168.7.8', ports: [{ port: 80 }] } };
  await assert.rejects(inDefault.create(another), /the provided network does not match the current range/);
  await inDefault.delete('web');
  await cluster.until(async () => !(await ranges.list()).items.some(({ metadata }) => metadata.name === 'more'));
});
