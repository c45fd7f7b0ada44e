import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ProtobufSchema } from '../../libs/grpc/protobuf.ts';
import { readCri, reference } from '../../tools/import-cri.ts';
import { METHODS, SOURCE } from './schema.generated.ts';

const skip = existsSync(reference) ? false : 'the reference data is not here';

test('the committed schema has the facts of the reference data', { skip }, () => {
  const committed = JSON.parse(readFileSync(new URL('./schema.json', import.meta.url), 'utf8'));
  assert.deepEqual(committed, readCri());
});

test('every message of the CRI can be written and read', () => {
  const schema = new ProtobufSchema(SOURCE);
  for (const name of Object.keys(SOURCE.messages)) {
    const empty = schema.decode(name, new Uint8Array(0));
    assert.deepEqual(schema.decode(name, schema.encode(name, empty)), empty, name);
  }
  for (const [name, { request, response }] of Object.entries(METHODS)) {
    assert.ok(Object.hasOwn(SOURCE.messages, request) && Object.hasOwn(SOURCE.messages, response), name);
  }
});

test('the few facts that are easily lost', () => {
  const schema = new ProtobufSchema(SOURCE);
  const hex = (message: string, value: object) => Buffer.from(schema.encode(message, value)).toString('hex');
  // KeyValue.value is bytes in v1.36: any environment goes through.
  assert.equal(hex('KeyValue', { key: 'A', value: Uint8Array.of(0xff) }), '0a014112' + '01ff');
  // A user of 0 is not the same as no user.
  assert.equal(hex('LinuxContainerSecurityContext', { runAsUser: { value: 0 } }), '2a00');
  // Times need all 64 bits.
  const at = 1_767_225_600_123_456_789n;
  const status = schema.decode('ContainerStatus', schema.encode('ContainerStatus', { startedAt: at }));
  assert.equal((status as { startedAt: bigint }).startedAt, at);
  // The first enum value is the default, and says so when decoded.
  assert.equal((schema.decode('PodSandbox', new Uint8Array(0)) as { state: string }).state, 'SANDBOX_READY');
});
