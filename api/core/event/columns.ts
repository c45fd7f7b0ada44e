import type { Column } from '../../../libs/kind/column.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { nameColumn } from '../../../libs/kind/standard-columns.ts';
import { ageOf } from '../../../libs/machinery/printers/duration.ts';
import type { Event } from '../../types/core/v1.generated.ts';

type Seen = DeepReadonly<Event>;

const field = (name: string) => ({ type: 'core.v1.Event', field: name });
const firstSeen = (event: Seen) => event.firstTimestamp ?? event.eventTime;
const lastSeen = (event: Seen) => event.series?.lastObservedTime ?? event.lastTimestamp ?? firstSeen(event);

export const columns: readonly Column<Event>[] = [
  {
    name: 'Last Seen',
    type: 'string',
    description: field('lastTimestamp'),
    value: (event, nowMs) => ageOf(lastSeen(event), nowMs),
  },
  { name: 'Type', type: 'string', description: field('type'), value: (event) => event.type ?? '' },
  { name: 'Reason', type: 'string', description: field('reason'), value: (event) => event.reason ?? '' },
  {
    name: 'Object',
    type: 'string',
    description: field('involvedObject'),
    value({ involvedObject: { kind = '', name = '' } = {} }) {
      return name === '' ? kind.toLowerCase() : `${kind.toLowerCase()}/${name}`;
    },
  },
  {
    name: 'Subobject',
    type: 'string',
    priority: 1,
    description: { type: 'core.v1.ObjectReference', field: 'fieldPath' },
    value: (event) => event.involvedObject?.fieldPath ?? '',
  },
  { name: 'Source', type: 'string', priority: 1, description: field('source'), value: sourceOf },
  { name: 'Message', type: 'string', description: field('message'), value: (event) => (event.message ?? '').trim() },
  {
    name: 'First Seen',
    type: 'string',
    priority: 1,
    description: field('firstTimestamp'),
    value: (event, nowMs) => ageOf(firstSeen(event), nowMs),
  },
  {
    name: 'Count',
    type: 'string',
    priority: 1,
    description: field('count'),
    value: (event) => event.series?.count ?? (event.count || 1),
  },
  { ...nameColumn, priority: 1 },
];

function sourceOf({ source, reportingComponent, reportingInstance }: Seen): string {
  const component = source?.component || reportingComponent || '';
  const place = source?.component ? (source.host ?? '') : source?.host || reportingInstance || '';
  return place === '' ? component : `${component}, ${place}`;
}
