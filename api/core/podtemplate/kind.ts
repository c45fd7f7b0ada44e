import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import type { PodTemplate } from '../../types/core/v1.generated.ts';
import { strategy } from './strategy.ts';

export const podTemplate = defineKind<PodTemplate>({
  group: '',
  kind: 'PodTemplate',
  resource: 'podtemplates',
  namespaced: true,
  versions: [{ version: 'v1', type: 'core.v1.PodTemplate' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
