import { defineKind } from '../../../libs/kind/kind.ts';
import { nameColumn } from '../../../libs/kind/standard-columns.ts';
import { createdAtColumn } from '../../meta/columns.ts';
import type { ClusterRole } from '../../types/rbac/v1.generated.ts';
import { strategy } from './strategy.ts';

export const clusterRole = defineKind<ClusterRole>({
  group: 'rbac.authorization.k8s.io',
  kind: 'ClusterRole',
  resource: 'clusterroles',
  namespaced: false,
  versions: [{ version: 'v1', type: 'rbac.v1.ClusterRole' }],
  strategy,
  columns: [nameColumn, createdAtColumn],
});
