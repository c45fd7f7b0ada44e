/** What a job may say of itself. What is wrong in a stored one stays tolerated for as long as it does not change. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { notNegative } from '../../meta/numbers.ts';
import type { Job, JobStatus } from '../../types/batch/v1.generated.ts';
import { commonIndex, countIndexes } from './policies.ts';

type Seen = DeepReadonly<Job>;
type Status = DeepReadonly<JobStatus>;
type Condition = 'Complete' | 'Failed' | 'FailureTarget' | 'SuccessCriteriaMet';

const at = field.path('status');

const holds = (status: Status, type: Condition): boolean =>
  status.conditions?.some((one) => one.type === type && one.status === 'True') ?? false;
const isOver = (status: Status): boolean => holds(status, 'Complete') || holds(status, 'Failed');

/** Answers whether one of the conditions (`Finished`: either that ends a job) or fields differs from before. */
type Differs = (...names: readonly (Condition | 'Finished' | keyof JobStatus)[]) => boolean;

const CONDITIONS: readonly string[] = ['Complete', 'Failed', 'FailureTarget', 'SuccessCriteriaMet'];

const comparing =
  (now: Status, was: Status): Differs =>
  (...names) =>
    names.some((name) => {
      if (name === 'Finished') return isOver(now) !== isOver(was);
      if (CONDITIONS.includes(name)) return holds(now, name as Condition) !== holds(was, name as Condition);
      return !sameValue(now[name as keyof JobStatus], was[name as keyof JobStatus]);
    });

export function validateJobStatus(job: Seen, old: Seen): field.ErrorList {
  const status: Status = job.status ?? {};
  const was: Status = old.status ?? {};
  const differs = comparing(status, was);
  return [
    ...(['active', 'succeeded', 'failed', 'ready', 'terminating'] as const).flatMap((name) =>
      notNegative(status[name], at.child(name)),
    ),
    ...uncounted(status),
    ...times(status, differs),
    ...pods(job, status, differs),
    ...indexes(job, status, differs),
    ...criteria(status, differs),
    ...changes(job, was),
  ];
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

const together = (what: string) => field.invalid(at.child('conditions'), field.omitted, `cannot set ${what}`);

/** How a job ends: in one way, and at a time that is told just when it is complete. */
function times(status: Status, differs: Differs): field.ErrorList {
  const errors: field.ErrorList = [];
  const complete = holds(status, 'Complete');
  if (complete && holds(status, 'Failed') && differs('Complete', 'Failed')) {
    errors.push(together('Complete=True and Failed=true conditions'));
  }
  if (complete && holds(status, 'FailureTarget') && differs('Complete', 'FailureTarget')) {
    errors.push(together('Complete=True and FailureTarget=true conditions'));
  }
  const { startTime, completionTime } = status;
  const here = at.child('completionTime');
  if (differs('Complete', 'completionTime')) {
    if (completionTime && !complete) {
      const detail = 'completionTime cannot be set when there is no Complete=True condition';
      errors.push(field.invalid(here, completionTime, detail));
    }
    if (!completionTime && complete) errors.push(field.required(here, 'completionTime is required for Complete jobs'));
  }
  const backwards = startTime && completionTime && Date.parse(completionTime) < Date.parse(startTime);
  if (backwards && differs('startTime', 'completionTime')) {
    errors.push(field.invalid(here, completionTime, 'completionTime cannot be set before startTime'));
  }
  return errors;
}

/** Of a job that is over no pod runs, and every pod has been counted. */
function pods({ spec }: Seen, status: Status, differs: Differs): field.ErrorList {
  const errors: field.ErrorList = [];
  const { active = 0, terminating = 0, ready, uncountedTerminatedPods } = status;
  if (isOver(status)) {
    if (active > 0 && differs('Finished', 'active')) {
      errors.push(field.invalid(at.child('active'), active, 'active>0 is invalid for finished job'));
    }
    const neverBegins = spec.suspend === true && spec.completions === 0;
    if (!status.startTime && !neverBegins && differs('Finished', 'startTime')) {
      errors.push(field.required(at.child('startTime'), 'startTime is required for finished job'));
    }
    const { succeeded, failed } = uncountedTerminatedPods ?? {};
    const left = (succeeded ?? []).length + (failed ?? []).length;
    if (left > 0 && differs('Finished', 'uncountedTerminatedPods')) {
      const shown = { Succeeded: succeeded ?? null, Failed: failed ?? null };
      const detail = 'uncountedTerminatedPods needs to be empty for finished job';
      errors.push(field.invalid(at.child('uncountedTerminatedPods'), shown, detail));
    }
    if (terminating > 0 && differs('Finished', 'terminating')) {
      errors.push(field.invalid(at.child('terminating'), terminating, 'terminating>0 is invalid for finished job'));
    }
  }
  if (ready !== undefined && ready > active && differs('ready', 'active')) {
    errors.push(field.invalid(at.child('ready'), ready, 'cannot set more ready pods than active'));
  }
  return errors;
}

function indexes({ spec }: Seen, status: Status, differs: Differs): field.ErrorList {
  const errors: field.ErrorList = [];
  const { completedIndexes: completed = '', failedIndexes: failed } = status;
  const { completions, backoffLimitPerIndex: perIndex } = spec;
  const [completedAt, failedAt] = [at.child('completedIndexes'), at.child('failedIndexes')];
  const [completedDiffers, failedDiffers] = [differs('completedIndexes'), differs('failedIndexes')];
  if (completedDiffers && completions !== undefined) {
    const read = countIndexes(completed, completions);
    if (typeof read === 'string') {
      errors.push(field.invalid(completedAt, completed, `error parsing completedIndexes: ${read}`));
    }
  }
  if (failedDiffers && completions !== undefined && perIndex !== undefined && failed !== undefined) {
    const read = countIndexes(failed, completions);
    if (typeof read === 'string') {
      errors.push(field.invalid(failedAt, failed, `error parsing failedIndexes: ${read}`));
    }
  }
  if (completedDiffers && completed !== '' && spec.completionMode !== 'Indexed') {
    const detail = 'cannot set non-empty completedIndexes when non-indexed completion mode';
    errors.push(field.invalid(completedAt, completed, detail));
  }
  if (failedDiffers && failed !== undefined && perIndex === undefined) {
    const detail = 'cannot set non-null failedIndexes when backoffLimitPerIndex is null';
    errors.push(field.invalid(failedAt, failed, detail));
  }
  if ((completedDiffers || failedDiffers) && completions !== undefined && failed !== undefined) {
    const both = commonIndex(completed, failed, completions);
    if (both !== undefined) {
      const detail = `failedIndexes and completedIndexes overlap at index: ${both}`;
      errors.push(field.invalid(failedAt, failed, detail));
    }
  }
  return errors;
}

/** That a job ends is decided first and told after: the decision stands, and is one. */
function criteria(status: Status, differs: Differs): field.ErrorList {
  const errors: field.ErrorList = [];
  const [complete, met] = [holds(status, 'Complete'), holds(status, 'SuccessCriteriaMet')];
  const [failed, target] = [holds(status, 'Failed'), holds(status, 'FailureTarget')];
  if (complete && !met && differs('Complete', 'SuccessCriteriaMet')) {
    errors.push(together('Complete=True condition without the SuccessCriteriaMet=true condition'));
  }
  if (failed && !target && differs('Failed', 'FailureTarget')) {
    errors.push(together('Failed=True condition without the FailureTarget=true condition'));
  }
  if (met && failed && differs('SuccessCriteriaMet', 'Failed')) {
    errors.push(together('SuccessCriteriaMet=True and Failed=true conditions'));
  }
  if (met && target && differs('SuccessCriteriaMet', 'FailureTarget')) {
    errors.push(together('SuccessCriteriaMet=True and FailureTarget=true conditions'));
  }
  return errors;
}

/** What was reached is not taken back, and what was counted stays counted. */
function changes({ spec, status = {} }: Seen, was: Status): field.ErrorList {
  const errors: field.ErrorList = [];
  const disabled = (type: Condition) => holds(was, type) && !holds(status, type);
  for (const type of ['Failed', 'Complete', 'FailureTarget'] as const) {
    if (!disabled(type)) continue;
    const detail = `cannot disable the terminal ${type}=True condition`;
    errors.push(field.invalid(at.child('conditions'), field.omitted, detail));
  }
  // An indexed job that shrinks forgets the indexes beyond its end.
  const shrinks = spec.completionMode === 'Indexed' && spec.completions === spec.parallelism;
  for (const name of ['failed', 'succeeded'] as const) {
    if ((status[name] ?? 0) >= (was[name] ?? 0) || (name === 'succeeded' && shrinks)) continue;
    errors.push(field.invalid(at.child(name), status[name] ?? 0, `cannot decrease the ${name} counter`));
  }
  const { startTime, completionTime } = status;
  if (completionTime && was.completionTime) {
    errors.push(...validateImmutable(completionTime, was.completionTime, at.child('completionTime')));
  }
  if (was.startTime && startTime !== was.startTime && !spec.suspend) {
    const done = startTime ? 'modified' : 'removed';
    errors.push(field.required(at.child('startTime'), `startTime cannot be ${done} for unsuspended job`));
  }
  if (disabled('SuccessCriteriaMet')) {
    const detail = 'cannot disable the SuccessCriteriaMet=True condition';
    errors.push(field.invalid(at.child('conditions'), field.omitted, detail));
  }
  return errors;
}
