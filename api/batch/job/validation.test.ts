import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import type { Job, JobSpec } from '../../types/batch/v1.generated.ts';
import type { PodSpec } from '../../types/core/v1.generated.ts';
import { defaultJob } from './defaults.ts';
import { generateSelector } from './selector.ts';
import { validateJobUpdate } from './update.ts';
import { validateJob } from './validation.ts';

function job(spec: Partial<JobSpec> = {}, pod: Partial<PodSpec> = {}, name = 'x'): Job {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'app:1' }], ...pod } };
  const made: Job = { metadata: { name, uid: 'u' }, spec: { template, ...spec } };
  defaultJob(made);
  generateSelector(made);
  return made;
}

const indexed = (more: Partial<JobSpec> = {}): Partial<JobSpec> => ({
  completionMode: 'Indexed',
  completions: 2,
  parallelism: 2,
  ...more,
});
const MANY = 'when completions are above 100000 and used with backoff limit per index';

test('numbers of indexes', () => {
  const cases: [Partial<JobSpec>, string[]][] = [
    [indexed({ completions: 100_001, backoffLimitPerIndex: 1, maxFailedIndexes: 10_000 }), []],
    [
      indexed({ completions: 100_001, backoffLimitPerIndex: 1, parallelism: 10_001 }),
      [
        'spec.maxFailedIndexes: Required value: must be specified when completions is above 100000',
        `spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 ${MANY}`,
      ],
    ],
    [
      indexed({ completions: 200_000, backoffLimitPerIndex: 1, maxFailedIndexes: 100_001 }),
      [
        'spec.maxFailedIndexes: Invalid value: 100001: must be less than or equal to 100000',
        `spec.maxFailedIndexes: Invalid value: 100001: must be less than or equal to 10000 ${MANY}`,
      ],
    ],
  ];
  for (const [spec, wanted] of cases) assert.deepEqual(validateJob(job(spec)).map(textOf), wanted);
});

test('what is wrong with the labels that are made of a name is told of the template alone', () => {
  const long = 'a'.repeat(64);
  assert.equal(job({}, {}, long).metadata?.labels, undefined);
  assert.equal(job().metadata?.labels?.['batch.kubernetes.io/job-name'], 'x');
});

test('an odd mode is told, and nothing else of indexes', () => {
  const errors = validateJob(job({ completionMode: 'Odd', backoffLimitPerIndex: 1 }));
  assert.deepEqual(errors.map(textOf), [
    'spec.completionMode: Unsupported value: "Odd": supported values: "NonIndexed", "Indexed"',
  ]);
});

test('what counts the failures of pods needs pods that fail, and are not started again', () => {
  const wrong = (what: string) =>
    `spec.template.spec.restartPolicy: Invalid value: "OnFailure": only "Never" is supported when ${what} is specified`;
  const again = { restartPolicy: 'OnFailure' };
  const podFailurePolicy = { rules: [] };
  assert.deepEqual(validateJob(job({}, again)).map(textOf), []);
  assert.deepEqual(validateJob(job(indexed({ backoffLimitPerIndex: 1 }), again)).map(textOf), [
    wrong('backoffLimitPerIndex'),
  ]);
  assert.deepEqual(validateJob(job({ podFailurePolicy }, again)).map(textOf), [wrong('podFailurePolicy')]);
});

test('exit codes of a rule', () => {
  const codes = (operator: string, values: number[]) => {
    const rules = [{ action: 'FailJob', onExitCodes: { operator, values } }];
    const errors = validateJob(job({ podFailurePolicy: { rules }, podReplacementPolicy: 'Failed' }));
    return errors.map((error) => textOf(error).replace('spec.podFailurePolicy.rules[0].onExitCodes.', ''));
  };
  assert.deepEqual(codes('In', [1, 2]), []);
  assert.deepEqual(codes('NotIn', [0]), []);
  assert.deepEqual(codes('In', [3, 0, 2, 2]), [
    'values[1]: Invalid value: 0: must not be 0 for the In operator',
    'values[3]: Duplicate value: 2',
    'values: Invalid value: [3,0,2,2]: must be ordered',
  ]);
});

test('a job from before labels had a domain is not asked for them when its selector becomes the server’s', () => {
  const old = job({ manualSelector: true, selector: { matchLabels: { 'controller-uid': 'u' } } });
  const labels = { 'controller-uid': 'u', 'job-name': 'x' };
  const mine = (manualSelector: boolean): Job => ({
    ...old,
    spec: {
      ...old.spec,
      selector: { matchLabels: { 'controller-uid': 'u' } },
      template: { ...old.spec.template, metadata: { labels } },
      manualSelector,
    },
  });
  assert.deepEqual(validateJobUpdate(mine(false), mine(true)).map(textOf), []);
  assert.equal(validateJob(mine(false)).length, 2, 'a new one is');
});

test('pods of an indexed job are hosts that must have a name', () => {
  const name = 'a'.repeat(62);
  assert.deepEqual(validateJob(job(indexed(), {}, name)).map(textOf), [
    `metadata.name: Invalid value: "${name}": will not able to create pod with invalid DNS label: ${name}-1`,
  ]);
  assert.deepEqual(validateJob(job({}, {}, name)), []);
});

const suspended = { suspend: true };
const zone = (key: string) => ({
  nodeAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchExpressions: [{ key, operator: 'Exists' }] }],
    },
  },
});
const apart = {
  podAntiAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'k', labelSelector: { matchLabels: { a: 'b' } } }],
  },
};

/** Before, after, and the places and reasons of what is refused. */
const CHANGES: readonly (readonly [string, Job, Job, readonly string[]])[] = [
  ['nothing', job(), job(), []],
  ['how many at once', job(), job({ parallelism: 3, completions: 1 }), []],
  ['completions', job(), job({ completions: 2 }), ['spec.completions: field is immutable']],
  [
    'completions and parallelism of an indexed job',
    job(indexed()),
    job(indexed({ completions: 3, parallelism: 3 })),
    [],
  ],
  [
    'completions of an indexed job alone',
    job(indexed()),
    job(indexed({ completions: 3 })),
    ['spec.completions: can only be modified in tandem with spec.parallelism'],
  ],
  ['the image', job(), job({}, { containers: [{ name: 'a', image: 'b' }] }), ['spec.template: field is immutable']],
  ['where a suspended job runs', job(suspended), job(suspended, { nodeSelector: { a: 'b' }, affinity: zone('z') }), []],
  [
    'near which nodes',
    job(suspended, { affinity: { ...zone('y'), ...apart } }),
    job(suspended, { affinity: { ...zone('z'), ...apart } }),
    [],
  ],
  ['near which pods', job(suspended), job(suspended, { affinity: apart }), ['spec.template.spec: field is immutable']],
  [
    'the resources of a suspended job',
    job(suspended),
    job(suspended, { containers: [{ name: 'a', image: 'app:1', resources: { requests: { cpu: '1' } } }] }),
    [],
  ],
  [
    'the image of a suspended job',
    job(suspended),
    job(suspended, { containers: [{ name: 'a', image: 'b' }] }),
    ['spec.template.spec: field is immutable'],
  ],
];

for (const [name, was, now, wanted] of CHANGES) {
  test(`change of ${name}`, () => {
    const errors = validateJobUpdate(now, was);
    assert.deepEqual(
      errors.map(({ field, detail }) => `${field}: ${detail}`),
      wanted,
    );
  });
}

test('a policy is shown as the server holds it', () => {
  const policy = { rules: [{ action: 'Ignore', onPodConditions: [{ type: 'X', status: 'True' }] }] };
  const errors = validateJobUpdate(job({ podFailurePolicy: policy }), job({ podReplacementPolicy: 'Failed' }));
  assert.deepEqual(errors.map(textOf), [
    'spec.podFailurePolicy: Invalid value: {"Rules":[{"Action":"Ignore","OnExitCodes":null,"OnPodConditions":[{"Type":"X","Status":"True"}]}]}: field is immutable',
  ]);
});
