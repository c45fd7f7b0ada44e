import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented } from '../../meta/columns.ts';
import type { ClusterRoleBinding } from '../../types/rbac/v1.generated.ts';
import { roleText, subjectNames } from '../bindings.ts';
import { strategy } from './strategy.ts';

export const clusterRoleBinding = defineKind<ClusterRoleBinding>({
  group: 'rbac.authorization.k8s.io',
  kind: 'ClusterRoleBinding',
  resource: 'clusterrolebindings',
  namespaced: false,
  versions: [{ version: 'v1', type: 'rbac.v1.ClusterRoleBinding' }],
  strategy,
  columns: [
    nameColumn,
    { name: 'Role', type: 'string', description: documented('rbac.v1.ClusterRoleBinding', 'roleRef'), value: roleText },
    ageColumn,
    {
      name: 'Users',
      type: 'string',
      priority: 1,
      description: 'Users among the subjects',
      value: (binding) => subjectNames(binding, 'User'),
    },
    {
      name: 'Groups',
      type: 'string',
      priority: 1,
      description: 'Groups among the subjects',
      value: (binding) => subjectNames(binding, 'Group'),
    },
    {
      name: 'ServiceAccounts',
      type: 'string',
      priority: 1,
      description: 'Service accounts among the subjects',
      value: (binding) => subjectNames(binding, 'ServiceAccount'),
    },
  ],
});
