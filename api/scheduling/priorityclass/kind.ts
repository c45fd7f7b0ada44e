import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { PriorityClass } from '../../types/scheduling/v1.generated.ts';
import { strategy } from './strategy.ts';

export const priorityClass = defineKind<PriorityClass>({
  group: 'scheduling.k8s.io',
  kind: 'PriorityClass',
  resource: 'priorityclasses',
  namespaced: false,
  shortNames: ['pc'],
  versions: [{ version: 'v1', type: 'scheduling.v1.PriorityClass' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
