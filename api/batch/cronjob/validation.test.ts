import assert from 'node:assert/strict';
import { test } from 'node:test';
import { textOf } from '../../../libs/machinery/field-errors.ts';
import type { CronJob, CronJobSpec, JobSpec } from '../../types/batch/v1.generated.ts';
import { defaultCronJob } from './defaults.ts';
import { validateCronJob, validateCronJobUpdate } from './validation.ts';

function cronJob(spec: Partial<CronJobSpec> = {}, job: Partial<JobSpec> = {}, name = 'x'): CronJob {
  const template = { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'app:1' }] } };
  const made = {
    metadata: { name },
    spec: { schedule: '* * * * *', jobTemplate: { spec: { template, ...job } }, ...spec },
  };
  defaultCronJob(made);
  return made;
}
const LONG = 'a'.repeat(53);

/** What is wrong with a new one. */
const CASES: readonly (readonly [string, CronJob, readonly string[]])[] = [
  ['nothing', cronJob({ timeZone: 'Europe/Warsaw' }), []],
  [
    'a time zone in the schedule',
    cronJob({ schedule: 'TZ=UTC * * * * *' }),
    [
      'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ],
  ],
  [
    'a time zone that there is none of',
    cronJob({ timeZone: 'Nowhere' }),
    ['spec.timeZone: Invalid value: "Nowhere": unknown time zone Nowhere'],
  ],
  [
    'a selector, which is told after the job',
    cronJob({}, { parallelism: -1, selector: {}, manualSelector: true }),
    [
      'spec.jobTemplate.spec.parallelism: Invalid value: -1: must be greater than or equal to 0',
      'spec.jobTemplate.spec.selector: Invalid value: {}: `selector` will be auto-generated',
      'spec.jobTemplate.spec.manualSelector: Unsupported value: true: supported values: "nil", "false"',
    ],
  ],
  [
    'a name too long for those of its jobs',
    cronJob({}, {}, LONG),
    [`metadata.name: Invalid value: "${LONG}": must be no more than 52 characters`],
  ],
];

for (const [name, made, expected] of CASES) {
  test(name, () => assert.deepEqual(validateCronJob(made).map(textOf), expected));
}

test('what is there keeps its name and its time zone', () => {
  const old = cronJob({ timeZone: 'Nowhere' }, {}, LONG);
  assert.deepEqual(validateCronJobUpdate(cronJob({ timeZone: 'Nowhere', suspend: true }, {}, LONG), old), []);
  assert.equal(validateCronJobUpdate(cronJob({ timeZone: 'Elsewhere' }, {}, LONG), old).length, 1);
});
