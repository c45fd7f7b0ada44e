import type { Strategy } from '../../../libs/kind/strategy.ts';
import { pathSegmentName } from '../../../libs/machinery/names.ts';
import type { ClusterRoleBinding } from '../../types/rbac/v1.generated.ts';
import { defaultBinding, validateBinding, validateRoleRefUpdate } from '../bindings.ts';

export const strategy: Strategy<ClusterRoleBinding> = {
  allowCreateOnUpdate: true,
  validateName: pathSegmentName,
  defaults: defaultBinding,
  validate: (binding) => validateBinding(binding, ['ClusterRole'], false),
  validateUpdate: (binding, old) => [
    ...validateBinding(binding, ['ClusterRole'], false),
    ...validateRoleRefUpdate(binding, old),
  ],
};
