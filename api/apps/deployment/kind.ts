import type { Column } from '../../../libs/kind/column.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { formatLabelSelector } from '../../../libs/machinery/labels.ts';
import { scaleSubresource } from '../../autoscaling/scale.ts';
import { containerColumns } from '../../core/podtemplate/columns.ts';
import type { Deployment } from '../../types/apps/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const deployment = defineKind<Deployment>({
  group: 'apps',
  kind: 'Deployment',
  resource: 'deployments',
  namespaced: true,
  shortNames: ['deploy'],
  categories: ['all'],
  versions: [{ version: 'v1', type: 'apps.v1.Deployment' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy }, scale: scaleSubresource() },
  columns: [
    nameColumn as Column<Deployment>,
    {
      name: 'Ready',
      type: 'string',
      description: 'How many pods are ready, of how many wanted',
      value: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    },
    {
      name: 'Up-to-date',
      type: 'string',
      description: { type: 'apps.v1.DeploymentStatus', field: 'updatedReplicas' },
      value: ({ status }) => status?.updatedReplicas ?? 0,
    },
    {
      name: 'Available',
      type: 'string',
      description: { type: 'apps.v1.DeploymentStatus', field: 'availableReplicas' },
      value: ({ status }) => status?.availableReplicas ?? 0,
    },
    ageColumn as Column<Deployment>,
    ...containerColumns<Deployment>(({ spec }) => spec?.template?.spec),
    {
      name: 'Selector',
      type: 'string',
      priority: 1,
      description: { type: 'apps.v1.DeploymentSpec', field: 'selector' },
      value: ({ spec }) => formatLabelSelector(spec?.selector),
    },
  ],
});
