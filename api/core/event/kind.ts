import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import type { Event } from '../../types/core/v1.generated.ts';
import { strategy } from './strategy.ts';

export const event = defineKind<Event>({
  group: '',
  kind: 'Event',
  resource: 'events',
  namespaced: true,
  shortNames: ['ev'],
  versions: [{ version: 'v1', type: 'core.v1.Event' }],
  expireAfterSeconds: 3600,
  strategy,
  columns: [nameColumn, ageColumn],
});
