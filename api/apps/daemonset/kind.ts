import type { Column } from '../../../libs/kind/column.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { formatLabelSelector, formatLabels } from '../../../libs/machinery/labels.ts';
import { containerColumns } from '../../core/podtemplate/columns.ts';
import type { DaemonSet } from '../../types/apps/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const daemonSet = defineKind<DaemonSet>({
  group: 'apps',
  kind: 'DaemonSet',
  resource: 'daemonsets',
  namespaced: true,
  shortNames: ['ds'],
  categories: ['all'],
  versions: [{ version: 'v1', type: 'apps.v1.DaemonSet' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [
    nameColumn as Column<DaemonSet>,
    {
      name: 'Desired',
      type: 'integer',
      description: { type: 'apps.v1.DaemonSetStatus', field: 'desiredNumberScheduled' },
      value: ({ status }) => status?.desiredNumberScheduled ?? 0,
    },
    {
      name: 'Current',
      type: 'integer',
      description: { type: 'apps.v1.DaemonSetStatus', field: 'currentNumberScheduled' },
      value: ({ status }) => status?.currentNumberScheduled ?? 0,
    },
    {
      name: 'Ready',
      type: 'integer',
      description: { type: 'apps.v1.DaemonSetStatus', field: 'numberReady' },
      value: ({ status }) => status?.numberReady ?? 0,
    },
    {
      name: 'Up-to-date',
      type: 'integer',
      description: { type: 'apps.v1.DaemonSetStatus', field: 'updatedNumberScheduled' },
      value: ({ status }) => status?.updatedNumberScheduled ?? 0,
    },
    {
      name: 'Available',
      type: 'integer',
      description: { type: 'apps.v1.DaemonSetStatus', field: 'numberAvailable' },
      value: ({ status }) => status?.numberAvailable ?? 0,
    },
    {
      name: 'Node Selector',
      type: 'string',
      description: { type: 'core.v1.PodSpec', field: 'nodeSelector' },
      value: ({ spec }) => formatLabels(spec?.template?.spec?.nodeSelector),
    },
    ageColumn as Column<DaemonSet>,
    ...containerColumns<DaemonSet>(({ spec }) => spec?.template?.spec),
    {
      name: 'Selector',
      type: 'string',
      priority: 1,
      description: { type: 'apps.v1.DaemonSetSpec', field: 'selector' },
      value: ({ spec }) => formatLabelSelector(spec?.selector),
    },
  ],
});
