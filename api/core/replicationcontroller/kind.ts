import type { Column } from '../../../libs/kind/column.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { formatLabels } from '../../../libs/machinery/labels.ts';
import { scaleSubresource } from '../../autoscaling/scale.ts';
import type { ReplicationController } from '../../types/core/v1.generated.ts';
import { containerColumns } from '../podtemplate/columns.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const replicationController = defineKind<ReplicationController>({
  group: '',
  kind: 'ReplicationController',
  resource: 'replicationcontrollers',
  namespaced: true,
  shortNames: ['rc'],
  categories: ['all'],
  versions: [{ version: 'v1', type: 'core.v1.ReplicationController' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy }, scale: scaleSubresource(true) },
  columns: [
    nameColumn as Column<ReplicationController>,
    {
      name: 'Desired',
      type: 'integer',
      description: { type: 'core.v1.ReplicationControllerSpec', field: 'replicas' },
      value: ({ spec }) => spec?.replicas ?? 0,
    },
    {
      name: 'Current',
      type: 'integer',
      description: { type: 'core.v1.ReplicationControllerStatus', field: 'replicas' },
      value: ({ status }) => status?.replicas ?? 0,
    },
    {
      name: 'Ready',
      type: 'integer',
      description: { type: 'core.v1.ReplicationControllerStatus', field: 'readyReplicas' },
      value: ({ status }) => status?.readyReplicas ?? 0,
    },
    ageColumn as Column<ReplicationController>,
    ...containerColumns<ReplicationController>(({ spec }) => spec?.template?.spec),
    {
      name: 'Selector',
      type: 'string',
      priority: 1,
      description: { type: 'core.v1.ReplicationControllerSpec', field: 'selector' },
      value: ({ spec }) => formatLabels(spec?.selector),
    },
  ],
  selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
});
