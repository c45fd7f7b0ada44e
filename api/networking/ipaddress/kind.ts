import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
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
  columns: [nameColumn, ageColumn],
});
