import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import type { PersistentVolume, PersistentVolumeSpec } from '../../types/core/v1.generated.ts';
import { validatePersistentVolume, validatePersistentVolumeUpdate } from './validation.ts';

const volume = (spec: Partial<PersistentVolumeSpec>): PersistentVolume => ({
  metadata: { name: 'x' },
  spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], ...spec },
});

/** Sources, and what is wrong with each below its own place. */
const SOURCES: readonly (readonly [Partial<PersistentVolumeSpec>, readonly string[]])[] = [
  [
    { gcePersistentDisk: { pdName: 'p', partition: 256 } },
    ['gcePersistentDisk.partition: Invalid value: 256: must be between 1 and 255, inclusive'],
  ],
  [{ glusterfs: { endpoints: 'e', path: 'p' } }, []],
  [
    { glusterfs: { endpoints: 'e', path: 'p', endpointsNamespace: '' } },
    [
      'glusterfs.endpointsNamespace: Invalid value: "": if the endpointnamespace is set, it must be a valid namespace name',
    ],
  ],
  [
    { quobyte: { registry: 'host', volume: 'v' } },
    ['quobyte.registry: Invalid value: "host": must be a host:port pair or multiple pairs separated by commas'],
  ],
  [
    { flexVolume: { driver: 'd', options: { 'kubernetes.io/x': 'y' } } },
    ['flexVolume.options[kubernetes.io/x]: Invalid value: "kubernetes.io/x": kubernetes.io namespace is reserved'],
  ],
  [
    { azureDisk: { diskName: 'd', diskURI: 'https://a', cachingMode: 'Odd', kind: 'Shared' } },
    ['azureDisk.cachingMode: Unsupported value: "Odd": supported values: "None", "ReadOnly", "ReadWrite"'],
  ],
  [{ storageos: { volumeName: 'v', secretRef: { name: 's' } } }, ['storageos.secretRef.namespace: Required value']],
  [
    { storageos: { volumeName: 'a.b', volumeNamespace: 'n' } },
    ['storageos.volumeName: Invalid value: "a.b": must not contain dots'],
  ],
  [
    { fc: { targetWWNs: ['a'], wwids: ['b'] } },
    [
      'fc.targetWWNs: Invalid value: ["a"]: targetWWNs and wwids can not be specified simultaneously',
      'fc.lun: Required value: lun is required if targetWWNs is specified',
    ],
  ],
  [
    { iscsi: { targetPortal: 'p', iqn: 'eui.02004567A425678Z', lun: 1, secretRef: {} } },
    ['iscsi.secretRef.name: Required value'],
  ],
  [
    { hostPath: { path: '/./' }, persistentVolumeReclaimPolicy: 'Recycle' },
    ["persistentVolumeReclaimPolicy: Forbidden: may not be 'recycle' for a hostPath mount of '/'"],
  ],
  [{ hostPath: { path: '/a' }, persistentVolumeReclaimPolicy: 'Recycle' }, []],
  [{ cinder: { volumeID: 'v', secretRef: { namespace: 'n' } } }, ['cinder.secretRef.name: Required value']],
  [
    { iscsi: { targetPortal: 'p', iqn: 'iqn.2015-02.example.com:test', lun: 1, initiatorName: 'odd' } },
    ['iscsi.initiatorname: Invalid value: "odd": must be valid format starting with iqn, eui, or naa'],
  ],
];

for (const [spec, wanted] of SOURCES) {
  test(JSON.stringify(spec), () => {
    assert.deepEqual(
      validatePersistentVolume(volume(spec)).map(textOf),
      wanted.map((text) => `spec.${text}`),
    );
  });
}

test('options of a mount are for volumes that are mounted with some', () => {
  const annotated = (spec: Partial<PersistentVolumeSpec>, options: string) => ({
    ...volume(spec),
    metadata: { name: 'x', annotations: { 'volume.beta.kubernetes.io/mount-options': options } },
  });
  assert.deepEqual(validatePersistentVolume(annotated({ nfs: { server: 's', path: '/p' } }, 'ro')), []);
  for (const options of ['ro', '']) {
    assert.equal(validatePersistentVolume(annotated({ hostPath: { path: '/p' } }, options)).length, 1);
  }
});

const affinity = (key: string, value = 'a') => ({
  nodeAffinity: {
    required: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'In', values: [value] }] }] },
  },
});
const csi = (more: object = {}) => ({ csi: { driver: 'd.example.com', volumeHandle: 'h', ...more } });
const secret = { name: 's', namespace: 'n' };

/** What changes, and which fields say no. */
const CHANGES: readonly (readonly [string, Partial<PersistentVolumeSpec>, Partial<PersistentVolumeSpec>, string[]])[] =
  [
    ['a secret for growth is given later', csi(), csi({ controllerExpandSecretRef: secret }), []],
    [
      'and is not given another time',
      csi({ controllerExpandSecretRef: secret }),
      csi({ controllerExpandSecretRef: { ...secret, name: 'other' } }),
      ['spec.persistentvolumesource'],
    ],
    ['another secret', csi(), csi({ nodePublishSecretRef: secret }), ['spec.persistentvolumesource']],
    [
      'a label gets its general name',
      { ...csi(), ...affinity('failure-domain.beta.kubernetes.io/zone') },
      { ...csi(), ...affinity('topology.kubernetes.io/zone') },
      [],
    ],
    [
      'not with other values',
      { ...csi(), ...affinity('failure-domain.beta.kubernetes.io/zone') },
      { ...csi(), ...affinity('topology.kubernetes.io/zone', 'b') },
      ['nodeAffinity'],
    ],
    [
      'nor back',
      { ...csi(), ...affinity('kubernetes.io/os') },
      { ...csi(), ...affinity('beta.kubernetes.io/os') },
      ['nodeAffinity'],
    ],
    ['an affinity is added', csi(), { ...csi(), ...affinity('a') }, []],
    ['what is wrong is told twice', csi(), { ...csi(), accessModes: [] }, ['spec.accessModes', 'spec.accessModes']],
  ];

for (const [name, was, now, wanted] of CHANGES) {
  test(name, () => {
    const errors = validatePersistentVolumeUpdate(volume(now), volume(was));
    assert.deepEqual(
      errors.map(({ field }) => String(field)),
      wanted,
    );
  });
}
