import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCluster } from './index.ts';

const job = {
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'sum', labels: { app: 'sum' } },
  spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'sum', image: 'sum:1' }] } } },
};

test('a write to the status leaves the spec the very object that it was, however it is sent', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const jobs = cluster.client.batch.v1.jobs('default');
  const made = await jobs.create(job);
  const ref = { group: 'batch', version: 'v1', resource: 'jobs', kind: 'Job', namespaced: true } as const;
  const status = cluster.client.resource(ref).namespace('default').subresource('status');
  const writes = [
    ['strategic', () => status.patch('sum', { status: { active: 1 } }, { type: 'strategic' })],
    ['merge', () => status.patch('sum', { status: { active: 2 } }, { type: 'merge' })],
    ['update', async () => status.update({ ...(await jobs.get('sum')), status: { active: 3 } } as never)],
    ['json', () => status.patch('sum', [{ op: 'replace', path: '/status/active', value: 4 }], { type: 'json' })],
  ] as const;
  let active = 0;
  for (const [how, write] of writes) {
    const written = (await write()) as typeof made;
    assert.equal(written.status?.active, ++active, how);
    assert.equal(written.spec, made.spec, how);
    assert.equal((await jobs.get('sum')).spec, made.spec, how);
  }
});

test('a spec that is sent to the status is not stored', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const jobs = cluster.client.batch.v1.jobs('default');
  const made = await jobs.create(job);
  const ref = { group: 'batch', version: 'v1', resource: 'jobs', kind: 'Job', namespaced: true } as const;
  const status = cluster.client.resource(ref).namespace('default').subresource('status');
  const sent = { ...made, spec: { ...made.spec, parallelism: 7 }, status: { active: 1 } };
  const written = (await status.update(sent as never)) as typeof made;
  assert.equal(written.spec?.parallelism, 1);
  const patched = await status.patch('sum', { spec: { parallelism: 7 } }, { type: 'merge' });
  assert.deepEqual((patched as typeof made).spec, made.spec);
});

test('a status of a kind whose metadata is nobody’s there can be written', async () => {
  await using cluster = await createCluster({ seed: 1, components: [] });
  const ref = {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    resource: 'validatingadmissionpolicies',
    kind: 'ValidatingAdmissionPolicy',
    namespaced: false,
  } as const;
  const policies = cluster.client.resource(ref);
  const rule = { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'] };
  await policies.create({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: 'p' },
    spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression: 'true' }] },
  } as never);
  const written = await policies
    .subresource('status')
    .patch('p', { metadata: { labels: { a: 'b' } }, status: { observedGeneration: 1 } }, { type: 'merge' });
  assert.deepEqual(
    [written.metadata?.labels, (written as { status?: unknown }).status],
    [undefined, { observedGeneration: 1 }],
  );
});
