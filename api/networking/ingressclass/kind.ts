import { defineKind } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { NONE } from '../../meta/columns.ts';
import type { IngressClass } from '../../types/networking/v1.generated.ts';
import { strategy } from './strategy.ts';

export const ingressClass = defineKind<IngressClass>({
  group: 'networking.k8s.io',
  kind: 'IngressClass',
  resource: 'ingressclasses',
  namespaced: false,
  versions: [{ version: 'v1', type: 'networking.v1.IngressClass' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'Controller',
      type: 'string',
      description: 'Who carries out Ingresses of this class',
      value: ({ spec }) => spec?.controller ?? '',
    },
    {
      name: 'Parameters',
      type: 'string',
      description: 'Where the controller finds more settings',
      value: parametersText,
    },
    ageColumn,
  ],
});

function parametersText({ spec }: DeepReadonly<IngressClass>): string {
  const { apiGroup, kind, name } = spec?.parameters ?? {};
  if (kind === undefined) return NONE;
  return `${apiGroup ? `${kind}.${apiGroup}` : kind}/${name}`;
}
