/** What a job may say of itself. Objects stored before these rules keep what they say. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { notNegative } from '../../meta/numbers.ts';
import type { Job, JobStatus } from '../../types/batch/v1.generated.ts';
import { countIndexes } from './policies.ts';

type Seen = DeepReadonly<Job>;
type Status = DeepReadonly<JobStatus>;
const at = field.path('status');

const holds = (status: Status, type: string): boolean =>
  status.conditions?.some((one) => one.type === type && one.status === 'True') ?? false;

export function validateJobStatus(job: Seen, old: Seen): field.ErrorList {
  const status: Status = job.status ?? {};
  const was: Status = old.status ?? {};
  const errors = [
    ...(['active', 'succeeded', 'failed', 'ready', 'terminating'] as const).flatMap((name) =>
      notNegative(status[name], at.child(name)),
    ),
    ...uncounted(status),
  ];
  if (status.ready !== undefined && status.ready > (status.active ?? 0)) {
    errors.push(field.invalid(at.child('ready'), status.ready, 'cannot set more ready pods than active'));
  }
  return [
    ...errors,
    ...finished(status),
    ...exclusive(status),
    ...ended(status, was),
    ...indexes(job, status),
    ...changes(job, was),
  ];
}

/** Of a job that is over: when it began, and that every pod of it has been counted. */
function ended(status: Status, was: Status): field.ErrorList {
  const errors: field.ErrorList = [];
  if (!holds(status, 'Complete') && !holds(status, 'Failed')) return errors;
  const begun = sameValue(status.conditions, was.conditions) && status.startTime === was.startTime;
  if (!status.startTime && !begun)
    errors.push(field.required(at.child('startTime'), 'startTime is required for finished job'));
  const pods = status.uncountedTerminatedPods;
  const [succeeded, failed] = [pods?.succeeded ?? [], pods?.failed ?? []];
  if (succeeded.length + failed.length > 0) {
    const shown = { Succeeded: pods?.succeeded ?? null, Failed: pods?.failed ?? null };
    const detail = 'uncountedTerminatedPods needs to be empty for finished job';
    errors.push(field.invalid(at.child('uncountedTerminatedPods'), shown, detail));
  }
  return errors;
}

/** What was reached is not taken back, and what was counted stays counted. */
function changes({ spec, status = {} }: Seen, was: Status): field.ErrorList {
  const errors: field.ErrorList = [];
  const { startTime, completionTime } = status;
  if (startTime && completionTime && Date.parse(completionTime) < Date.parse(startTime)) {
    errors.push(
      field.invalid(at.child('completionTime'), completionTime, 'completionTime cannot be set before startTime'),
    );
  }
  const disabled = (type: string) => holds(was, type) && !holds(status, type);
  for (const type of ['Failed', 'Complete', 'FailureTarget']) {
    if (!disabled(type)) continue;
    const detail = `cannot disable the terminal ${type}=True condition`;
    errors.push(field.invalid(at.child('conditions'), field.omitted, detail));
  }
  for (const name of ['failed', 'succeeded'] as const) {
    if ((status[name] ?? 0) >= (was[name] ?? 0)) continue;
    errors.push(field.invalid(at.child(name), status[name] ?? 0, `cannot decrease the ${name} counter`));
  }
  if (completionTime && was.completionTime) {
    errors.push(...validateImmutable(completionTime, was.completionTime, at.child('completionTime')));
  }
  if (was.startTime && !startTime && !spec.suspend) {
    errors.push(field.required(at.child('startTime'), 'startTime cannot be removed for unsuspended job'));
  }
  if (disabled('SuccessCriteriaMet')) {
    const detail = 'cannot disable the SuccessCriteriaMet=True condition';
    errors.push(field.invalid(at.child('conditions'), field.omitted, detail));
  }
  return errors;
}

function uncounted({ uncountedTerminatedPods }: Status): field.ErrorList {
  const seen = new Set<string>();
  const errors: field.ErrorList = [];
  for (const list of ['succeeded', 'failed'] as const) {
    (uncountedTerminatedPods?.[list] ?? []).forEach((uid, i) => {
      const place = at.child('uncountedTerminatedPods', list).index(i);
      if (uid === '') errors.push(field.invalid(place, uid, 'must not be empty'));
      else if (seen.has(uid)) errors.push(field.duplicate(place, uid));
      seen.add(uid);
    });
  }
  return errors;
}

function finished(status: Status): field.ErrorList {
  const complete = holds(status, 'Complete');
  const over = complete || holds(status, 'Failed');
  const errors: field.ErrorList = [];
  const wrong = (name: string, value: unknown, detail: string) => {
    errors.push(field.invalid(at.child(name), value, detail));
  };
  if (over) {
    if ((status.active ?? 0) > 0) wrong('active', status.active, 'active>0 is invalid for finished job');
    if ((status.terminating ?? 0) > 0) {
      wrong('terminating', status.terminating, 'terminating>0 is invalid for finished job');
    }
  }
  if (complete && !status.completionTime) {
    errors.push(field.required(at.child('completionTime'), 'completionTime is required for Complete jobs'));
  }
  if (!complete && status.completionTime) {
    wrong(
      'completionTime',
      status.completionTime,
      'completionTime cannot be set when there is no Complete=True condition',
    );
  }
  return errors;
}

function exclusive(status: Status): field.ErrorList {
  const errors: field.ErrorList = [];
  const here = at.child('conditions');
  const refuse = (what: string) => errors.push(field.invalid(here, field.omitted, `cannot set ${what}`));
  const [complete, met] = [holds(status, 'Complete'), holds(status, 'SuccessCriteriaMet')];
  const [failed, target] = [holds(status, 'Failed'), holds(status, 'FailureTarget')];
  if (complete && !met) refuse('Complete=True condition without the SuccessCriteriaMet=true condition');
  if (failed && !target) refuse('Failed=True condition without the FailureTarget=true condition');
  if (complete && failed) refuse('Complete=True and Failed=true conditions');
  if (complete && target) refuse('Complete=True and FailureTarget=true conditions');
  if (met && failed) refuse('SuccessCriteriaMet=True and Failed=true conditions');
  if (met && target) refuse('SuccessCriteriaMet=True and FailureTarget=true conditions');
  return errors;
}

function indexes({ spec }: Seen, status: Status): field.ErrorList {
  const errors: field.ErrorList = [];
  if (spec.completionMode !== 'Indexed' && status.completedIndexes) {
    const detail = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    errors.push(field.invalid(at.child('completedIndexes'), status.completedIndexes, detail));
  }
  if (spec.backoffLimitPerIndex === undefined && status.failedIndexes !== undefined) {
    const detail = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    errors.push(field.invalid(at.child('failedIndexes'), status.failedIndexes, detail));
  }
  if (spec.completions === undefined) return errors;
  for (const name of ['completedIndexes', 'failedIndexes'] as const) {
    const text = status[name];
    if (!text || (name === 'failedIndexes' && spec.backoffLimitPerIndex === undefined)) continue;
    const read = countIndexes(text, spec.completions);
    if (typeof read === 'string') errors.push(field.invalid(at.child(name), text, `error parsing ${name}: ${read}`));
  }
  return errors;
}
