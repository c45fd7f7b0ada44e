import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../../../../libs/machinery/field-errors.ts';
import type { Container, Pod, PodSpec, ResourceRequirements } from '../../../types/core/v1.generated.ts';
import { defaultPod } from '../defaults.ts';
import { resize, validateResize } from './resize.ts';

type Requests = NonNullable<ResourceRequirements['requests']>;
const container = (requests: Requests = { cpu: '1' }, more: Partial<Container> = {}): Container => ({
  name: 'a',
  image: 'i',
  resources: { requests },
  ...more,
});
function pod(spec: Partial<PodSpec> = {}): Pod {
  const made = { metadata: { name: 'x' }, spec: { containers: [container()], ...spec } } as Pod;
  defaultPod(made);
  return made;
}
const init = (requests: Requests, more: Partial<Container> = {}): Partial<PodSpec> => ({
  initContainers: [container(requests, { name: 'i', ...more })],
});
const sidecar: Partial<Container> = { restartPolicy: 'Always' };

/** Before, after, and what is wrong with it. */
const CASES: readonly (readonly [string, Pod, Pod, readonly string[]])[] = [
  ['more of both', pod(), pod({ containers: [container({ cpu: '2', memory: '1Gi' })] }), []],
  [
    'a request goes',
    pod({ containers: [container({ cpu: '1', memory: '1Gi' })] }),
    pod({ containers: [container({ cpu: '1' })] }),
    ['spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed'],
  ],
  [
    'another resource',
    pod(),
    pod({ containers: [container({ cpu: '1', 'ephemeral-storage': '1Gi' })] }),
    ['spec: Forbidden: only cpu and memory resources are mutable'],
  ],
  ['a sidecar grows', pod(init({ cpu: '1' }, sidecar)), pod(init({ cpu: '2' }, sidecar)), []],
  [
    'another resource of a sidecar',
    pod(init({ cpu: '1' }, sidecar)),
    pod(init({ cpu: '1', 'ephemeral-storage': '1Gi' }, sidecar)),
    ['spec: Forbidden: only cpu and memory resources for sidecar containers are mutable'],
  ],
  [
    'an init container grows',
    pod(init({ cpu: '1' })),
    pod(init({ cpu: '2' })),
    ['spec: Forbidden: resources for non-sidecar init containers are immutable'],
  ],
  [
    'the class changes',
    pod(),
    pod({ containers: [container({}, { resources: { requests: full(), limits: full() } })] }),
    ['spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing'],
  ],
];

function full(): Requests {
  return { cpu: '1', memory: '1Gi' };
}

for (const [name, was, now, wanted] of CASES) {
  test(name, () => assert.deepEqual(validateResize(now, was).map(textOf), wanted));
}

test('whatever else is sent is ignored', () => {
  const old = pod();
  const draft = pod({ containers: [container({ cpu: '2' }, { image: 'other' })], hostname: 'h' });
  resize.strategy.prepareForUpdate?.(undefined as never, draft, old);
  assert.equal(draft.spec.containers[0]?.image, 'i');
  assert.equal(draft.spec.hostname, undefined);
  assert.equal(draft.spec.containers[0]?.resources?.requests?.cpu, '2');
});
