import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { path } from '../../../libs/machinery/field-errors.ts';
import type { EnvVar, Pod, PodSpec } from '../../types/core/v1.generated.ts';
import { podWarnings, templateWarnings, workloadWarnings } from './warnings.ts';

const pod = (spec: object): Pod => ({
  metadata: { name: 'x' },
  spec: { containers: [{ name: 'a', image: 'i' }], ...spec } as PodSpec,
});

describe('of a pod', () => {
  const spread = { maxSkew: 1, topologyKey: 'z', whenUnsatisfiable: 'DoNotSchedule' };
  const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1500m' } } };
  for (const [name, spec, expected] of [
    [
      'a selector that is null',
      { topologySpreadConstraints: [spread] },
      ['spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod'],
    ],
    [
      'a volume of old',
      { volumes: [{ name: 'v', gitRepo: { repository: 'r' } }] },
      ['spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+'],
    ],
    [
      'parts of bytes, in upstream’s order',
      {
        containers: [
          {
            name: 'a',
            image: 'i',
            resources: {
              limits: { memory: '1m', 'ephemeral-storage': '1500m' },
              requests: { memory: '1m', 'ephemeral-storage': '1' },
            },
          },
        ],
        overhead: { memory: '2m' },
      },
      [
        'spec.containers[0].resources.limits[memory]: fractional byte value "1m" is invalid, must be an integer',
        'spec.containers[0].resources.requests[memory]: fractional byte value "1m" is invalid, must be an integer',
        'spec.containers[0].resources.limits[ephemeral-storage]: fractional byte value "1500m" is invalid, must be an integer',
        'spec.overhead[memory]: fractional byte value "2m" is invalid, must be an integer',
      ],
    ],
    [
      'parts of a byte in a claim of its own',
      { volumes: [{ name: 'v', ephemeral: { volumeClaimTemplate: { spec: claim } } }] },
      [
        'spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer',
      ],
    ],
  ] as const) {
    test(name, () => assert.deepEqual(podWarnings(pod(spec)), expected));
  }

  test('that is there: nothing', () => {
    const old = pod({ volumes: [{ name: 'v', gitRepo: { repository: 'r' } }] });
    assert.deepEqual(podWarnings(pod({ ...old.spec, activeDeadlineSeconds: 1 }), old), []);
  });
});

describe('a variable that is said twice is warned of', () => {
  const hidden = 'hides previous definition of "A", which may be dropped when using apply';
  for (const [name, again, warned] of [
    ['where it begins anew', { value: '2' }, true],
    ['where it takes up nothing but what it was', { value: '$(A)' }, true],
    ['where it comes from elsewhere', { valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }, true],
    ['but not where it adds to what it was', { value: '$(A):2' }, false],
    ['also where it adds to another', { value: '$(B):2' }, true],
  ] as const) {
    test(name, () => {
      const env: EnvVar[] = [
        { name: 'A', value: '1' },
        { name: 'A', ...again },
      ];
      const warnings = podWarnings(pod({ containers: [{ name: 'a', image: 'i', env }] }));
      assert.deepEqual(warnings, warned ? [`spec.containers[0].env[1]: ${hidden}`] : []);
    });
  }
});

describe('of a workload', () => {
  const template = { spec: pod({ nodeSelector: { 'beta.kubernetes.io/os': 'linux' } }).spec };
  const old = { metadata: { name: 'a.b', generation: 1 } };
  for (const [name, object, before, expected] of [
    ['new', old, undefined, 1],
    ['changed in a way that counts', { metadata: { name: 'a.b', generation: 2 } }, old, 1],
    ['changed otherwise', { metadata: { name: 'a.b', generation: 1 } }, old, 0],
  ] as const) {
    test(`${name}: its template`, () => {
      assert.equal(templateWarnings(object, before, template, path('spec', 'template')).length, expected);
    });
  }
  test('its name, once', () => {
    assert.equal(workloadWarnings(old, undefined).length, 1);
    assert.deepEqual(workloadWarnings({ metadata: { name: 'a.b', generation: 2 } }, old), []);
  });
});
