import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented, NONE } from '../../meta/columns.ts';
import type { FlowSchema } from '../../types/flowcontrol/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const flowSchema = defineKind<FlowSchema>({
  group: 'flowcontrol.apiserver.k8s.io',
  kind: 'FlowSchema',
  resource: 'flowschemas',
  namespaced: false,
  versions: [{ version: 'v1', type: 'flowcontrol.v1.FlowSchema' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [
    nameColumn,
    {
      name: 'PriorityLevel',
      type: 'string',
      description: documented('flowcontrol.v1.PriorityLevelConfigurationReference', 'name'),
      value: ({ spec }) => spec?.priorityLevelConfiguration?.name ?? '',
    },
    {
      name: 'MatchingPrecedence',
      type: 'string',
      description: documented('flowcontrol.v1.FlowSchemaSpec', 'matchingPrecedence'),
      value: ({ spec }) => spec?.matchingPrecedence ?? 0,
    },
    {
      name: 'DistinguisherMethod',
      type: 'string',
      description: documented('flowcontrol.v1.FlowSchemaSpec', 'distinguisherMethod'),
      value: ({ spec }) => spec?.distinguisherMethod?.type ?? NONE,
    },
    ageColumn,
    {
      name: 'MissingPL',
      type: 'string',
      description: 'Whether the priority level that it names is missing',
      value: ({ status }) => status?.conditions?.find(({ type }) => type === 'Dangling')?.status ?? '?',
    },
  ],
});
