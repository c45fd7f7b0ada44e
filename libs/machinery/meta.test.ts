import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as meta from './meta.ts';

const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', metadata: { name: 'rs', uid: 'u1' } };

test('owners', () => {
  const reference = meta.controllerReference(owner, owner);
  assert.deepEqual(reference, {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name: 'rs',
    uid: 'u1',
    controller: true,
    blockOwnerDeletion: true,
  });
  const pod = { metadata: { ownerReferences: [meta.ownerReference(owner, owner), reference] } };
  assert.equal(meta.controllerOf(pod), reference);
  assert.ok(meta.isControlledBy(pod, owner));
  assert.ok(!meta.isControlledBy(pod, { metadata: { name: 'rs', uid: 'u2' } }));
  assert.ok(!meta.isControlledBy({}, {}));
});

test('finalizers and maps', () => {
  const object = { metadata: { finalizers: ['a'], labels: { x: '1' } } };
  assert.ok(meta.hasFinalizer(object, 'a') && !meta.hasFinalizer({}, 'a'));
  assert.deepEqual(meta.withFinalizer(object, 'b'), ['a', 'b']);
  assert.equal(meta.withFinalizer(object, 'a'), object.metadata.finalizers);
  assert.deepEqual(meta.withoutFinalizer(object, 'a'), []);
  assert.equal(meta.valueIn(object.metadata.labels, 'x'), '1');
  assert.equal(meta.valueIn(object.metadata.labels, 'constructor'), undefined);
  assert.ok(
    meta.isDeleting({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }) &&
      !meta.isDeleting({ metadata: { deletionTimestamp: null } }),
  );
});
