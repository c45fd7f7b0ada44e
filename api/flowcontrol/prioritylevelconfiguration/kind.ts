import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented, NONE } from '../../meta/columns.ts';
import type { PriorityLevelConfiguration } from '../../types/flowcontrol/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const priorityLevelConfiguration = defineKind<PriorityLevelConfiguration>({
  group: 'flowcontrol.apiserver.k8s.io',
  kind: 'PriorityLevelConfiguration',
  resource: 'prioritylevelconfigurations',
  namespaced: false,
  versions: [{ version: 'v1', type: 'flowcontrol.v1.PriorityLevelConfiguration' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [
    nameColumn,
    {
      name: 'Type',
      type: 'string',
      description: documented('flowcontrol.v1.PriorityLevelConfigurationSpec', 'type'),
      value: ({ spec }) => spec?.type ?? '',
    },
    {
      name: 'NominalConcurrencyShares',
      type: 'string',
      description: documented('flowcontrol.v1.LimitedPriorityLevelConfiguration', 'nominalConcurrencyShares'),
      value: ({ spec }) => spec?.limited?.nominalConcurrencyShares ?? NONE,
    },
    {
      name: 'Queues',
      type: 'string',
      description: documented('flowcontrol.v1.QueuingConfiguration', 'queues'),
      value: ({ spec }) => spec?.limited?.limitResponse?.queuing?.queues ?? NONE,
    },
    {
      name: 'HandSize',
      type: 'string',
      description: documented('flowcontrol.v1.QueuingConfiguration', 'handSize'),
      value: ({ spec }) => spec?.limited?.limitResponse?.queuing?.handSize ?? NONE,
    },
    {
      name: 'QueueLengthLimit',
      type: 'string',
      description: documented('flowcontrol.v1.QueuingConfiguration', 'queueLengthLimit'),
      value: ({ spec }) => spec?.limited?.limitResponse?.queuing?.queueLengthLimit ?? NONE,
    },
    ageColumn,
  ],
});
