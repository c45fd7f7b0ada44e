import { defineKind } from '../../../libs/kind/kind.ts';
import type { Event } from '../../types/core/v1.generated.ts';
import { columns } from './columns.ts';
import { strategy } from './strategy.ts';
import { fieldLabels, fromCore, toCore } from './versions/events-v1.ts';

const HOUR_SECONDS = 3600;

export const event = defineKind<Event>({
  group: '',
  kind: 'Event',
  resource: 'events',
  namespaced: true,
  shortNames: ['ev'],
  versions: [
    { version: 'v1', type: 'core.v1.Event' },
    {
      group: 'events.k8s.io',
      version: 'v1',
      type: 'events.v1.Event',
      fieldLabels,
      toStorage: toCore,
      fromStorage: fromCore,
    },
  ],
  expireAfterSeconds: HOUR_SECONDS,
  strategy,
  columns,
  selectableFields: {
    'involvedObject.kind': (event) => event.involvedObject?.kind ?? '',
    'involvedObject.namespace': (event) => event.involvedObject?.namespace ?? '',
    'involvedObject.name': (event) => event.involvedObject?.name ?? '',
    'involvedObject.uid': (event) => event.involvedObject?.uid ?? '',
    'involvedObject.apiVersion': (event) => event.involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': (event) => event.involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': (event) => event.involvedObject?.fieldPath ?? '',
    reason: (event) => event.reason ?? '',
    reportingComponent: (event) => event.reportingComponent ?? '',
    // What wrote the event, whichever of the two fields says it.
    source: (event) => event.source?.component || (event.reportingComponent ?? ''),
    type: (event) => event.type ?? '',
  },
});
