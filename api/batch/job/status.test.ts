import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import type { Job, JobSpec, JobStatus } from '../../types/batch/v1.generated.ts';
import { validateJobStatus } from './status.ts';

const job = (status: JobStatus, spec: Partial<JobSpec> = {}) => ({ spec, status }) as Job;
const condition = (...types: string[]) => ({ conditions: types.map((type) => ({ type, status: 'True' })) });
const [EARLY, LATE] = ['2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'];
const complete = (more: JobStatus = {}): JobStatus => ({
  ...condition('SuccessCriteriaMet', 'Complete'),
  startTime: EARLY,
  completionTime: LATE,
  ...more,
});
const failed = (more: JobStatus = {}): JobStatus => ({
  ...condition('FailureTarget', 'Failed'),
  startTime: EARLY,
  ...more,
});

const BY_INDEX: Partial<JobSpec> = { completionMode: 'Indexed', completions: 9, backoffLimitPerIndex: 1 };

/** Before, after, and what is wrong with it below `status`. */
const CASES: readonly (readonly [string, Job, Job, readonly string[]])[] = [
  ['it completes', job({ startTime: EARLY }), job(complete()), []],
  ['it fails', job({ startTime: EARLY }), job(failed()), []],
  [
    'it is over and never began',
    job({}),
    job(failed({ startTime: undefined as never })),
    ['startTime: Required value: startTime is required for finished job'],
  ],
  [
    'it is over and pods are uncounted',
    job({ startTime: EARLY }),
    job(complete({ uncountedTerminatedPods: { failed: ['u'] } })),
    [
      'uncountedTerminatedPods: Invalid value: {"Succeeded":null,"Failed":["u"]}: uncountedTerminatedPods needs to be empty for finished job',
    ],
  ],
  [
    'it completes before it begins',
    job({ startTime: LATE }),
    job(complete({ startTime: LATE, completionTime: EARLY })),
    [`completionTime: Invalid value: "${EARLY}": completionTime cannot be set before startTime`],
  ],
  [
    'it is no longer complete',
    job(complete()),
    job({ startTime: EARLY }),
    [
      'conditions: Invalid value: cannot disable the terminal Complete=True condition',
      'conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition',
    ],
  ],
  [
    'it completes at another time',
    job(complete()),
    job(complete({ completionTime: '2026-01-03T00:00:00Z' })),
    ['completionTime: Invalid value: "2026-01-03T00:00:00Z": field is immutable'],
  ],
  [
    'counters go down',
    job({ failed: 2, succeeded: 1 }),
    job({ failed: 1 }),
    [
      'failed: Invalid value: 1: cannot decrease the failed counter',
      'succeeded: Invalid value: 0: cannot decrease the succeeded counter',
    ],
  ],
  [
    'it has not begun after all',
    job({ startTime: EARLY }),
    job({}),
    ['startTime: Required value: startTime cannot be removed for unsuspended job'],
  ],
  ['unless it is suspended', job({ startTime: EARLY }), job({}, { suspend: true }), []],
  [
    'it has begun at another time',
    job({ startTime: EARLY }),
    job({ startTime: LATE }),
    ['startTime: Required value: startTime cannot be modified for unsuspended job'],
  ],
  [
    'it is over before it begins, suspended with nothing to do',
    job({}),
    job(complete({ startTime: undefined as never }), { suspend: true, completions: 0 }),
    [],
  ],
  [
    'an indexed job shrinks',
    job({ succeeded: 2 }),
    job({ succeeded: 1 }, { completionMode: 'Indexed', completions: 1, parallelism: 1 }),
    [],
  ],
  [
    'fewer than none are active',
    job({}),
    job({ active: -1 }),
    ['active: Invalid value: -1: must be greater than or equal to 0'],
  ],
  ['what was wrong stays wrong', job({ active: 1, ready: 2 }), job({ active: 1, ready: 2, failed: 1 }), []],
  [
    'it is complete and failed',
    job({ startTime: EARLY }),
    job(complete(condition('SuccessCriteriaMet', 'Complete', 'FailureTarget', 'Failed'))),
    [
      'conditions: Invalid value: cannot set Complete=True and Failed=true conditions',
      'conditions: Invalid value: cannot set Complete=True and FailureTarget=true conditions',
      'conditions: Invalid value: cannot set SuccessCriteriaMet=True and Failed=true conditions',
      'conditions: Invalid value: cannot set SuccessCriteriaMet=True and FailureTarget=true conditions',
    ],
  ],
  [
    'it ends without that being decided',
    job({ startTime: EARLY }),
    job({ startTime: EARLY, ...condition('Failed') }),
    ['conditions: Invalid value: cannot set Failed=True condition without the FailureTarget=true condition'],
  ],
  [
    'an index is done and failed',
    job({}, BY_INDEX),
    job({ completedIndexes: '0,3-5', failedIndexes: '1,4' }, BY_INDEX),
    ['failedIndexes: Invalid value: "1,4": failedIndexes and completedIndexes overlap at index: 4'],
  ],
  ['indexes are done or failed', job({}, BY_INDEX), job({ completedIndexes: '0,3', failedIndexes: '1' }, BY_INDEX), []],
  [
    'indexes fail that are not counted',
    job({}, { completionMode: 'Indexed', completions: 2 }),
    job({ failedIndexes: '1' }, { completionMode: 'Indexed', completions: 2 }),
    ['failedIndexes: Invalid value: "1": cannot set non-null failedIndexes when backoffLimitPerIndex is null'],
  ],
  [
    'indexes that are none',
    job({}, { completionMode: 'Indexed', completions: 2 }),
    job({ completedIndexes: '0,5' }, { completionMode: 'Indexed', completions: 2 }),
    ['completedIndexes: Invalid value: "0,5": error parsing completedIndexes: too large index: "5"'],
  ],
];

for (const [name, was, now, wanted] of CASES) {
  test(name, () => {
    const errors = validateJobStatus(now, was).map(textOf);
    assert.deepEqual(
      errors,
      wanted.map((text) => `status.${text}`),
    );
  });
}
