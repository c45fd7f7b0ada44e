/**
 * `x-kubernetes-validations`: the CEL rules of a schema, compiled once, then asked of objects.
 *
 *     const check = compileRules(schema);
 *     check?.(object, { old, warn });     // spec.replicas: Invalid value: 7: must not exceed 5
 */
import { type Compiled, CompileError, CostError, compile, EvaluationError, kubernetesEnvironment } from '../cel/cel.ts';
import { optionalOf, plain } from '../cel/types.ts';
import { NONE, Optional, type Value } from '../cel/values.ts';
import * as field from '../machinery/field-errors.ts';
import { type CelSchema, celSchemaOf, REQUEST_BYTES_MAX } from './cel-type.ts';
import { correlateItems } from './correlate.ts';
import { FieldPathError, resolveFieldPath } from './field-path.ts';
import { sameJson } from './same-json.ts';
import {
  isObject,
  itemsOf,
  propertiesOf,
  RESOURCE_FIELDS,
  type Schema,
  type ValidationRule,
  valuesOf,
} from './schema.ts';

/** What one evaluation of a rule may cost. */
const RULE_COST_MAX = 1_000_000;
/** What all rules may cost together, for one object. */
const OBJECT_COST_MAX = 10_000_000;
const MESSAGE_LENGTH_MAX = 5 * 1024;

/** One rule, ready to be asked, or what is wrong with it. */
export interface CompiledRule {
  readonly rule: ValidationRule;
  readonly compiled?: Compiled;
  readonly error?: { readonly required: boolean; readonly detail: string };
  readonly message?: Compiled;
  readonly messageError?: string;
  readonly usesOldSelf: boolean;
  /** Where its errors are told, below the place of the rule. */
  readonly fieldPath?: string;
  /** How often the rule may run for one request, as far as sizes tell. */
  readonly timesMax: number;
}

/** The rules of one schema, without those below it. undefined where the schema has no type for CEL. */
export function compileOwnRules(schema: Schema, resource: boolean): readonly CompiledRule[] | undefined {
  const rules = schema['x-kubernetes-validations'] ?? [];
  if (rules.length === 0) return [];
  const own = celSchemaOf(schema, resource);
  return own && rules.map((rule) => compileRule(rule, own, schema));
}

function compileRule(rule: ValidationRule, own: CelSchema, schema: Schema): CompiledRule {
  const timesMax = Math.max(1, Math.floor(REQUEST_BYTES_MAX / (own.minBytes + 1)));
  const bare = { rule, usesOldSelf: false, timesMax };
  if ((rule.rule ?? '').trim() === '') return { ...bare, error: { required: true, detail: 'rule is not specified' } };
  const environment = kubernetesEnvironment().with({
    self: own.type,
    oldSelf: rule.optionalOldSelf ? optionalOf(own.type) : own.type,
  });
  let compiled: Compiled;
  try {
    compiled = compile(environment, rule.rule);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return { ...bare, error: { required: false, detail: `compilation failed: ${error.message}` } };
  }
  if (plain(compiled.type).k !== 'bool') {
    return { ...bare, error: { required: false, detail: 'cel expression must evaluate to a bool' } };
  }
  const usesOldSelf = compiled.uses('oldSelf');
  const message = compileMessage(rule, environment);
  return { ...bare, compiled, usesOldSelf: usesOldSelf, ...message, ...fieldPathOf(rule, schema) };
}

function compileMessage(
  { messageExpression }: ValidationRule,
  environment: Parameters<typeof compile>[0],
): Pick<CompiledRule, 'message' | 'messageError'> {
  if (!messageExpression?.trim()) return {};
  try {
    const message = compile(environment, messageExpression);
    if (plain(message.type).k !== 'string') return { messageError: 'messageExpression must evaluate to a string' };
    return { message };
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    return { messageError: `messageExpression compilation failed: ${error.message}` };
  }
}

function fieldPathOf({ fieldPath }: ValidationRule, schema: Schema): Pick<CompiledRule, 'fieldPath'> {
  if (!fieldPath?.trim()) return {};
  try {
    return { fieldPath: resolveFieldPath(fieldPath.trim(), schema).path };
  } catch (error) {
    if (error instanceof FieldPathError) return {};
    throw error;
  }
}

export interface RuleCheckOptions {
  /** What the object replaces; undefined where it is new. */
  readonly old?: unknown;
  readonly at?: field.Path;
  /** Is told what does not hold, but has not changed either. */
  warn?(text: string): void;
}

export type CheckRules = (value: unknown, options?: RuleCheckOptions) => field.ErrorList;

/** Compiles all rules of a schema; undefined where it has none. */
export function compileRules(schema: Schema, resource = true): CheckRules | undefined {
  const node = compileNode(schema, resource);
  if (!node) return undefined;
  return (value, { old, at, warn } = {}) => {
    const run: Run = { errors: [], budget: OBJECT_COST_MAX, ...(warn ? { warn } : {}) };
    node(value, old, at, run);
    return run.errors;
  };
}

interface Run {
  readonly errors: field.ErrorList;
  /** What may still be spent; below 0 nothing is asked any more. */
  budget: number;
  warn?(text: string): void;
}

type Node = (value: unknown, old: unknown, at: field.Path | undefined, run: Run) => void;

function compileNode(schema: Schema, resource: boolean): Node | undefined {
  const own = compileOwn(schema, resource);
  const items = itemsOf(schema);
  const itemNode = items && compileNode(items, false);
  const values = valuesOf(schema);
  const valueNode = values && compileNode(values, false);
  const isResource = resource || schema['x-kubernetes-embedded-resource'] === true;
  const properties = propertiesOf(schema).flatMap(([name, below]) => {
    const node = isResource && RESOURCE_FIELDS.has(name) ? undefined : compileNode(below, false);
    return node ? [[name, node] as const] : [];
  });
  if (!own && !itemNode && !valueNode && properties.length === 0) return undefined;
  return (value, old, at, run) => {
    if (value === null || value === undefined || run.budget < 0) return;
    own?.(value, old, at, run);
    if (Array.isArray(value)) {
      if (!itemNode) return;
      const olds = old === undefined ? undefined : correlateItems(schema, old);
      value.forEach((item: unknown, i) => itemNode(item, olds?.(item), at?.index(i), run));
      return;
    }
    if (!isObject(value)) return;
    const before = isObject(old) ? old : undefined;
    const oldOf = (name: string) => (before && Object.hasOwn(before, name) ? before[name] : undefined);
    if (valueNode) {
      for (const name of Object.keys(value)) {
        valueNode(value[name], oldOf(name), at ? at.key(name) : field.path(name), run);
      }
    }
    for (const [name, node] of properties) {
      if (Object.hasOwn(value, name)) node(value[name], oldOf(name), at ? at.child(name) : field.path(name), run);
    }
  };
}

function compileOwn(schema: Schema, resource: boolean): Node | undefined {
  const rules = compileOwnRules(schema, resource);
  const celSchema = rules && rules.length > 0 ? celSchemaOf(schema, resource) : undefined;
  if (!rules || !celSchema) return undefined;
  const type = schema['x-kubernetes-int-or-string'] ? '' : (schema.type ?? '');
  return (value, old, at, run) => {
    let self: Value;
    let oldSelf: Value | undefined;
    try {
      self = celSchema.adapt(value);
      oldSelf = old === undefined || old === null ? undefined : celSchema.adapt(old);
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      return void run.errors.push(field.invalid(at, type, error.message));
    }
    let unchanged: boolean | undefined;
    for (const rule of rules) {
      if (run.budget < 0) return;
      const failed = ask(rule, { value, self, oldSelf, type, at }, run);
      if (!failed) continue;
      if (old !== undefined && !rule.usesOldSelf) unchanged ??= sameJson(value, old);
      if (unchanged && !rule.usesOldSelf) run.warn?.(field.textOf(failed));
      else run.errors.push(failed);
    }
  };
}

interface Asked {
  readonly value: unknown;
  readonly self: Value;
  readonly oldSelf: Value | undefined;
  readonly type: string;
  readonly at: field.Path | undefined;
}

const ruleText = ({ rule, message }: ValidationRule): string => (message || rule).trim();

/** Asks one rule; the error where it does not hold. */
function ask(compiled: CompiledRule, asked: Asked, run: Run): field.FieldError | undefined {
  const { rule } = compiled;
  const { at, type } = asked;
  if (compiled.error) return field.invalid(at, type, `rule compile error: ${compiled.error.detail}`);
  if (!compiled.compiled) return undefined;
  if (compiled.usesOldSelf && asked.oldSelf === undefined && !rule.optionalOldSelf) return undefined;
  const oldSelf = rule.optionalOldSelf
    ? asked.oldSelf === undefined
      ? NONE
      : new Optional(asked.oldSelf)
    : asked.oldSelf;
  const variables = { self: asked.self, oldSelf };
  try {
    const { value, cost } = compiled.compiled.program.run(variables, RULE_COST_MAX);
    run.budget -= cost;
    if (run.budget < 0) {
      const text = 'validation failed due to running out of cost budget, no further validation rules will be run';
      return field.invalid(at, type, text);
    }
    if (value === true) return undefined;
  } catch (error) {
    if (error instanceof CostError) {
      run.budget = -1;
      const text = `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${ruleText(rule)}`;
      return field.invalid(at, type, text);
    }
    if (!(error instanceof EvaluationError)) throw error;
    if (error.message.startsWith('no such overload')) {
      const text = `'${error.message}': call arguments did not match a supported operator, function or macro signature for rule: ${ruleText(rule)}`;
      return field.invalid(at, type, text);
    }
    return field.invalid(at, type, `${error.message} evaluating rule: ${ruleText(rule)}`);
  }
  const place = compiled.fieldPath === undefined ? at : at ? `${at}.${compiled.fieldPath}` : compiled.fieldPath;
  const shown = typeof asked.value === 'object' ? field.omitted : asked.value;
  return errorOf(place, shown, messageOf(compiled, variables, run), rule.reason);
}

/** What the rule says of its failure: what its expression makes, else its message, else the rule itself. */
function messageOf(
  { rule, message }: CompiledRule,
  variables: Readonly<Record<string, Value | undefined>>,
  run: Run,
): string {
  const fallback = rule.message ? rule.message.trim() : `failed rule: ${ruleText(rule)}`;
  if (!message) return fallback;
  try {
    const { value, cost } = message.program.run(variables, RULE_COST_MAX);
    run.budget -= cost;
    if (typeof value !== 'string') return fallback;
    const text = value.trim();
    return text === '' || text.length > MESSAGE_LENGTH_MAX || /[\r\n]/.test(text) ? fallback : text;
  } catch (error) {
    if (error instanceof EvaluationError || error instanceof CostError) return fallback;
    throw error;
  }
}

function errorOf(at: field.Place, value: unknown, detail: string, reason: string | undefined): field.FieldError {
  switch (reason) {
    case 'FieldValueForbidden':
      return field.forbidden(at, detail);
    case 'FieldValueRequired':
      return field.required(at, detail);
    case 'FieldValueDuplicate':
      return field.duplicate(at, value);
    default:
      return field.invalid(at, value, detail);
  }
}
