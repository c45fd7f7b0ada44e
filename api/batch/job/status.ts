/** What a job may say of itself. Objects stored before these rules keep what they say. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { notNegative } from '../../meta/numbers.ts';
import type { Job, JobStatus } from '../../types/batch/v1.generated.ts';

type Seen = DeepReadonly<Job>;
type Status = DeepReadonly<JobStatus>;
const at = field.path('status');

const holds = (status: Status, type: string): boolean =>
  status.conditions?.some((one) => one.type === type && one.status === 'True') ?? false;

export function validateJobStatus(job: Seen): field.ErrorList {
  const status: Status = job.status ?? {};
  const errors = [
    ...(['active', 'succeeded', 'failed', 'ready', 'terminating'] as const).flatMap((name) =>
      notNegative(status[name], at.child(name)),
    ),
    ...uncounted(status),
  ];
  if (status.ready !== undefined && status.ready > (status.active ?? 0)) {
    errors.push(field.invalid(at.child('ready'), status.ready, 'cannot set more ready pods than active'));
  }
  return [...errors, ...finished(status), ...exclusive(status), ...indexes(job, status)];
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
  return errors;
}
