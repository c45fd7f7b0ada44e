import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pods, replicaSets, resourceQuotas } from '../../api/resources.ts';
import { createCluster } from '../../testing/create-cluster.ts';

// What admission has let pass is counted before it is there to be counted: counting at that moment would forget it.
for (const seed of [1, 2, 3]) {
  it(`a quota holds against many writers, and tells what is there (seed ${seed})`, async () => {
    await using cluster = await createCluster({ seed });
    const quotas = cluster.client.resource(resourceQuotas).namespace('default');
    const made = cluster.client.resource(pods).namespace('default');
    const sets = cluster.client.resource(replicaSets).namespace('default');
    const used = async () => (await quotas.get('few')).status?.used?.['pods'];
    await quotas.create({ metadata: { name: 'few' }, spec: { hard: { pods: '3' } } });
    await cluster.until(async () => (await used()) === '0');
    for (const name of ['a', 'b']) {
      const labels = { app: name };
      const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'app' }] } };
      await sets.create({ metadata: { name }, spec: { replicas: 4, selector: { matchLabels: labels }, template } });
    }
    for (const name of ['a', 'b']) {
      await cluster.until(async () =>
        (await sets.get(name)).status?.conditions?.some(({ type }) => type === 'ReplicaFailure'),
      );
    }
    assert.equal((await made.list()).items.length, 3);
    await cluster.until(async () => (await used()) === '3');

    await sets.delete('a', { propagationPolicy: 'Background' });
    await sets.delete('b', { propagationPolicy: 'Background' });
    await cluster.until(async () => (await made.list()).items.length === 0);
    await cluster.until(async () => (await used()) === '0');
  });
}
