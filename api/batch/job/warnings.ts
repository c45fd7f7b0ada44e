import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Path } from '../../../libs/machinery/field-errors.ts';
import { type Counted, isNews, templateWarnings } from '../../core/pod/warnings.ts';
import type { JobSpec } from '../../types/batch/v1.generated.ts';
import { COMPLETIONS_SOFT_MAX, PARALLELISM_SOFT_MAX } from './validation.ts';

/** Of a job's spec at `at`, in a Job or in a CronJob's template. */
export function jobWarnings(
  object: Counted,
  old: Counted | undefined,
  spec: DeepReadonly<JobSpec> | undefined,
  at: Path,
): string[] {
  if (!spec || !isNews(object, old)) return [];
  return [...indexWarnings(spec, at), ...templateWarnings(object, old, spec.template, at.child('template'))];
}

function indexWarnings(
  { completionMode, completions = 0, parallelism = 0 }: DeepReadonly<JobSpec>,
  at: Path,
): string[] {
  if (completionMode !== 'Indexed' || completions <= COMPLETIONS_SOFT_MAX || parallelism <= PARALLELISM_SOFT_MAX) {
    return [];
  }
  return [
    `${at}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, ` +
      'Kubernetes might not be able to track completedIndexes when a big number of indexes fail',
  ];
}
