import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { changeStatusAlone, dropStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { internalJson } from '../../meta/internal-form.ts';
import type { ResourceClaim } from '../../types/resource/v1.generated.ts';
import { defaultClaimSpec, validateClaimSpec } from '../requests.ts';
import { validateClaimStatus } from './validation.ts';

export const strategy: Strategy<ResourceClaim> = {
  deleteReturnsObject: true,
  resetFields: ['status'],
  defaults: ({ spec }) => defaultClaimSpec(spec),
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
  validate: ({ spec }) => validateClaimSpec(spec, field.path('spec')),
  validateUpdate(draft, old) {
    const shown = field.verbatim(internalJson('resource.v1.ResourceClaimSpec', draft.spec));
    return validateImmutable(draft.spec, old.spec, 'spec', shown);
  },
};

export const statusStrategy: StatusSubresource<ResourceClaim>['strategy'] = {
  resetFields: ['spec'],
  prepareForUpdate: (_ctx, draft, old) => changeStatusAlone(draft, old),
  validateUpdate: validateClaimStatus,
};
