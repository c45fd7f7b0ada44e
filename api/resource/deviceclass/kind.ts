import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { DeviceClass } from '../../types/resource/v1.generated.ts';
import { strategy } from './strategy.ts';

export const deviceClass = defineKind<DeviceClass>({
  group: 'resource.k8s.io',
  kind: 'DeviceClass',
  resource: 'deviceclasses',
  namespaced: false,
  versions: [{ version: 'v1', type: 'resource.v1.DeviceClass' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
