import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import type { Endpoints } from '../../types/core/v1.generated.ts';
import { strategy } from './strategy.ts';

export const endpoints = defineKind<Endpoints>({
  group: '',
  kind: 'Endpoints',
  resource: 'endpoints',
  namespaced: true,
  shortNames: ['ep'],
  versions: [{ version: 'v1', type: 'core.v1.Endpoints' }],
  strategy,
  columns: [nameColumn, ageColumn],
});
