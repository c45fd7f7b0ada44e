import { defineKind } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented, NONE } from '../../meta/columns.ts';
import type { IPAddress } from '../../types/networking/v1.generated.ts';
import { strategy } from './strategy.ts';

export const ipAddress = defineKind<IPAddress>({
  group: 'networking.k8s.io',
  kind: 'IPAddress',
  resource: 'ipaddresses',
  namespaced: false,
  shortNames: ['ip'],
  versions: [{ version: 'v1', type: 'networking.v1.IPAddress' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'ParentRef',
      type: 'string',
      description: documented('networking.v1.IPAddressSpec', 'parentRef'),
      value: parentText,
    },
    ageColumn,
  ],
});

function parentText({ spec }: DeepReadonly<IPAddress>): string {
  const { group, resource, namespace, name } = spec?.parentRef ?? {};
  if (resource === undefined) return NONE;
  const kind = group ? `${resource}.${group}` : resource;
  return namespace ? `${kind}/${namespace}/${name}` : `${kind}/${name}`;
}
