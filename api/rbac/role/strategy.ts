import type { Strategy } from '../../../libs/kind/strategy.ts';
import { pathSegmentName } from '../../../libs/machinery/names.ts';
import type { Role } from '../../types/rbac/v1.generated.ts';
import { validateRules } from '../policy-rules.ts';

export const strategy: Strategy<Role> = {
  allowCreateOnUpdate: true,
  validateName: pathSegmentName,
  validate: (role) => validateRules(role.rules, true),
  validateUpdate: (role) => validateRules(role.rules, true),
};
