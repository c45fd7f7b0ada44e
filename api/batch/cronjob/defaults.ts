import type { CronJob } from '../../types/batch/v1.generated.ts';
import { defaultJobSpecParts } from '../job/defaults.ts';

export function defaultCronJob({ spec }: CronJob): void {
  if (!spec) return;
  spec.concurrencyPolicy ||= 'Allow';
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  if (spec.jobTemplate?.spec) defaultJobSpecParts(spec.jobTemplate.spec);
}
