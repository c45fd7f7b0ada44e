import type { Column } from '../../../libs/kind/column.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { scaleSubresource } from '../../autoscaling/scale.ts';
import { containerColumns } from '../../core/podtemplate/columns.ts';
import type { StatefulSet } from '../../types/apps/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const statefulSet = defineKind<StatefulSet>({
  group: 'apps',
  kind: 'StatefulSet',
  resource: 'statefulsets',
  namespaced: true,
  shortNames: ['sts'],
  categories: ['all'],
  versions: [{ version: 'v1', type: 'apps.v1.StatefulSet' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy }, scale: scaleSubresource() },
  columns: [
    nameColumn as Column<StatefulSet>,
    {
      name: 'Ready',
      type: 'string',
      description: 'How many pods are ready, of how many wanted',
      value: ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec?.replicas ?? 0}`,
    },
    ageColumn as Column<StatefulSet>,
    ...containerColumns<StatefulSet>(({ spec }) => spec?.template?.spec),
  ],
});
