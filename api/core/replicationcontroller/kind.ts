import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import { scaleSubresource } from '../../autoscaling/scale.ts';
import type { ReplicationController } from '../../types/core/v1.generated.ts';
import { strategy, statusStrategy } from './strategy.ts';

export const replicationController = defineKind<ReplicationController>({
  group: '',
  kind: 'ReplicationController',
  resource: 'replicationcontrollers',
  namespaced: true,
  shortNames: ['rc'],
  categories: ['all'],
  versions: [{ version: 'v1', type: 'core.v1.ReplicationController' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy }, scale: scaleSubresource() },
  columns: [nameColumn, ageColumn],
});
