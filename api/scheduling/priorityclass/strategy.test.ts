import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../../../tests/fixtures/api-server.ts';

const CLASSES = '/apis/scheduling.k8s.io/v1/priorityclasses';

test('a class is of its first generation for ever, and what pods got from it stays', async () => {
  await using server = await startTestServer();
  await server.send('POST', CLASSES, { metadata: { name: 'high' }, value: 1000 });
  const { code, body } = await server.send('PATCH', `${CLASSES}/high`, { description: 'of importance' });
  assert.deepEqual([code, body.description, body.metadata.generation], [200, 'of importance', 1]);
  for (const [change, message] of [
    [{ value: 1 }, 'value: Forbidden: may not be changed in an update.'],
    [{ preemptionPolicy: 'Never' }, 'preemptionPolicy: Invalid value: "Never": field is immutable'],
  ] as const) {
    const refused = await server.send('PATCH', `${CLASSES}/high`, change);
    assert.equal(refused.code, 422);
    assert.ok(refused.body.message.endsWith(message), refused.body.message);
  }
});
