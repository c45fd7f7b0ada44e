import type { Column, Documentation, RowCondition } from '../../../libs/kind/column.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import { deepFreeze } from '../../../libs/machinery/freeze.ts';
import { partialMetadata } from './object-writer.ts';

export interface TableOptions {
  readonly asVersion: 'v1' | 'v1beta1';
  /** What each row carries of its object. */
  readonly includeObject: 'None' | 'Metadata' | 'Object';
  /** With the definitions of the columns. */
  readonly columns: boolean;
  /** Wall time, for ages. */
  readonly nowMs: number;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Where the documentation of fields is, if it is. */
  readonly documentation?: Documentation;
}

/** An object of a table: as it is stored, from which the cells are made, and as the version asked for shows it. */
export interface TableObject {
  readonly stored: DeepReadonly<ApiObject>;
  readonly shown: DeepReadonly<ApiObject>;
}

/** A `meta.k8s.io` Table of the objects, by its kind's or version's columns, deeply frozen. */
export function tableOf(
  { columns, rowConditions }: Pick<Kind, 'columns' | 'rowConditions'>,
  objects: readonly TableObject[],
  options: TableOptions,
): unknown {
  return deepFreeze({
    kind: 'Table',
    apiVersion: `meta.k8s.io/${options.asVersion}`,
    metadata: options.metadata,
    columnDefinitions: options.columns ? columns.map((column) => definition(column, options.documentation)) : null,
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.value(object.stored, options.nowMs)),
      ...conditionsOf(rowConditions?.(object.stored)),
      object: rowObject(object, options),
    })),
  });
}

const conditionsOf = (conditions: readonly RowCondition[] = []) => (conditions.length > 0 ? { conditions } : {});

function definition(column: Column, documentation: Documentation | undefined): Readonly<Record<string, unknown>> {
  const { name, type, format = '', description, priority = 0 } = column;
  const text = typeof description === 'string' ? description : documentation?.(description.type, description.field);
  return { name, type, format, description: text ?? '', priority };
}

function rowObject({ shown }: TableObject, { includeObject, asVersion }: TableOptions): unknown {
  if (includeObject === 'None') return null;
  return includeObject === 'Object' ? shown : partialMetadata(shown, asVersion);
}
