import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import type { ControllerRevision } from '../../types/apps/v1.generated.ts';
import { strategy } from './strategy.ts';

export const controllerRevision = defineKind<ControllerRevision>({
  group: 'apps',
  kind: 'ControllerRevision',
  resource: 'controllerrevisions',
  namespaced: true,
  versions: [{ version: 'v1', type: 'apps.v1.ControllerRevision' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
