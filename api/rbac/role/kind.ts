import { defineKind } from '../../../libs/kind/kind.ts';
import { nameColumn } from '../../../libs/kind/standard-columns.ts';
import { createdAtColumn } from '../../meta/columns.ts';
import type { Role } from '../../types/rbac/v1.generated.ts';
import { strategy } from './strategy.ts';

export const role = defineKind<Role>({
  group: 'rbac.authorization.k8s.io',
  kind: 'Role',
  resource: 'roles',
  namespaced: true,
  versions: [{ version: 'v1', type: 'rbac.v1.Role' }],
  strategy,
  columns: [nameColumn, createdAtColumn],
});
