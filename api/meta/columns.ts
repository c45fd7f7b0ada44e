/** Pieces of the tables of many kinds. */
import type { Column, DocumentedField } from '../../libs/kind/column.ts';
import type { ApiObject, DeepReadonly } from '../../libs/kind/object.ts';
import type { TypeName } from '../../libs/machinery/schema/ir.ts';
import { canonicalTime } from '../../libs/machinery/time.ts';

export const NONE = '<none>';
export const UNSET = '<unset>';
const SHOWN_MAX = 3;

/** Where the words about a column's field stand. */
export const documented = (type: TypeName, field?: string): DocumentedField => (field ? { type, field } : { type });

/** The first few of a list, and how many more there are. */
export function firstFew(items: readonly string[], none: string): string {
  if (items.length === 0) return none;
  const shown = items.slice(0, SHOWN_MAX).join(',');
  return items.length > SHOWN_MAX ? `${shown} + ${items.length - SHOWN_MAX} more...` : shown;
}

/** Some kinds show when they were made as a time, not as an age. */
export const createdAtColumn: Column = Object.freeze({
  name: 'Created At',
  type: 'date',
  description: { type: 'meta.v1.ObjectMeta', field: 'creationTimestamp' },
  value: (object: DeepReadonly<ApiObject>) => canonicalTime(object.metadata?.creationTimestamp ?? '') ?? '<unknown>',
});
