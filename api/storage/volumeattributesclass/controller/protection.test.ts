import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Live } from '../../../../libs/kind/object.ts';
import { createCluster } from '../../../../testing/create-cluster.ts';
import { persistentVolumes, volumeAttributesClasses } from '../../../resources.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../../../types/core/v1.generated.ts';
import { classesOfClaim, classesOfVolume } from './protection.ts';

test('the classes of claims and volumes', () => {
  const claim = {
    spec: { volumeAttributesClassName: 'wanted' },
    status: {
      currentVolumeAttributesClassName: 'had',
      modifyVolumeStatus: { targetVolumeAttributesClassName: 'next', status: 'InProgress' },
    },
  } as unknown as Live<PersistentVolumeClaim>;
  assert.deepEqual(classesOfClaim(claim), ['wanted', 'had', 'next']);
  assert.deepEqual(classesOfClaim({ spec: { volumeAttributesClassName: '' } } as never), []);
  assert.deepEqual(classesOfVolume({ spec: { volumeAttributesClassName: 'v' } } as unknown as Live<PersistentVolume>), [
    'v',
  ]);
  assert.deepEqual(classesOfVolume({ spec: {} } as unknown as Live<PersistentVolume>), []);
});

test('a class goes when neither claim nor volume has it', async () => {
  await using cluster = await createCluster({ seed: 'classes', components: ['controller-manager'] });
  const classes = cluster.client.resource(volumeAttributesClasses);
  const names = async () => (await classes.list()).items.map(({ metadata }) => metadata.name);
  for (const name of ['used', 'unused'])
    await classes.create({ metadata: { name }, driverName: 'd.example.com', parameters: { a: 'b' } });
  const volumes = cluster.client.resource(persistentVolumes);
  await volumes.create({
    metadata: { name: 'v' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      csi: { driver: 'd.example.com', volumeHandle: 'h' },
      volumeAttributesClassName: 'used',
    },
  });
  await cluster.advance('1s');
  await classes.delete('used');
  await classes.delete('unused');
  await cluster.advance('1s');
  assert.deepEqual(await names(), ['used']);
  await volumes.delete('v');
  await cluster.advance('1s');
  assert.deepEqual(await names(), []);
});
