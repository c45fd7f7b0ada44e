import { pathSegmentName } from '../../../libs/machinery/names.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { Role } from '../../types/rbac/v1.generated.ts';

export const strategy: Strategy<Role> = {
  allowCreateOnUpdate: true,
  validateName: pathSegmentName,
};
