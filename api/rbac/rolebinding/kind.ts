import { defineKind } from '../../../libs/kind/kind.ts';
import type { RoleBinding } from '../../types/rbac/v1.generated.ts';
import { bindingColumns } from '../bindings.ts';
import { strategy } from './strategy.ts';

export const roleBinding = defineKind<RoleBinding>({
  group: 'rbac.authorization.k8s.io',
  kind: 'RoleBinding',
  resource: 'rolebindings',
  namespaced: true,
  versions: [{ version: 'v1', type: 'rbac.v1.RoleBinding' }],
  strategy,
  columns: bindingColumns('rbac.v1.RoleBinding'),
});
