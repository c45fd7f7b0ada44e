import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import { scaleSubresource } from '../../autoscaling/scale.ts';
import type { ReplicaSet } from '../../types/apps/v1.generated.ts';
import { strategy, statusStrategy } from './strategy.ts';

export const replicaSet = defineKind<ReplicaSet>({
  group: 'apps',
  kind: 'ReplicaSet',
  resource: 'replicasets',
  namespaced: true,
  shortNames: ['rs'],
  categories: ['all'],
  versions: [{ version: 'v1', type: 'apps.v1.ReplicaSet' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy }, scale: scaleSubresource() },
  columns: [nameColumn, ageColumn],
});
