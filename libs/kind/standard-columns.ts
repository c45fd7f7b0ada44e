import { ageOf } from '../machinery/printers/duration.ts';
import type { Column } from './column.ts';
import type { ApiObject, DeepReadonly } from './object.ts';

/** The column that every table begins with. */
export const nameColumn: Column = Object.freeze({
  name: 'Name',
  type: 'string',
  format: 'name',
  description: { type: 'meta.v1.ObjectMeta', field: 'name' },
  value: (object: DeepReadonly<ApiObject>) => object.metadata?.name ?? '',
});

/** The column that most tables end with. */
export const ageColumn: Column = Object.freeze({
  name: 'Age',
  type: 'string',
  description: { type: 'meta.v1.ObjectMeta', field: 'creationTimestamp' },
  value: (object: DeepReadonly<ApiObject>, nowMs: number) => ageOf(object.metadata?.creationTimestamp, nowMs),
});
