import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented } from '../../meta/columns.ts';
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
  columns: [
    nameColumn,
    {
      name: 'Value',
      type: 'integer',
      description: documented('scheduling.v1.PriorityClass', 'value'),
      value: ({ value }) => value ?? 0,
    },
    {
      name: 'Global-Default',
      type: 'boolean',
      description: documented('scheduling.v1.PriorityClass', 'globalDefault'),
      value: ({ globalDefault }) => globalDefault ?? false,
    },
    ageColumn,
    {
      name: 'PreemptionPolicy',
      type: 'string',
      description: documented('scheduling.v1.PriorityClass', 'preemptionPolicy'),
      value: ({ preemptionPolicy }) => preemptionPolicy ?? '',
    },
  ],
});
