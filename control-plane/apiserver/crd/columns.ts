import type { Column } from '../../../libs/kind/column.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { ageOf } from '../../../libs/machinery/printers/duration.ts';
import { epochMs } from '../../../libs/machinery/time.ts';
import type { DefinitionVersion } from './custom-kind.ts';
import { type JsonPath, parseJsonPath, printed } from './json-path.ts';

type Stated = NonNullable<DefinitionVersion['additionalPrinterColumns']>[number];

const createdAt: Column = Object.freeze({ ...ageColumn, type: 'date' as const });

/** The columns of a version: the name and what its definition adds, or the age where it adds nothing. */
export function columnsOf({ additionalPrinterColumns: stated = [] }: DefinitionVersion): readonly Column[] {
  if (stated.length === 0) return [nameColumn, createdAt];
  const columns: Column[] = [nameColumn];
  for (const column of stated) {
    const path = parseJsonPath(column.jsonPath);
    // What cannot be read ends the list: the columns before it are shown.
    if (!path) break;
    columns.push(columnOf(column, path));
  }
  return columns;
}

function columnOf(stated: Stated, path: JsonPath): Column {
  const type = stated.type as Column['type'];
  return Object.freeze({
    name: stated.name,
    type,
    format: stated.format ?? '',
    description: stated.description || `Custom resource definition column (in JSONPath format): ${stated.jsonPath}`,
    priority: stated.priority ?? 0,
    value(object: unknown, nowMs: number) {
      const found = path(object);
      const first = found?.[0];
      if (first === undefined || found === undefined) return null;
      return type === 'string' ? printed(first) : cellOf(type, first, nowMs);
    },
  });
}

/** A value in the column's type; null where it is of another. */
function cellOf(type: Column['type'], value: unknown, nowMs: number): string | number | boolean | null {
  switch (type) {
    case 'integer':
      return typeof value === 'number' || typeof value === 'bigint' ? Math.trunc(Number(value)) : null;
    case 'number':
      return typeof value === 'number' || typeof value === 'bigint' ? Number(value) : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value !== 'string' ? null : epochMs(value) === undefined ? '<invalid>' : ageOf(value, nowMs);
    default:
      return null;
  }
}
