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

test('expressions that select devices: what they come to, and what they may cost', () => {
  const at = 'spec.devices.requests[0].exactly.selectors[0].cel.expression';
  const nested = (depth: number): string =>
    depth === 0 ? 'true' : `[1,2,3,4,5,6,7,8,9,10].all(x, ${nested(depth - 1)})`;
  const cases: [string, string[]][] = [
    ['device.driver == "d"', []],
    ['device.attributes["a.example.com"].model.startsWith("x")', []],
    ['device.attributes.all(d, device.attributes[d].all(n, n.matches("^[a-z]+$")))', []],
    ['device.capacity["d"].memory.compareTo(quantity("1Gi")) >= 0', []],
    [nested(4), []],
    [nested(7), [`${at}: Forbidden: too complex, exceeds cost limit`]],
    ['device.driver', [`${at}: Invalid value: "device.driver": must evaluate to bool or the unknown type, not string`]],
  ];
  for (const [expression, wanted] of cases) {
    const spec = claim([{ name: 'r', exactly: { deviceClassName: 'g', selectors: [{ cel: { expression } }] } }]);
    assert.deepEqual(errorsOf(spec), wanted, expression);
  }
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
