import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { changeStatusAlone, dropStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { FlowSchema } from '../../types/flowcontrol/v1.generated.ts';
import { validateConditions } from '../conditions.ts';
import { validateFlowSchema } from './validation.ts';

const DEFAULT_PRECEDENCE = 1000;

export const strategy: Strategy<FlowSchema> = {
  generation: 'count',
  resetFields: ['status'],
  defaults({ spec }) {
    if (spec) spec.matchingPrecedence ||= DEFAULT_PRECEDENCE;
  },
  prepareForCreate: (_ctx, draft) => dropStatus(draft),
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
  validate: validateFlowSchema,
  validateUpdate: validateFlowSchema,
};

export const statusStrategy: StatusSubresource<FlowSchema>['strategy'] = {
  resetFields: ['spec'],
  prepareForUpdate: (_ctx, draft, old) => changeStatusAlone(draft, old),
  validateUpdate: ({ status }) => validateConditions(status?.conditions),
};
