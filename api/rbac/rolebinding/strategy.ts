import type { Strategy } from '../../../libs/kind/strategy.ts';
import { pathSegmentName } from '../../../libs/machinery/names.ts';
import type { RoleBinding } from '../../types/rbac/v1.generated.ts';
import { defaultBinding, validateBinding, validateRoleRefUpdate } from '../bindings.ts';

export const strategy: Strategy<RoleBinding> = {
  allowCreateOnUpdate: true,
  validateName: pathSegmentName,
  defaults: defaultBinding,
  validate: (binding) => validateBinding(binding, ['Role', 'ClusterRole'], true),
  validateUpdate: (binding, old) => [
    ...validateBinding(binding, ['Role', 'ClusterRole'], true),
    ...validateRoleRefUpdate(binding, old),
  ],
};
