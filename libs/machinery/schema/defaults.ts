import { copyValue } from '../copy.ts';
import type { Field, SchemaSet, StructType, TypeName, TypeRef } from './ir.ts';

type Fill = (value: Record<string, unknown>) => void;

/**
 * Fills the defaults that a schema states (`Field.default`) into an object, in place. Built-in types state few (`protocol:
 * TCP`), custom ones all theirs. Fields that are there, be it as `null` where nullable, stay. A struct that is absent is not
 * made for the sake of its members' defaults. Frozen parts are a stored object's, which had its defaults, and stay, too.
 */
export function applyDefaults(set: SchemaSet, type: TypeName, object: object): void {
  fillerOf(set, set.get(type))?.(object as Record<string, unknown>);
}

/** As `applyDefaults`, for a struct that is not in a set (a CRD version's). */
export function applyStructDefaults(set: SchemaSet, type: StructType, object: object): void {
  fillerOf(set, type)?.(object as Record<string, unknown>);
}

const fillers = new WeakMap<StructType, { fill: Fill | undefined }>();

/** Compiled once a type; undefined when nothing below it has a default. */
function fillerOf(set: SchemaSet, type: StructType): Fill | undefined {
  const known = fillers.get(type);
  if (known) return known.fill;
  // Types may contain themselves (JSONSchemaProps): look it up again when it is called.
  const slot: { fill: Fill | undefined } = { fill: (value) => slot.fill?.(value) };
  fillers.set(type, slot);
  const steps: Fill[] = [];
  for (const field of type.fields) {
    const step = stepOf(set, field);
    if (step) steps.push(step);
  }
  slot.fill = steps.length === 0 ? undefined : (value) => steps.forEach((step) => step(value));
  return slot.fill;
}

function stepOf(set: SchemaSet, field: Field): Fill | undefined {
  const { name } = field;
  const below = visitorOf(set, field.type);
  const value = isDefault(field) ? field.default : undefined;
  if (value === undefined && !below) return undefined;
  return (object) => {
    if (value !== undefined && (!Object.hasOwn(object, name) || (object[name] === null && !field.nullable))) {
      if (!Object.isFrozen(object)) object[name] = copyValue(value);
    }
    if (below && Object.hasOwn(object, name)) below(object[name]);
  };
}

/** A published default that is the zero value of a required field says nothing. */
function isDefault(field: Field): boolean {
  const value = field.default;
  if (value === undefined) return false;
  if (field.goType === undefined) return true;
  return (
    value !== '' &&
    value !== 0 &&
    value !== false &&
    !(typeof value === 'object' && value !== null && Object.keys(value).length === 0)
  );
}

function visitorOf(set: SchemaSet, ref: TypeRef): ((value: unknown) => void) | undefined {
  switch (ref.k) {
    case 'ref':
    case 'struct': {
      const fill = fillerOf(set, ref.k === 'ref' ? set.get(ref.name) : ref.type);
      return fill && ((value) => isObject(value) && fill(value));
    }
    case 'list': {
      const visit = visitorOf(set, ref.of);
      return visit && ((value) => Array.isArray(value) && value.forEach((item) => visit(item)));
    }
    case 'map': {
      const visit = visitorOf(set, ref.of);
      return visit && ((value) => isObject(value) && Object.values(value).forEach((item) => visit(item)));
    }
    default:
      return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
