import { defineKind } from '../../../libs/kind/kind.ts';
import type { ClusterRoleBinding } from '../../types/rbac/v1.generated.ts';
import { bindingColumns } from '../bindings.ts';
import { strategy } from './strategy.ts';

export const clusterRoleBinding = defineKind<ClusterRoleBinding>({
  group: 'rbac.authorization.k8s.io',
  kind: 'ClusterRoleBinding',
  resource: 'clusterrolebindings',
  namespaced: false,
  versions: [{ version: 'v1', type: 'rbac.v1.ClusterRoleBinding' }],
  strategy,
  columns: bindingColumns('rbac.v1.ClusterRoleBinding'),
});
