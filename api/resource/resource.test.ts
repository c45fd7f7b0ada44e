import assert from 'node:assert/strict';
import { test } from 'node:test';
import { path, textOf } from '../../libs/machinery/field-errors.ts';
import type { ResourceClaim, ResourceClaimSpec } from '../types/resource/v1.generated.ts';
import { defaultClaimSpec, validateClaimSpec } from './requests.ts';
import { validateClaimStatus } from './resourceclaim/validation.ts';
import { validateResourceSlice } from './resourceslice/validation.ts';

const claim = (requests: object[], more: object = {}): ResourceClaimSpec =>
  ({ devices: { requests, ...more } }) as ResourceClaimSpec;
const errorsOf = (spec: ResourceClaimSpec) => {
  defaultClaimSpec(spec);
  return validateClaimSpec(spec, path('spec')).map(textOf);
};

test('requests ask for one device unless they say otherwise', () => {
  const spec = claim([{ name: 'r', exactly: { deviceClassName: 'gpu', tolerations: [{ key: 'k' }] } }]);
  assert.deepEqual(errorsOf(spec), []);
  assert.deepEqual(spec.devices?.requests?.[0]?.exactly, {
    deviceClassName: 'gpu',
    allocationMode: 'ExactCount',
    count: 1,
    tolerations: [{ key: 'k', operator: 'Equal' }],
  });
});

test('requests, constraints and configuration', () => {
  const one = { name: 'r', exactly: { deviceClassName: 'g' } };
  const rule = 'exactly one of `exactly` or `firstAvailable` is required';
  const cases: [ResourceClaimSpec, string[]][] = [
    [claim([{ name: 'r' }]), [`spec.devices.requests[0]: Required value: ${rule}`]],
    [
      claim([{ ...one, firstAvailable: [{ name: 's', deviceClassName: 'g' }] }]),
      [`spec.devices.requests[0]: Invalid value: null: ${rule}, but multiple fields are set`],
    ],
    [
      claim([{ name: 'r', exactly: { deviceClassName: 'g', allocationMode: 'All', count: 2 } }]),
      ["spec.devices.requests[0].exactly.count: Invalid value: 2: must not be specified when allocationMode is 'All'"],
    ],
    [
      claim([one], { constraints: [{ requests: ['x'], matchAttribute: 'a/b' }] }),
      [
        `spec.devices.constraints[0].requests[0]: Invalid value: "x": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'`,
      ],
    ],
    [
      claim([one], { config: [{ opaque: { driver: 'd', parameters: 'x' } }] }),
      ['spec.devices.config[0].opaque.parameters: Invalid value: "<value omitted>": must be a valid JSON object'],
    ],
  ];
  for (const [spec, wanted] of cases) assert.deepEqual(errorsOf(spec), wanted);
});

test('what is reserved must be allocated', () => {
  const base: ResourceClaim = {
    metadata: { name: 'c' },
    spec: claim([{ name: 'r', exactly: { deviceClassName: 'g' } }]),
  };
  const status = { reservedFor: [{ resource: 'pods', name: 'p', uid: 'u' }] };
  assert.deepEqual(validateClaimStatus({ ...base, status } as never, base as never).map(textOf), [
    'status.reservedFor: Forbidden: may not be specified when `allocated` is not set',
  ]);
});

test('slices are of one place', () => {
  const slice = (spec: object) =>
    validateResourceSlice({
      metadata: { name: 's' },
      spec: { driver: 'd.example.com', pool: { name: 'p', generation: 1, resourceSliceCount: 1 }, ...spec },
    } as never).map(textOf);
  assert.deepEqual(slice({ nodeName: 'n' }), []);
  assert.match(slice({})[0] ?? '', /^spec: Required value: exactly one of `nodeName`/);
  assert.match(
    slice({ nodeName: 'n', allNodes: true })[0] ?? '',
    /"\{`nodeName`, `allNodes`\}".*multiple fields are set$/,
  );
  assert.match(
    slice({ nodeName: 'n', devices: [{ name: 'd', attributes: { v: { version: '1' } } }] })[0] ?? '',
    /semver.org/,
  );
});
