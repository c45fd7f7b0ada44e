import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { path } from '../../../libs/machinery/field-errors.ts';
import { dropDisabledFields } from '../../core/pod/prepare.ts';
import { workloadWarnings } from '../../core/pod/warnings.ts';
import type { Job } from '../../types/batch/v1.generated.ts';
import { defaultJob } from './defaults.ts';
import { generateSelector } from './selector.ts';
import { validateJobStatus } from './status.ts';
import { validateJobUpdate } from './update.ts';
import { validateJob } from './validation.ts';
import { jobWarnings } from './warnings.ts';

export const strategy: Strategy<Job> = {
  generation: 'count',
  defaultDeletePropagation: 'orphan',
  orphanWarning:
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  resetFields: ['status'],
  defaults: defaultJob,
  validate: validateJob,
  validateUpdate: validateJobUpdate,
  warnings: (draft, old) => [...workloadWarnings(draft, old), ...jobWarnings(draft, old, draft.spec, path('spec'))],
  prepareForCreate(_ctx, draft) {
    dropStatus(draft);
    dropDisabledFields(draft.spec.template?.spec);
    if (!draft.spec.manualSelector) generateSelector(draft);
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    dropDisabledFields(draft.spec.template?.spec, old.spec.template?.spec);
  },
};

export const statusStrategy: StatusSubresource<Job>['strategy'] = {
  resetFields: ['spec'],
  validateUpdate: validateJobStatus,
  defaults: defaultJob,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
};
