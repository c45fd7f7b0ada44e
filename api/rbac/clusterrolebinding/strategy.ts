import { pathSegmentName } from '../../../libs/machinery/names.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ClusterRoleBinding } from '../../types/rbac/v1.generated.ts';

export const strategy: Strategy<ClusterRoleBinding> = {
  allowCreateOnUpdate: true,
  validateName: pathSegmentName,
};
