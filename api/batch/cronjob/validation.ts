import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { notNegative } from '../../meta/numbers.ts';
import type { CronJob } from '../../types/batch/v1.generated.ts';
import { validateJobSpec } from '../job/validation.ts';
import { isTimeZone, namesTimeZone, scheduleProblem } from './schedule.ts';

type Seen = DeepReadonly<CronJob>;

/** Jobs are called like their CronJob, with eleven characters behind. */
const NAME_LENGTH_MAX = 52;
const POLICIES = ['Allow', 'Forbid', 'Replace'];
const NOT_EXPLICIT = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones';
const at = field.path('spec');

export function validateCronJob(cronJob: Seen): field.ErrorList {
  const errors = validateCronJobSpec(cronJob);
  const name = cronJob.metadata?.name ?? '';
  if (name.length <= NAME_LENGTH_MAX) return errors;
  const detail = `must be no more than ${NAME_LENGTH_MAX} characters`;
  return [...errors, field.invalid(field.path('metadata', 'name'), name, detail)];
}

/** The name is there already. */
export const validateCronJobUpdate = (cronJob: Seen, old: Seen): field.ErrorList =>
  validateCronJobSpec(cronJob, old.spec);

/** `was`: time zones come and go; one that a CronJob has already it keeps. */
function validateCronJobSpec({ spec }: Seen, was?: Seen['spec']): field.ErrorList {
  const errors: field.ErrorList = [];
  const { schedule, timeZone, concurrencyPolicy } = spec;
  const scheduleAt = at.child('schedule');
  if (!schedule) errors.push(field.required(scheduleAt));
  else {
    const problem = scheduleProblem(schedule);
    if (problem) errors.push(field.invalid(scheduleAt, schedule, problem));
    if (namesTimeZone(schedule)) {
      const detail = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead';
      errors.push(field.invalid(scheduleAt, schedule, detail));
    }
  }
  errors.push(...notNegative(spec.startingDeadlineSeconds, at.child('startingDeadlineSeconds')));
  if (timeZone !== undefined && timeZone !== was?.timeZone)
    errors.push(...validateTimeZone(timeZone, at.child('timeZone')));
  if (!concurrencyPolicy) errors.push(field.required(at.child('concurrencyPolicy')));
  else if (!POLICIES.includes(concurrencyPolicy)) {
    errors.push(field.notSupported(at.child('concurrencyPolicy'), concurrencyPolicy, POLICIES));
  }
  const template = spec.jobTemplate?.spec;
  const here = at.child('jobTemplate', 'spec');
  errors.push(...validateJobSpec(template ?? ({} as NonNullable<typeof template>), here));
  if (template?.selector) {
    errors.push(field.invalid(here.child('selector'), template.selector, '`selector` will be auto-generated'));
  }
  if (template?.manualSelector) {
    const shown = template.manualSelector;
    errors.push(field.notSupported(here.child('manualSelector'), shown, ['nil', 'false']));
  }
  return [
    ...errors,
    ...notNegative(spec.successfulJobsHistoryLimit, at.child('successfulJobsHistoryLimit')),
    ...notNegative(spec.failedJobsHistoryLimit, at.child('failedJobsHistoryLimit')),
  ];
}

function validateTimeZone(name: string, here: field.Path): field.ErrorList {
  if (name === '') return [field.invalid(here, name, 'timeZone must be nil or non-empty string')];
  const errors: field.ErrorList = [];
  if (name.toLowerCase() === 'local') errors.push(field.invalid(here, name, NOT_EXPLICIT));
  if (name !== 'Local' && !isTimeZone(name)) errors.push(field.invalid(here, name, `unknown time zone ${name}`));
  return errors;
}
