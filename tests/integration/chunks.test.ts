// A list in chunks as a patient client meets it: five minutes later its first state is past.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCluster } from '../../testing/index.ts';

test('a list in chunks that has waited too long is told how to go on with what is there now', async () => {
  await using cluster = await createCluster({ nodes: 0 });
  const configMaps = cluster.client.core.v1.configMaps('default');
  for (const name of ['a', 'b', 'c', 'd']) await configMaps.create({ metadata: { name } });
  const ours = { limit: 2 };
  const first = await configMaps.list({ ...ours });
  const token = first.metadata.continue ?? '';
  assert.notEqual(token, '');
  await configMaps.delete('c');
  await cluster.advance('20s');
  assert.deepEqual(
    (await configMaps.list({ ...ours, continue: token })).items.map(({ metadata }) => metadata.name),
    ['c', 'd'],
  );

  await cluster.advance('6m');
  const error = await configMaps.list({ ...ours, continue: token }).then(
    () => assert.fail('the first state was still shown'),
    (refused) => refused,
  );
  assert.deepEqual([error.status.code, error.status.reason], [410, 'Expired']);
  const again: string = error.status.metadata.continue;
  const rest = await configMaps.list({ ...ours, continue: again });
  assert.deepEqual(
    rest.items.map(({ metadata }) => metadata.name),
    ['d', 'kube-root-ca.crt'],
  );
  assert.notEqual(rest.metadata.resourceVersion, first.metadata.resourceVersion);
});
