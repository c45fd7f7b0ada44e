import { pathSegmentName } from '../../../libs/machinery/names.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { RoleBinding } from '../../types/rbac/v1.generated.ts';

export const strategy: Strategy<RoleBinding> = {
  allowCreateOnUpdate: true,
  validateName: pathSegmentName,
};
