import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ErrorList, textOf } from '../../../libs/machinery/field-errors.ts';
import { defaultDaemonSet } from '../../apps/daemonset/defaults.ts';
import { validateDaemonSet } from '../../apps/daemonset/validation.ts';
import { defaultDeployment } from '../../apps/deployment/defaults.ts';
import { validateDeployment, validateDeploymentUpdate } from '../../apps/deployment/validation.ts';
import { defaultStatefulSet } from '../../apps/statefulset/defaults.ts';
import { validateStatefulSet } from '../../apps/statefulset/validation.ts';
import { defaultJob } from '../../batch/job/defaults.ts';
import { generateSelector } from '../../batch/job/selector.ts';
import { validateJob } from '../../batch/job/validation.ts';
import type { DaemonSet, Deployment, StatefulSet } from '../../types/apps/v1.generated.ts';
import type { Job } from '../../types/batch/v1.generated.ts';

const labels = { app: 'x' };
const template = (spec: object = {}) => ({
  metadata: { labels },
  spec: { containers: [{ name: 'a', image: 'i' }], ...spec },
});

interface Kind {
  make(spec: object): { spec: object };
  validate(object: never): ErrorList;
}
const made = <T>(spec: object, defaults: (object: T) => void): T & { spec: object } => {
  const object = {
    metadata: { name: 'x', uid: 'u' },
    spec: { selector: { matchLabels: labels }, template: template(), ...spec },
  };
  defaults(object as T);
  return object as unknown as T & { spec: object };
};
const kinds: Record<string, Kind> = {
  Deployment: { make: (spec) => made<Deployment>(spec, defaultDeployment), validate: validateDeployment },
  StatefulSet: { make: (spec) => made<StatefulSet>(spec, defaultStatefulSet), validate: validateStatefulSet },
  DaemonSet: { make: (spec) => made<DaemonSet>(spec, defaultDaemonSet), validate: validateDaemonSet },
  Job: {
    make: (spec) =>
      made<Job>({ selector: undefined, template: template({ restartPolicy: 'Never' }), ...spec }, (job) => {
        defaultJob(job);
        if (!job.spec.manualSelector) generateSelector(job);
      }),
    validate: validateJob,
  },
};

describe('validation', () => {
  for (const [kind, spec, expected] of [
    ['Deployment', {}, []],
    ['StatefulSet', {}, []],
    ['DaemonSet', {}, []],
    ['Job', {}, []],
    [
      'Deployment',
      { selector: { matchExpressions: [{ key: 'app', operator: 'Like' }] }, template: {} },
      [
        'spec.selector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator',
        'spec.selector: Invalid value: {"matchExpressions":[{"key":"app","operator":"Like"}]}: invalid label selector',
      ],
    ],
    [
      'StatefulSet',
      {
        selector: { matchExpressions: [{ key: 'app', operator: 'Like' }] },
        template: { spec: { containers: [], restartPolicy: 'Never' } },
      },
      [
        'spec.selector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator',
        'spec.selector: Invalid value: {"matchExpressions":[{"key":"app","operator":"Like"}]}',
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
      ],
    ],
    [
      'Deployment',
      { strategy: { type: 'Odd', rollingUpdate: { maxSurge: '10%' } } },
      [
        'spec.strategy: Unsupported value: {"Type":"Odd","RollingUpdate":{"MaxUnavailable":0,"MaxSurge":"10%"}}: supported values: "Recreate", "RollingUpdate"',
      ],
    ],
    [
      'DaemonSet',
      { updateStrategy: { type: 'Odd', rollingUpdate: { maxUnavailable: 2 } } },
      [
        'spec.updateStrategy: Unsupported value: {"Type":"Odd","RollingUpdate":{"MaxUnavailable":2,"MaxSurge":0}}: supported values: "RollingUpdate", "OnDelete"',
      ],
    ],
    [
      'StatefulSet',
      { updateStrategy: { type: 'OnDelete', rollingUpdate: { partition: 1 } } },
      [
        `spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":1,"MaxUnavailable":null}: only allowed for updateStrategy 'RollingUpdate'`,
      ],
    ],
    [
      'Job',
      { successPolicy: { rules: [{ succeededCount: 1 }] } },
      [
        'spec.successPolicy: Invalid value: {"Rules":[{"SucceededIndexes":null,"SucceededCount":1}]}: requires indexed completion mode',
      ],
    ],
    [
      'Deployment',
      { selector: { matchLabels: { app: 'y' } } },
      ['spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`'],
    ],
    [
      'Deployment',
      { strategy: { type: 'Recreate', rollingUpdate: {} } },
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      'StatefulSet',
      { template: template({ restartPolicy: 'Never' }) },
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'DaemonSet',
      { updateStrategy: { rollingUpdate: { maxSurge: 1 } } },
      ['spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero'],
    ],
    [
      'Job',
      { completionMode: 'Indexed', parallelism: 2 },
      ['spec.completions: Required value: when completion mode is Indexed'],
    ],
    [
      'Job',
      { manualSelector: true },
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`',
      ],
    ],
  ] as const) {
    test(`${kind} ${JSON.stringify(spec)}`, () => {
      const { make, validate } = kinds[kind] as Kind;
      assert.deepEqual(validate(make(structuredClone(spec)) as never).map(textOf), expected);
    });
  }
});

describe('defaults', () => {
  for (const [kind, spec, expected] of [
    ['Deployment', {}, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 }],
    [
      'StatefulSet',
      {},
      {
        podManagementPolicy: 'OrderedReady',
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      },
    ],
    ['DaemonSet', {}, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } } }],
    ['Job', {}, { completions: 1, parallelism: 1, backoffLimit: 6, podReplacementPolicy: 'TerminatingOrFailed' }],
    [
      'Job',
      { backoffLimitPerIndex: 1, podFailurePolicy: { rules: [] } },
      { backoffLimit: 2147483647, podReplacementPolicy: 'Failed' },
    ],
  ] as const) {
    test(`${kind} ${JSON.stringify(spec)}`, () => {
      const all = (kinds[kind] as Kind).make(structuredClone(spec)).spec as Record<string, unknown>;
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(all[name], value, name);
    });
  }
});

test('an update is asked for a sound template where it changes that', () => {
  const make = (spec: object, minReadySeconds: number) =>
    made<Deployment>({ template: template({ restartPolicy: 'Never', ...spec }), minReadySeconds }, defaultDeployment);
  const fields = (draft: Deployment, old: Deployment) => validateDeploymentUpdate(draft, old).map(textOf);
  const stored = make({}, 0);
  assert.deepEqual(fields(make({}, 1), stored), []);
  assert.match(fields(make({ hostNetwork: true }, 1), stored).join(), /spec.template.spec.restartPolicy/);
});
