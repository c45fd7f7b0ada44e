import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { path } from '../../../libs/machinery/field-errors.ts';
import { dropDisabledFields } from '../../core/pod/prepare.ts';
import { templateWarnings, workloadWarnings } from '../../core/pod/warnings.ts';
import type { CronJob } from '../../types/batch/v1.generated.ts';
import { defaultCronJob } from './defaults.ts';
import { validateCronJob, validateCronJobUpdate } from './validation.ts';

export const strategy: Strategy<CronJob> = {
  generation: 'count',
  resetFields: ['status'],
  defaults: defaultCronJob,
  validate: validateCronJob,
  warnings: (draft, old) => [
    ...workloadWarnings(draft, old),
    ...templateWarnings(
      draft.spec.jobTemplate?.spec?.template,
      draft.spec,
      old?.spec,
      path('spec', 'jobTemplate', 'spec', 'template'),
    ),
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
