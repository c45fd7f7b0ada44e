import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { RoleBinding } from '../../types/rbac/v1.generated.ts';
import { strategy } from './strategy.ts';

export const roleBinding = defineKind<RoleBinding>({
  group: 'rbac.authorization.k8s.io',
  kind: 'RoleBinding',
  resource: 'rolebindings',
  namespaced: true,
  versions: [{ version: 'v1', type: 'rbac.v1.RoleBinding' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
