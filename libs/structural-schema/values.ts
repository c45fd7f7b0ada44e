/**
 * Whether a value is what its schema asks for. A schema is compiled once to closures; validating a good object makes no
 * strings. Errors read, and stand in the order, as upstream's validator gives them:
 *
 *     const check = compileValues(schema);
 *     check(object);                       // spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"
 *     check(object, { old });              // what was wrong before and has not changed is let through ("ratcheting")
 */

import { RE2JS } from 're2js';
import { stringify } from '../machinery/codec/json.ts';
import * as field from '../machinery/field-errors.ts';
import { float } from '../machinery/quote.ts';
import { correlateItems } from './correlate.ts';
import { FORMATS } from './formats.ts';
import { sameJson } from './same-json.ts';
import { isObject, itemsOf, propertiesOf, type Schema, valuesOf } from './schema.ts';

export type CheckValues = (
  value: unknown,
  options?: { readonly old?: unknown; readonly at?: string },
) => field.ErrorList;

/** Where a value is; written out only for an error. */
interface Where {
  readonly above: Where | undefined;
  readonly step: string | number;
}

/** What one check found. `matched` counts the checks that were made: of alternatives, the one that got furthest is told. */
interface Found {
  readonly errors: field.ErrorList;
  matched: number;
}

/** `old`: the value that this one replaces; undefined where there is none that could be told to be it. */
type Check = (value: unknown, old: unknown, where: Where | undefined, found: Found) => void;

export function compileValues(schema: Schema): CheckValues {
  const check = compile(schema);
  return (value, { old, at = '' } = {}) => {
    const found: Found = { errors: [], matched: 0 };
    check(value, old, at === '' ? undefined : { above: undefined, step: at }, found);
    return found.errors;
  };
}

function pathOf(where: Where | undefined): string {
  if (where === undefined) return '';
  const above = pathOf(where.above);
  if (typeof where.step === 'number') return `${above}[${where.step}]`;
  return above === '' ? where.step : `${above}.${where.step}`;
}

const fresh = (): Found => ({ errors: [], matched: 0 });

/** An error at no place in particular: its message names the place. */
const composite = (message: string): field.FieldError => field.invalid(undefined, '', message);

function inBody(
  where: Where | undefined,
  type: 'invalid' | 'typeInvalid',
  value: unknown,
  text: string,
): field.FieldError {
  const path = pathOf(where);
  const report = type === 'invalid' ? field.invalid : field.typeInvalid;
  return report(path === '' ? '' : path, value, `${path} in body ${text}`);
}

function compile(schema: Schema): Check {
  const types = typesOf(schema);
  const checks = [
    typeCheck(schema, types),
    schemasCheck(schema),
    stringCheck(schema),
    formatCheck(schema, types),
    numberCheck(schema, types),
    listCheck(schema),
    enumCheck(schema),
    objectCheck(schema),
  ].filter((check) => check !== undefined);
  const forNull = [typeCheck(schema, types), enumCheck(schema)].filter((check) => check !== undefined);
  return (value, old, where, found) => {
    const mark = found.errors.length;
    for (const check of value === null ? forNull : checks) check(value, old, where, found);
    found.matched++;
    // What is no worse than it was may stay.
    if (found.errors.length > mark && old !== undefined && sameJson(value, old)) found.errors.length = mark;
  };
}

function typesOf(schema: Schema): readonly string[] {
  if (schema['x-kubernetes-int-or-string']) return ['integer', 'string'];
  return schema.type ? [schema.type] : [];
}

/** The type of a value as schemas call it. */
export function typeOfValue(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'boolean';
    case 'bigint':
      return 'integer';
    case 'number':
      return Number.isInteger(value) ? 'integer' : 'number';
    default:
      return 'object';
  }
}

function typeCheck(schema: Schema, types: readonly string[]): Check | undefined {
  if (types.length === 0) return undefined;
  const wanted = types.join(',');
  const allowed = new Set(types.includes('number') ? [...types, 'integer'] : types);
  return (value, _old, where, found) => {
    found.matched++;
    const type = typeOfValue(value);
    if (allowed.has(type) || (type === 'null' && schema.nullable)) return;
    found.errors.push(inBody(where, 'typeInvalid', type, `must be of type ${wanted}: "${type}"`));
  };
}

// Schemas within schemas

function schemasCheck({ anyOf = [], oneOf = [], allOf = [], not }: Schema): Check {
  const [anyChecks, oneChecks, allChecks] = [anyOf.map(compile), oneOf.map(compile), allOf.map(compile)];
  const notCheck = not && compile(not);
  return (value, old, where, found) => {
    if (anyChecks.length > 0) checkAny(anyChecks, value, old, where, found);
    if (oneChecks.length > 0) checkOne(oneChecks, value, old, where, found);
    if (allChecks.length > 0) checkAll(allChecks, value, old, where, found);
    if (notCheck) {
      const refused = fresh();
      notCheck(value, undefined, where, refused);
      if (refused.errors.length === 0) {
        found.errors.push(composite(`"${pathOf(where)}" must not validate the schema (not)`));
      }
    }
    found.matched += 2;
  };
}

function merge(found: Found, other: Found | undefined): void {
  if (!other) return;
  found.errors.push(...other.errors);
  found.matched += other.matched;
}

function checkAny(
  checks: readonly Check[],
  value: unknown,
  old: unknown,
  where: Where | undefined,
  found: Found,
): void {
  let best: Found | undefined;
  for (const check of checks) {
    const one = fresh();
    check(value, old, where, one);
    if (one.errors.length === 0) return merge(found, one);
    if (!best || one.matched > best.matched) best = one;
  }
  found.errors.push(composite(`"${pathOf(where)}" must validate at least one schema (anyOf)`));
  merge(found, best);
}

function checkOne(
  checks: readonly Check[],
  value: unknown,
  old: unknown,
  where: Where | undefined,
  found: Found,
): void {
  let best: Found | undefined;
  let valid = 0;
  let first: Found | undefined;
  for (const check of checks) {
    const one = fresh();
    check(value, old, where, one);
    if (one.errors.length === 0) {
      valid++;
      best = undefined;
      first ??= one;
    } else if (valid === 0 && (!best || one.matched > best.matched)) best = one;
  }
  if (valid === 1) return merge(found, first);
  const why = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`;
  found.errors.push(composite(`"${pathOf(where)}" must validate one and only one schema (oneOf). ${why}`));
  merge(found, best);
}

function checkAll(
  checks: readonly Check[],
  value: unknown,
  old: unknown,
  where: Where | undefined,
  found: Found,
): void {
  let valid = 0;
  for (const check of checks) {
    const one = fresh();
    check(value, old, where, one);
    if (one.errors.length === 0) valid++;
    merge(found, one);
  }
  if (valid === checks.length) return;
  const why = valid === 0 ? '. None validated' : '';
  found.errors.push(composite(`"${pathOf(where)}" must validate all the schemas (allOf)${why}`));
}

// Strings

/** Characters, not UTF-16 units. */
function lengthOf(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0xd800 && code <= 0xdbff && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) length--;
  }
  return length;
}

function stringCheck({ maxLength, minLength, pattern }: Schema): Check | undefined {
  const regexp = pattern ? compilePattern(pattern) : undefined;
  return (value, _old, where, found) => {
    if (typeof value !== 'string') return;
    found.matched++;
    const length = maxLength !== undefined || minLength !== undefined ? lengthOf(value) : 0;
    if (maxLength !== undefined && length > maxLength) {
      found.errors.push(field.tooLong(pathOf(where), Number(maxLength)));
    } else if (minLength !== undefined && length < minLength) {
      found.errors.push(inBody(where, 'invalid', value, `should be at least ${minLength} chars long`));
    } else if (regexp && !regexp.matcher(value).find()) {
      found.errors.push(inBody(where, 'invalid', value, `should match '${pattern}'`));
    }
  };
}

/** undefined for a pattern that is none: definitions with such are refused, old ones may have them. */
function compilePattern(pattern: string): RE2JS | undefined {
  try {
    return RE2JS.compile(pattern);
  } catch {
    return undefined;
  }
}

function formatCheck({ format }: Schema, types: readonly string[]): Check | undefined {
  const fits = format ? FORMATS.get(format) : undefined;
  if (!fits || (types.length > 0 && !types.includes('string'))) return undefined;
  return (value, _old, where, found) => {
    if (typeof value !== 'string') return;
    found.matched++;
    if (fits(value)) return;
    found.errors.push(inBody(where, 'typeInvalid', value, `must be of type ${format}: ${JSON.stringify(value)}`));
  };
}

// Numbers

const shown = (value: number | bigint): string => (typeof value === 'number' ? float(value) : String(value));

function numberCheck(schema: Schema, types: readonly string[]): Check {
  const { maximum, minimum, multipleOf } = schema;
  const integer = types.length === 1 && types[0] === 'integer';
  const format = schema.format === 'int32' || schema.format === 'int64' ? schema.format : undefined;
  return (value, _old, where, found) => {
    if (typeof value !== 'number' && typeof value !== 'bigint') return;
    found.matched += 2;
    if (integer && !isWithin(value, format)) {
      const what = format ? `with format ${format}` : '(default format)';
      found.errors.push(composite(`Checked value must be of type integer ${what} in ${pathOf(where)}`));
    }
    if (multipleOf !== undefined && multipleOf !== 0 && !isMultiple(value, multipleOf)) {
      found.errors.push(inBody(where, 'invalid', value, `should be a multiple of ${shown(multipleOf)}`));
    }
    if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum)) {
      const text = schema.exclusiveMinimum ? 'should be greater than' : 'should be greater than or equal to';
      found.errors.push(inBody(where, 'invalid', value, `${text} ${shown(minimum)}`));
    }
    if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum)) {
      const text = schema.exclusiveMaximum ? 'should be less than' : 'should be less than or equal to';
      found.errors.push(inBody(where, 'invalid', value, `${text} ${shown(maximum)}`));
    }
  };
}

function isWithin(value: number | bigint, format: string | undefined): boolean {
  if (typeof value === 'number' && !Number.isInteger(value)) return false;
  if (format === 'int32') return value >= -(2 ** 31) && value < 2 ** 31;
  return value >= -(2n ** 63n) && value < 2n ** 63n;
}

function isMultiple(value: number | bigint, of: number): boolean {
  const times = Number(value) / of;
  return Math.abs(times - Math.round(times)) < 1e-9 * Math.max(1, Math.abs(times));
}

// Lists, enumerations, objects

function listCheck(schema: Schema): Check | undefined {
  const items = itemsOf(schema);
  const check = items && compile(items);
  const { minItems, maxItems } = schema;
  return (value, old, where, found) => {
    if (!Array.isArray(value)) return;
    if (check) {
      const olds = old === undefined ? undefined : correlateItems(schema, old);
      value.forEach((item: unknown, i) => check(item, olds?.(item), { above: where, step: i }, found));
    }
    if (minItems !== undefined && value.length < minItems) {
      found.errors.push(inBody(where, 'invalid', value.length, `should have at least ${minItems} items`));
    }
    if (maxItems !== undefined && value.length > maxItems) {
      found.errors.push(field.tooMany(pathOf(where), value.length, Number(maxItems)));
    }
    found.matched++;
  };
}

function enumCheck(schema: Schema): Check | undefined {
  const allowed = schema.enum;
  if (!allowed || allowed.length === 0) return undefined;
  const texts = allowed.map((value) => (typeof value === 'string' ? value : stringify(value)));
  return (value, _old, where, found) => {
    found.matched++;
    if (value !== null && allowed.some((one) => sameJson(one, value))) return;
    found.errors.push(field.notSupported(pathOf(where), value, texts));
  };
}

function objectCheck(schema: Schema): Check | undefined {
  const { minProperties, maxProperties, required = [] } = schema;
  const properties = new Map(propertiesOf(schema).map(([name, below]) => [name, compile(below)]));
  const values = valuesOf(schema);
  const checkValue = values && compile(values);
  const needed = schema['x-kubernetes-embedded-resource'] ? [...required, 'apiVersion', 'kind'] : required;
  return (value, old, where, found) => {
    if (!isObject(value)) return;
    found.matched++;
    const names = Object.keys(value);
    if (minProperties !== undefined && names.length < minProperties) {
      const text = `should have at least ${minProperties} properties`;
      return void found.errors.push(inBody(where, 'invalid', names.length, text));
    }
    if (maxProperties !== undefined && names.length > maxProperties) {
      return void found.errors.push(field.tooMany(pathOf(where), names.length, Number(maxProperties)));
    }
    const before = isObject(old) ? old : undefined;
    const oldOf = (name: string) => (before && Object.hasOwn(before, name) ? before[name] : undefined);
    for (const name of names) {
      if (!checkValue || properties.has(name)) continue;
      checkValue(value[name], oldOf(name), { above: where, step: name }, found);
    }
    for (const [name, check] of properties) {
      if (Object.hasOwn(value, name)) check(value[name], oldOf(name), { above: where, step: name }, found);
    }
    for (const name of needed) {
      if (!Object.hasOwn(value, name)) found.errors.push(field.required(pathOf({ above: where, step: name })));
    }
  };
}
