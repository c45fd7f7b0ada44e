import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../../../../libs/machinery/field-errors.ts';
import type { Pod, PodSpec, PodStatus } from '../../../types/core/v1.generated.ts';
import { statusStrategy } from '../strategy.ts';
import { validatePodStatus } from './status.ts';

const pod = (status: object, spec: Partial<PodSpec> = {}, annotations: Record<string, string> = {}): Pod => ({
  metadata: { name: 'x', annotations },
  spec: { containers: [{ name: 'a', image: 'i' }], restartPolicy: 'Never', ...spec },
  status: status as PodStatus,
});
const ended = (exitCode = 1) => ({ name: 'a', state: { terminated: { exitCode } } });
const runs = { name: 'a', state: { running: {} } };
const claims = { resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 't' }] };
const AGAIN = 'state: Forbidden: may not be transitioned to non-terminated state';

/** Before, after, and what is wrong with it. */
const CASES: readonly (readonly [string, Pod, Pod, readonly string[]])[] = [
  ['nothing', pod({}), pod({ hostIP: '10.0.0.1', hostIPs: [{ ip: '10.0.0.1' }], podIPs: [{ ip: '10.1.0.1' }] }), []],
  [
    'a container runs again',
    pod({ containerStatuses: [{ name: 'b' }, ended()] }),
    pod({ containerStatuses: [runs] }),
    [`status.containerStatuses[1].${AGAIN}`],
  ],
  [
    'a container that failed runs again, as it may',
    pod({ containerStatuses: [ended()] }),
    pod({ containerStatuses: [runs] }, { restartPolicy: 'OnFailure' }),
    [],
  ],
  [
    'a container that looked around runs again',
    pod({ ephemeralContainerStatuses: [ended()] }, { restartPolicy: 'Always' }),
    pod({ ephemeralContainerStatuses: [runs] }, { restartPolicy: 'Always' }),
    [`status.ephemeralContainerStatuses[0].${AGAIN}`],
  ],
  [
    'conditions',
    pod({ conditions: [{ type: 'bad old', status: 'True' }] }),
    pod({
      conditions: [
        { type: 'bad old', status: 'True' },
        { type: 'Ready', status: 'True' },
        { type: 'a.b/c/d', status: 'True' },
      ],
    }),
    [
      "metadata.conditions[2].Type: Invalid value: \"a.b/c/d\": a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ],
  ],
  [
    'claims that the pod does not have, and one twice',
    pod({}, claims),
    pod(
      { resourceClaimStatuses: [{ name: 'fpga' }, { name: 'gpu', resourceClaimName: 'c' }, { name: 'gpu' }] },
      claims,
    ),
    [
      'status.resourceClaimStatuses[0].name: Invalid value: "fpga": must match the name of an entry in `spec.resourceClaims`',
      'status.resourceClaimStatuses[2].name: Duplicate value: "gpu"',
    ],
  ],
  [
    'an address twice',
    pod({}),
    pod({ podIPs: [{ ip: '10.1.0.1' }, { ip: '10.1.0.1' }] }),
    [
      'status.podIPs: Invalid value: [{"IP":"10.1.0.1"},{"IP":"10.1.0.1"}]: may specify no more than one IP for each IP family',
      'status.podIPs[1]: Duplicate value: {"IP":"10.1.0.1"}',
    ],
  ],
  [
    'another host',
    pod({}),
    pod({ hostIP: '10.0.0.1', hostIPs: [{ ip: '10.0.0.2' }] }),
    ['status.hostIPs[0].ip: Invalid value: "10.0.0.2": must be equal to `hostIP`'],
  ],
  [
    'an annotation that must stay',
    pod({}, { nodeName: 'n' }, { 'kubernetes.io/config.mirror': 'm' }),
    pod({}, { nodeName: 'n' }),
    ['metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not remove or update mirror pod annotation'],
  ],
  [
    'an annotation that is wrong',
    pod({}),
    pod({}, {}, { 'controller.kubernetes.io/pod-deletion-cost': 'x' }),
    ['metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "x": must be a 32bit integer'],
  ],
];

for (const [name, was, now, wanted] of CASES) {
  test(name, () => assert.deepEqual(validatePodStatus(now, was).map(textOf), wanted));
}

test('whoever writes a status does not touch the owners', () => {
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u', controller: true };
  const draft = pod({ phase: 'Running' });
  draft.metadata = { name: 'x', labels: { a: 'b' }, ownerReferences: [{ ...owner, controller: false }] };
  const old = { ...pod({}), metadata: { name: 'x', ownerReferences: [owner] } };
  statusStrategy.prepareForUpdate?.(undefined as never, draft, old);
  assert.deepEqual(draft.metadata, { name: 'x', labels: { a: 'b' }, ownerReferences: [owner] });
});
