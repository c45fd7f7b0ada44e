import type { ApiObject, DeepReadonly } from './object.ts';

/** One column of a kind's table, as `kubectl get` shows it and `application/json;as=Table` tells it. */
export interface Column<T extends ApiObject = ApiObject> {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  /** `name` for the column with the object's name, else empty or an OpenAPI format. */
  readonly format?: string;
  readonly description: string;
  /** 0 (default) is always shown, 1 with `-o wide`. */
  readonly priority?: number;
  /** The cell. `nowMs` is wall time, for ages. Must answer for every object, however incomplete. */
  value(object: DeepReadonly<T>, nowMs: number): string | number | boolean | null;
}
