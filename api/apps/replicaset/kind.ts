import type { Column } from '../../../libs/kind/column.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { formatLabelSelector } from '../../../libs/machinery/labels.ts';
import { scaleSubresource } from '../../autoscaling/scale.ts';
import { containerColumns } from '../../core/podtemplate/columns.ts';
import type { ReplicaSet } from '../../types/apps/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

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
  columns: [
    nameColumn as Column<ReplicaSet>,
    {
      name: 'Desired',
      type: 'integer',
      description: { type: 'apps.v1.ReplicaSetSpec', field: 'replicas' },
      value: ({ spec }) => spec?.replicas ?? 0,
    },
    {
      name: 'Current',
      type: 'integer',
      description: { type: 'apps.v1.ReplicaSetStatus', field: 'replicas' },
      value: ({ status }) => status?.replicas ?? 0,
    },
    {
      name: 'Ready',
      type: 'integer',
      description: { type: 'apps.v1.ReplicaSetStatus', field: 'readyReplicas' },
      value: ({ status }) => status?.readyReplicas ?? 0,
    },
    ageColumn as Column<ReplicaSet>,
    ...containerColumns<ReplicaSet>(({ spec }) => spec?.template?.spec),
    {
      name: 'Selector',
      type: 'string',
      priority: 1,
      description: { type: 'apps.v1.ReplicaSetSpec', field: 'selector' },
      value: ({ spec }) => formatLabelSelector(spec?.selector),
    },
  ],
  selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
});
