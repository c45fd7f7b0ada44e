import type { TypeName } from '../machinery/schema/ir.ts';
import type { ApiObject, DeepReadonly } from './object.ts';

/** One column of a kind's table, as `kubectl get` shows it and `application/json;as=Table` tells it. */
export interface Column<T extends ApiObject = ApiObject> {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  /** `name` for the column with the object's name, else empty or an OpenAPI format. */
  readonly format?: string;
  /** A text of ours, or the field whose documentation in the published schema says it. */
  readonly description: string | DocumentedField;
  /** 0 (default) is always shown, 1 with `-o wide`. */
  readonly priority?: number;
  /** The cell. `nowMs` is wall time, for ages. Must answer for every object, however incomplete. */
  value(object: DeepReadonly<T>, nowMs: number): string | number | boolean | null;
}

/** `Completed`: the object has run to its end and is of no more interest. */
export interface RowCondition {
  readonly type: 'Completed';
  readonly status: 'True';
  readonly reason: string;
  readonly message: string;
}

/** A field of a built-in type. Its documentation is there where the published schema was built in, else empty. */
export interface DocumentedField {
  readonly type: TypeName;
  /** Undefined: the type's own documentation. */
  readonly field?: string;
}

/** Looks documentation up; undefined where there is none. */
export type Documentation = (type: TypeName, field?: string) => string | undefined;
