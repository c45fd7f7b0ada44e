import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import type { Container, Pod, PodSpec } from '../../types/core/v1.generated.ts';
import { rowConditions } from './columns.ts';
import { defaultPod } from './defaults.ts';
import { mergeMatchLabelKeys } from './prepare.ts';
import { qosClassOf, sumContainers } from './resources.ts';
import { pullPolicyOf } from './spec-defaults.ts';
import { summarize } from './summary.ts';
import { validatePod } from './validation/pod.ts';
import { validatePodUpdate } from './validation/update.ts';

const container = (more: Partial<Container> = {}): Container => ({ name: 'a', image: 'app:1', ...more });
function pod(spec: Partial<PodSpec> = {}, more: Partial<Pod> = {}): Pod {
  const made = { metadata: { name: 'x' }, ...more, spec: { containers: [container()], ...spec } } as Pod;
  defaultPod(made);
  return made;
}
const cpu = (requests?: string, limits?: string) => ({
  resources: { ...(requests ? { requests: { cpu: requests } } : {}), ...(limits ? { limits: { cpu: limits } } : {}) },
});

describe('defaults', () => {
  test('limits are requested in full, and on the host’s network ports are the host’s', () => {
    const { spec } = pod({
      hostNetwork: true,
      containers: [container({ ...cpu(undefined, '1'), ports: [{ containerPort: 80 }] })],
    });
    assert.deepEqual(spec.containers[0]?.resources?.requests, { cpu: '1' });
    assert.equal(spec.containers[0]?.ports?.[0]?.hostPort, 80);
    assert.equal(spec.enableServiceLinks, true);
  });

  test('a pod limited as a whole requests what its containers request', () => {
    const { spec } = pod({ containers: [container(cpu('1'))], resources: { limits: { cpu: '3', memory: '1Gi' } } });
    assert.deepEqual(spec.resources?.requests, { cpu: '1', memory: '1Gi' });
  });

  for (const [image, policy] of [
    ['app', 'Always'],
    ['app:latest', 'Always'],
    ['reg.example:5000/app', 'Always'],
    ['app:1', 'IfNotPresent'],
    ['NO:1:2', 'IfNotPresent'],
  ] as const) {
    test(`${image} is pulled ${policy}`, () => assert.equal(pullPolicyOf(image), policy));
  }

  test('values of matchLabelKeys become part of the selector', () => {
    const made = pod(
      {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: 'z',
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: {},
            matchLabelKeys: ['rev', 'none'],
          },
        ],
      },
      { metadata: { name: 'x', labels: { rev: '7' } } },
    );
    mergeMatchLabelKeys(made);
    const expressions = made.spec.topologySpreadConstraints?.[0]?.labelSelector?.matchExpressions;
    assert.deepEqual(expressions, [{ key: 'rev', operator: 'In', values: ['7'] }]);
  });
});

describe('resources', () => {
  test('an init container counts where it needs more than all others; a sidecar always', () => {
    const sidecar = container({ name: 's', restartPolicy: 'Always', ...cpu('1') });
    const init = container({ name: 'i', ...cpu('4') });
    const spec = { containers: [container(cpu('2'))], initContainers: [sidecar, init] };
    assert.deepEqual(sumContainers(spec, 'requests'), { cpu: '5' });
  });

  const full = { cpu: '1', memory: '1Gi' };
  for (const [resources, expected] of [
    [{}, 'BestEffort'],
    [{ requests: { cpu: '0' } }, 'BestEffort'],
    [{ requests: full, limits: full }, 'Guaranteed'],
    [{ requests: { cpu: '500m', memory: '1Gi' }, limits: full }, 'Burstable'],
    [{ requests: { cpu: '1' } }, 'Burstable'],
  ] as const) {
    test(`${JSON.stringify(resources)} is ${expected}`, () => {
      assert.equal(qosClassOf({ containers: [container({ resources })] }), expected);
    });
  }
});

describe('validation', () => {
  for (const [name, spec, expected] of [
    ['fine', {}, []],
    ['no containers', { containers: [] }, ['spec.containers: Required value']],
    [
      'mount of nothing',
      { containers: [container({ volumeMounts: [{ name: 'v', mountPath: '/v' }] })] },
      ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
    ],
    [
      'no escalation, and yet privileged',
      { containers: [container({ securityContext: { allowPrivilegeEscalation: false, privileged: true } })] },
      [
        'spec.containers[0].securityContext: Invalid value: {"Capabilities":null,"Privileged":true,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
      ],
    ],
    [
      'labels of Linux on Windows',
      { os: { name: 'windows' }, securityContext: { seLinuxChangePolicy: 'Recursive' } },
      ['spec.securityContext.seLinuxChangePolicy: Forbidden: cannot be set for a windows pod'],
    ],
    [
      'two sources',
      { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/' } }] },
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'request over limit',
      { containers: [container(cpu('2', '1'))] },
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      'hook of an init container',
      { initContainers: [container({ name: 'i', lifecycle: {} })] },
      ['spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers without restartPolicy=Always'],
    ],
  ] as const) {
    test(name, () =>
      assert.deepEqual(validatePod(pod(structuredClone(spec) as unknown as Partial<PodSpec>)).map(textOf), expected),
    );
  }
});

describe('updates', () => {
  const old = pod();
  for (const [name, change, expected] of [
    ['another image', { containers: [container({ image: 'app:2' })] }, undefined],
    [
      'another command',
      { containers: [container({ command: ['x'] })] },
      /^spec: Forbidden: pod updates may not change fields other than/,
    ],
    [
      'one container more',
      { containers: [container(), container({ name: 'b' })] },
      /may not add or remove containers$/,
    ],
    ['a gate', { schedulingGates: [{ name: 'a.b/c' }] }, /found new scheduling gate 'a.b\/c'$/],
  ] as const) {
    test(name, () => {
      const errors = validatePodUpdate(pod(structuredClone(change) as unknown as Partial<PodSpec>), old).map(textOf);
      if (expected === undefined) assert.deepEqual(errors, []);
      else assert.match(errors[0] ?? '', expected);
    });
  }
});

describe('in a few words', () => {
  const status = (state: object, more: object = {}) => ({
    name: 'a',
    image: '',
    imageID: '',
    ready: false,
    restartCount: 2,
    state,
    ...more,
  });
  for (const [expected, state] of [
    ['0/1 CrashLoopBackOff 2', { containerStatuses: [status({ waiting: { reason: 'CrashLoopBackOff' } })] }],
    ['1/1 Running 2', { phase: 'Running', containerStatuses: [status({ running: {} }, { ready: true })] }],
    ['0/1 Init:ExitCode:3 2', { initContainerStatuses: [status({ terminated: { exitCode: 3 } })] }],
    ['0/1 Evicted 0', { phase: 'Failed', reason: 'Evicted' }],
  ] as const) {
    test(expected, () => {
      const { ready, total, reason, restarts } = summarize({
        ...pod(),
        status: structuredClone(state) as Pod['status'],
      } as Pod);
      assert.equal(`${ready}/${total} ${reason} ${restarts}`, expected);
    });
  }
});

test('tables say which pods have ended, and how', () => {
  const reasons = (phase?: string) => rowConditions({ status: { phase } } as Pod).map(({ reason }) => reason);
  assert.deepEqual(['Succeeded', 'Failed', 'Running', undefined].map(reasons), [['Succeeded'], ['Failed'], [], []]);
});
