import { defineKind } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { ResourceQuota } from '../../types/core/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const resourceQuota = defineKind<ResourceQuota>({
  group: '',
  kind: 'ResourceQuota',
  resource: 'resourcequotas',
  namespaced: true,
  shortNames: ['quota'],
  versions: [{ version: 'v1', type: 'core.v1.ResourceQuota' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [
    nameColumn,
    {
      name: 'Request',
      type: 'string',
      description: 'How much of what may be requested or counted is used: used/hard',
      value: (quota) => usage(quota, (resource) => !resource.startsWith('limits.')),
    },
    {
      name: 'Limit',
      type: 'string',
      description: 'How much of what limits may add up to is used: used/hard',
      value: (quota) => usage(quota, (resource) => resource.startsWith('limits.')),
    },
    ageColumn,
  ],
});

function usage({ status }: DeepReadonly<ResourceQuota>, shown: (resource: string) => boolean): string {
  const resources = Object.keys(status?.hard ?? {})
    .filter(shown)
    .sort();
  return resources.map((one) => `${one}: ${status?.used?.[one] ?? '0'}/${status?.hard?.[one]}`).join(', ');
}
