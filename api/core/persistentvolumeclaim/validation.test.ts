import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../types/core/v1.generated.ts';
import { validatePersistentVolumeClaimStatus, validatePersistentVolumeClaimUpdate } from './validation.ts';
import { claimWarnings } from './warnings.ts';

const CLASS = 'volume.beta.kubernetes.io/storage-class';
function claim(spec: Partial<PersistentVolumeClaimSpec> = {}, annotated?: string, status: object = {}) {
  return {
    metadata: { name: 'x', ...(annotated === undefined ? {} : { annotations: { [CLASS]: annotated } }) },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '2Gi' } }, ...spec },
    status,
  } as PersistentVolumeClaim;
}
const size = (storage: string) => ({ resources: { requests: { storage } } });
const bound = { phase: 'Bound', capacity: { storage: '1Gi' } };

describe('changes', () => {
  for (const [name, was, now, wanted] of [
    ['nothing', claim(), claim(), []],
    ['a volume, once', claim(), claim({ volumeName: 'v' }), []],
    ['another volume', claim({ volumeName: 'v' }), claim({ volumeName: 'w' }), ['spec']],
    ['a class that was not said', claim(), claim({ storageClassName: 'a' }), []],
    ['the class of the annotation', claim({}, 'a'), claim({ storageClassName: 'a' }, 'a'), []],
    ['the class moves', claim({}, 'a'), claim({ storageClassName: 'a' }), []],
    ['another class than the annotation says', claim({}, 'a'), claim({ storageClassName: 'b' }, 'a'), ['spec']],
    ['another annotation', claim({}, 'a'), claim({}, 'b'), [`metadata.annotations.${CLASS}`]],
    ['more, unbound', claim(), claim(size('3Gi')), ['spec']],
    ['more, bound', claim({}, undefined, bound), claim(size('3Gi'), undefined, bound), []],
    [
      'less than there is, bound',
      claim({}, undefined, bound),
      claim(size('1Gi'), undefined, bound),
      ['spec.resources.requests.storage'],
    ],
  ] as const) {
    test(name, () => {
      const errors = validatePersistentVolumeClaimUpdate(now, was);
      assert.deepEqual(
        errors.map(({ field }) => field),
        wanted,
      );
    });
  }
});

describe('status', () => {
  for (const [name, status, wanted] of [
    [
      'a resize under way',
      { allocatedResources: { storage: '3Gi' }, allocatedResourceStatuses: { storage: 'NodeResizePending' } },
      [],
    ],
    ['a provider’s own resource', { allocatedResources: { 'example.com/iops': '3' } }, []],
    [
      'reserved names',
      { allocatedResources: { cpu: '1' } },
      ['allocatedResources: Unsupported value: "cpu": supported values: "storage"'],
    ],
    [
      'less than nothing',
      { allocatedResources: { storage: '-1' }, capacity: { storage: '-2' } },
      [
        'capacity[storage]: Invalid value: -2: must be a valid resource quantity',
        'allocatedResources[storage]: Invalid value: -1: must be a valid resource quantity',
      ],
    ],
    [
      'an odd state',
      { allocatedResourceStatuses: { storage: 'Odd' } },
      [
        'allocatedResourceStatuses: Unsupported value: "storage": supported values: "ControllerResizeInProgress", "ControllerResizeInfeasible", "NodeResizeInProgress", "NodeResizeInfeasible", "NodeResizePending"',
      ],
    ],
  ] as const) {
    test(name, () => {
      const errors = validatePersistentVolumeClaimStatus(claim({}, undefined, status)).map(textOf);
      assert.deepEqual(errors.sort(), wanted.map((text) => `status.${text}`).sort());
    });
  }
});

test('warnings: the annotation of old, and parts of bytes', () => {
  assert.deepEqual(claimWarnings(claim()), []);
  assert.deepEqual(claimWarnings(claim(size('1500m'), 'a')), [
    `metadata.annotations[${CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead`,
    'spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer',
  ]);
});
