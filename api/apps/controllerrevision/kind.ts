import { defineKind } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { formatGroupKind, parseApiVersion } from '../../../libs/machinery/gvk.ts';
import type { ControllerRevision } from '../../types/apps/v1.generated.ts';
import { strategy } from './strategy.ts';

export const controllerRevision = defineKind<ControllerRevision>({
  group: 'apps',
  kind: 'ControllerRevision',
  resource: 'controllerrevisions',
  namespaced: true,
  versions: [{ version: 'v1', type: 'apps.v1.ControllerRevision' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'Controller',
      type: 'string',
      description: 'Whose revision it is',
      value: controllerName,
    },
    {
      name: 'Revision',
      type: 'string',
      description: { type: 'apps.v1.ControllerRevision', field: 'revision' },
      value: ({ revision }) => Number(revision ?? 0),
    },
    ageColumn,
  ],
});

/** `daemonset.apps/name` */
function controllerName({ metadata }: DeepReadonly<ControllerRevision>): string {
  const owner = metadata?.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return '<none>';
  const { group } = parseApiVersion(owner.apiVersion);
  return `${formatGroupKind({ group, kind: owner.kind }).toLowerCase()}/${owner.name}`;
}
