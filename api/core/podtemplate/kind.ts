import type { Column } from '../../../libs/kind/column.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import { nameColumn } from '../../../libs/kind/standard-columns.ts';
import { formatLabels } from '../../../libs/machinery/labels.ts';
import type { PodTemplate } from '../../types/core/v1.generated.ts';
import { containerColumns } from './columns.ts';
import { strategy } from './strategy.ts';

export const podTemplate = defineKind<PodTemplate>({
  group: '',
  kind: 'PodTemplate',
  resource: 'podtemplates',
  namespaced: true,
  versions: [{ version: 'v1', type: 'core.v1.PodTemplate' }],
  strategy,
  columns: [
    nameColumn as Column<PodTemplate>,
    ...containerColumns<PodTemplate>(({ template }) => template?.spec, 0),
    {
      name: 'Pod Labels',
      type: 'string',
      description: 'What pods made from the template are labelled with',
      value: ({ template }) => formatLabels(template?.metadata?.labels),
    },
  ],
});
