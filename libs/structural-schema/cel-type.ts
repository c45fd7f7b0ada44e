/** How a schema's values look to CEL: their types with bounds, and the values themselves. */

import { parseTimestampText } from '../cel/library/time-text.ts';
import {
  BOOL,
  BYTES,
  DOUBLE,
  DURATION,
  DYN,
  escapeName,
  INT,
  type ListSemantics,
  type ObjectField,
  STRING,
  TIMESTAMP,
  type Type,
} from '../cel/types.ts';
import {
  Duration,
  EvaluationError,
  ListValue,
  MapValue,
  ObjectValue,
  type Timestamp,
  type Value,
} from '../cel/values.ts';
import { parseWordyDuration } from './formats.ts';
import { isObject, itemsOf, listMapKeysOf, propertiesOf, type Schema, valuesOf } from './schema.ts';

/** A schema in CEL. */
export interface CelSchema {
  readonly type: Type;
  /** The fewest bytes that a value takes as JSON: how many of them fit into a request. */
  readonly minBytes: number;
  /** The value of what an object holds. */
  adapt(raw: unknown): Value;
}

/** The largest request that is read, in bytes. */
export const REQUEST_BYTES_MAX = 3 * 1024 * 1024;

const DURATION_LENGTH_MAX = 30;
const DATE_LENGTH_MAX = 10;
const DATE_TIME_LENGTH_MAX = 25;

/** Keys are as long as they are; the model that costs follow does not weigh them. */
const KEY: Type = { k: 'bounded', of: STRING, bounds: { max: 0 } };

/** undefined for a schema without a type, of whose values nothing can be known. `resource`: apiVersion, kind, metadata. */
export function celSchemaOf(schema: Schema, resource = false): CelSchema | undefined {
  if (schema['x-kubernetes-int-or-string']) {
    const type: Type = { k: 'bounded', of: DYN, bounds: { max: REQUEST_BYTES_MAX - 2 } };
    return { type, minBytes: 1, adapt: (raw) => (typeof raw === 'number' ? BigInt(Math.trunc(raw)) : (raw as Value)) };
  }
  switch (schema.type) {
    case 'array':
      return listSchema(schema);
    case 'object': {
      const values = valuesOf(schema);
      return values ? mapSchema(schema, values) : objectSchema(schema, resource || isEmbedded(schema));
    }
    case 'string':
      return textSchema(schema);
    case 'boolean':
      return { type: BOOL, minBytes: 4, adapt: (raw) => raw as Value };
    case 'number':
      return { type: DOUBLE, minBytes: 1, adapt: (raw) => (raw === null ? null : Number(raw)) };
    case 'integer':
      return { type: INT, minBytes: 1, adapt: adaptInteger };
    default:
      return undefined;
  }
}

const isEmbedded = (schema: Schema): boolean => schema['x-kubernetes-embedded-resource'] === true;

const adaptInteger = (raw: unknown): Value =>
  typeof raw === 'number' ? (Number.isInteger(raw) ? BigInt(raw) : raw) : (raw as Value);

/** How many items of a size fit into a request. */
const fitting = (minBytes: number, around: number): number => Math.floor((REQUEST_BYTES_MAX - 2) / (minBytes + around));

export function itemsMax(schema: Schema, items: CelSchema): number {
  return schema.maxItems === undefined ? fitting(items.minBytes, 1) : Math.max(0, Number(schema.maxItems));
}

function listSchema(schema: Schema): CelSchema | undefined {
  const stated = itemsOf(schema);
  const items = stated && celSchemaOf(stated);
  if (!items) return undefined;
  const semantics = semanticsOf(schema);
  return {
    type: { k: 'list', of: items.type, bounds: { max: itemsMax(schema, items) }, ...(semantics ? { semantics } : {}) },
    minBytes: 2,
    adapt: (raw) =>
      Array.isArray(raw)
        ? new ListValue(
            raw.map((item) => items.adapt(item)),
            semantics,
          )
        : null,
  };
}

function semanticsOf(schema: Schema): ListSemantics | undefined {
  const listType = schema['x-kubernetes-list-type'];
  if (listType === 'set') return { k: 'set' };
  return listType === 'map'
    ? { k: 'map', keys: listMapKeysOf(schema).flatMap((key) => escapeName(key) ?? []) }
    : undefined;
}

export function valuesMax(schema: Schema, values: CelSchema): number {
  return schema.maxProperties === undefined ? fitting(values.minBytes, 6) : Math.max(0, Number(schema.maxProperties));
}

function mapSchema(schema: Schema, stated: Schema): CelSchema | undefined {
  const values = celSchemaOf(stated);
  if (!values) return undefined;
  return {
    type: { k: 'map', key: KEY, of: values.type, bounds: { max: valuesMax(schema, values) } },
    minBytes: 2,
    adapt(raw) {
      if (!isObject(raw)) return null;
      return new MapValue(Object.entries(raw).map(([key, value]) => [key, values.adapt(value)] as const));
    },
  };
}

const METADATA: Schema = { type: 'object', properties: { name: { type: 'string' }, generateName: { type: 'string' } } };

function objectSchema(schema: Schema, resource: boolean): CelSchema {
  const stated = new Map(propertiesOf(schema));
  if (resource) {
    for (const name of ['apiVersion', 'kind']) stated.set(name, { type: 'string' });
    stated.set('metadata', METADATA);
  }
  const fields = new Map<string, ObjectField>();
  const adapters = new Map<string, CelSchema>();
  let minBytes = 2;
  for (const [name, below] of stated) {
    const compiled = celSchemaOf(below);
    const escaped = escapeName(name);
    if (!compiled) continue;
    if (schema.required?.includes(name) && below.default === undefined) minBytes += name.length + compiled.minBytes + 4;
    if (escaped === undefined) continue;
    fields.set(escaped, { name, type: compiled.type });
    adapters.set(escaped, compiled);
  }
  const type = { k: 'object' as const, name: 'object', fields };
  return {
    type,
    minBytes,
    adapt(raw) {
      if (!isObject(raw)) return raw === null || raw === undefined ? null : (raw as Value);
      return new ObjectValue(type, raw, (value, field) => (adapters.get(field) as CelSchema).adapt(value));
    },
  };
}

function textSchema(schema: Schema): CelSchema {
  const bounded = (of: Type, max: number, adapt: (raw: unknown) => Value): CelSchema => ({
    type: { k: 'bounded', of, bounds: { max } },
    minBytes: 2,
    adapt: (raw) => (typeof raw === 'string' ? adapt(raw) : null),
  });
  const { format, maxLength } = schema;
  switch (format) {
    case 'byte':
      return bounded(BYTES, maxLength === undefined ? REQUEST_BYTES_MAX - 2 : Math.max(0, Number(maxLength)), (raw) =>
        bytesOf(raw as string),
      );
    case 'duration':
      return bounded(DURATION, DURATION_LENGTH_MAX, (raw) => {
        const nanos = parseWordyDuration(raw as string);
        if (nanos === undefined) throw new EvaluationError(`Invalid duration ${raw}`);
        return new Duration(nanos);
      });
    case 'date':
      return bounded(TIMESTAMP, DATE_LENGTH_MAX, (raw) => timestampOf(`${raw}T00:00:00Z`));
    case 'date-time':
      return bounded(TIMESTAMP, DATE_TIME_LENGTH_MAX, (raw) => timestampOf(raw as string));
    default:
      return bounded(STRING, textLengthMax(schema), (raw) => raw as string);
  }
}

/** In bytes: a character may take four of them. */
function textLengthMax(schema: Schema): number {
  if (schema.maxLength !== undefined) return Math.max(0, Number(schema.maxLength)) * 4;
  if (schema.enum) {
    return schema.enum.reduce<number>((max, one) => Math.max(max, typeof one === 'string' ? one.length : 0), 0);
  }
  return REQUEST_BYTES_MAX - 2;
}

function bytesOf(text: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    throw new EvaluationError(`illegal base64 data in ${text}`);
  }
}

function timestampOf(text: string): Timestamp {
  const value = parseTimestampText(text.toUpperCase());
  if (!value) throw new EvaluationError(`Invalid date ${text}`);
  return value;
}
