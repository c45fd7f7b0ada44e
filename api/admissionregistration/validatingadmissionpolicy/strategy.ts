import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { changeStatusAlone, dropStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { path } from '../../../libs/machinery/field-errors.ts';
import { validateConditions } from '../../meta/conditions.ts';
import type { ValidatingAdmissionPolicy } from '../../types/admissionregistration/v1.generated.ts';
import { defaultMatchResources } from '../defaults.ts';
import { validateValidatingAdmissionPolicy } from './validation.ts';

export const strategy: Strategy<ValidatingAdmissionPolicy> = {
  plainFinalizers: true,
  generation: 'count',
  resetFields: ['status'],
  defaults({ spec }) {
    if (!spec) return;
    spec.failurePolicy ??= 'Fail';
    defaultMatchResources(spec.matchConstraints);
  },
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
  validate: validateValidatingAdmissionPolicy,
  validateUpdate: validateValidatingAdmissionPolicy,
};

export const statusStrategy: StatusSubresource<ValidatingAdmissionPolicy>['strategy'] = {
  resetFields: ['spec', 'metadata'],
  prepareForUpdate: (_ctx, draft, old) => changeStatusAlone(draft, old),
  validateUpdate: ({ status }) => validateConditions(status?.conditions, path('status', 'conditions')),
};
