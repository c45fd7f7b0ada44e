import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { changeStatusAlone, dropStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { PriorityLevelConfiguration } from '../../types/flowcontrol/v1.generated.ts';
import { validateConditions } from '../conditions.ts';
import { defaultLevel } from './defaults.ts';
import { validatePriorityLevelConfiguration } from './validation.ts';

export const strategy: Strategy<PriorityLevelConfiguration> = {
  generation: 'count',
  resetFields: ['status'],
  defaults({ spec }) {
    if (spec) defaultLevel(spec);
  },
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
  validate: validatePriorityLevelConfiguration,
  validateUpdate: validatePriorityLevelConfiguration,
};

export const statusStrategy: StatusSubresource<PriorityLevelConfiguration>['strategy'] = {
  resetFields: ['spec', 'metadata'],
  prepareForUpdate: (_ctx, draft, old) => changeStatusAlone(draft, old),
  validateUpdate: ({ status }) => validateConditions(status?.conditions),
};
