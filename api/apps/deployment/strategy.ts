import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { dropStatus, keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { path } from '../../../libs/machinery/field-errors.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { dropDisabledFields } from '../../core/pod/prepare.ts';
import { templateWarnings, workloadWarnings } from '../../core/pod/warnings.ts';
import type { Deployment } from '../../types/apps/v1.generated.ts';
import { defaultDeployment } from './defaults.ts';
import { validateDeployment, validateDeploymentStatus, validateDeploymentUpdate } from './validation.ts';

export const strategy: Strategy<Deployment> = {
  generation: 'count',
  resetFields: ['status'],
  keepsTemplate: true,
  defaults: defaultDeployment,
  validate: validateDeployment,
  warnings: (draft, old) => [
    ...workloadWarnings(draft, old),
    ...templateWarnings(draft, old, draft.spec.template, path('spec', 'template')),
  ],
  validateUpdate: validateDeploymentUpdate,
  generationChanged: (draft, old) =>
    !sameValue(draft.spec, old.spec) || !sameValue(draft.metadata?.annotations, old.metadata?.annotations),
  prepareForCreate(_ctx, draft) {
    dropStatus(draft);
    dropDisabledFields(draft.spec.template?.spec);
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    dropDisabledFields(draft.spec.template?.spec, old.spec.template?.spec);
  },
};

export const statusStrategy: StatusSubresource<Deployment>['strategy'] = {
  resetFields: ['spec', 'metadata.labels'],
  validateUpdate: validateDeploymentStatus,
  defaults: defaultDeployment,
  // Labels are the user's; annotations may be the controller's.
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['annotations']),
};
