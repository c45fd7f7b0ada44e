import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestServer } from '../../../tests/fixtures/api-server.ts';

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';

test('components are asked, and shown as objects, as a table and by their metadata', async () => {
  const componentChecks = [
    { name: 'scheduler', check: () => undefined },
    { name: 'controller-manager', check: () => Promise.reject(new Error('no answer')) },
  ];
  await using fixture = await startTestServer({ componentChecks });
  const get = async (path: string, accept: string) => {
    const { body } = await fixture.server.handle({
      method: 'GET',
      path: `/api/v1/componentstatuses${path}`,
      query: '',
      headers: { 'x-user': 'admin', accept },
      body: undefined,
      peer: { address: '' },
      signal: new AbortController().signal,
    });
    const pieces = body.form === 'whole' ? [...body.bytes()] : [];
    return JSON.parse(pieces.map((piece) => new TextDecoder().decode(piece)).join(''));
  };
  const table = await get('', TABLE);
  assert.deepEqual(
    table.columnDefinitions.map(({ name }: { name: string }) => name),
    ['Name', 'Status', 'Message', 'Error'],
  );
  assert.deepEqual(
    table.rows.map(({ cells }: { cells: string[] }) => cells),
    [
      ['scheduler', 'Healthy', 'ok', ''],
      ['controller-manager', 'Unhealthy', 'no answer', ''],
      ['etcd-0', 'Healthy', 'ok', ''],
    ],
  );
  assert.equal((await get('/etcd-0', TABLE)).rows[0].object.metadata.name, 'etcd-0');
  assert.deepEqual((await get('/etcd-0', 'application/json')).conditions, [
    { type: 'Healthy', status: 'True', message: 'ok' },
  ]);
  const metadata = await get('', 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io');
  assert.deepEqual([metadata.kind, metadata.items.length], ['PartialObjectMetadataList', 3]);
});
