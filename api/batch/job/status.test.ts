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
