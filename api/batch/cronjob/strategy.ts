import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { path } from '../../../libs/machinery/field-errors.ts';
import { dropDisabledFields } from '../../core/pod/prepare.ts';
import { workloadWarnings } from '../../core/pod/warnings.ts';
import type { CronJob } from '../../types/batch/v1.generated.ts';
import { jobWarnings } from '../job/warnings.ts';
import { defaultCronJob } from './defaults.ts';
import { validateCronJob, validateCronJobUpdate } from './validation.ts';

export const strategy: Strategy<CronJob> = {
  generation: 'count',
  resetFields: ['status'],
  defaults: defaultCronJob,
  validate: validateCronJob,
  warnings: (draft, old) => [
    ...workloadWarnings(draft, old),
    ...jobWarnings(draft, old, draft.spec.jobTemplate?.spec, path('spec', 'jobTemplate', 'spec')),
  ],
  validateUpdate: validateCronJobUpdate,
  prepareForCreate(_ctx, draft) {
    dropStatus(draft);
    dropDisabledFields(draft.spec.jobTemplate?.spec?.template?.spec);
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    const was = old.spec.jobTemplate?.spec?.template?.spec;
    dropDisabledFields(draft.spec.jobTemplate?.spec?.template?.spec, was);
  },
};

export const statusStrategy: StatusSubresource<CronJob>['strategy'] = {
  resetFields: ['spec'],
  defaults: defaultCronJob,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
};
