/** CEL rules of a schema: whether they compile, may use the old value where they stand, and cost no more than they may. */
import * as field from '../../../libs/machinery/field-errors.ts';
import { celSchemaOf } from '../../../libs/structural-schema/cel-type.ts';
import { FieldPathError, resolveFieldPath } from '../../../libs/structural-schema/field-path.ts';
import { type CompiledRule, compileOwnRules, compileRules } from '../../../libs/structural-schema/rules.ts';
import {
  itemsOf,
  propertiesOf,
  type Schema,
  type ValidationRule,
  valuesOf,
} from '../../../libs/structural-schema/schema.ts';

/** What one rule may cost by its estimate, and all rules of a schema together. */
const RULE_COST_MAX = 10_000_000;
const SCHEMA_COST_MAX = 100_000_000;
/** Of the costly rules so many are named when the sum is too high. */
const COSTLY_TOLD = 4;

const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];

/** Where a schema stands, as far as rules are concerned. */
interface Context {
  /** How often it may occur in one object; undefined where a list or map around it is unbounded. */
  readonly times: number | undefined;
  /** The list around it whose old items cannot be told from new ones. */
  readonly uncorrelated?: field.Path;
  readonly root: boolean;
}

interface Total {
  cost: number;
  readonly rules: { readonly at: field.Path; readonly cost: number }[];
}

export interface RulesContext {
  /** Whether the schema is structural, and its defaults fit it. Of others, rules are only looked at as words. */
  readonly isSound: boolean;
  /** The places where the schema's words are wrong: rules there and above are not compiled. */
  readonly wrong: readonly string[];
}

export function validateRules(schema: Schema, at: field.Path, { isSound, wrong }: RulesContext): field.ErrorList {
  const found: Found = { words: [], compiled: [], wrong: [...wrong], isSound };
  const total: Total = { cost: 0, rules: [] };
  visit(schema, at, { times: 1, root: true }, total, found);
  const errors = [...found.words, ...found.compiled];
  if (total.cost <= SCHEMA_COST_MAX) return errors;
  const costly = [...total.rules].sort((a, b) => b.cost - a.cost).slice(0, COSTLY_TOLD);
  for (const rule of costly) {
    const text = 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema';
    errors.push(field.forbidden(rule.at, text));
  }
  const what = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
  errors.push(field.forbidden(at, costText(what, total.cost, SCHEMA_COST_MAX)));
  return errors;
}

/** What was found on the way: about words of rules, and about what they come to. */
interface Found {
  readonly words: field.ErrorList;
  readonly compiled: field.ErrorList;
  readonly wrong: string[];
  readonly isSound: boolean;
}

function costText(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${shown} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}

function visit(schema: Schema, at: field.Path, context: Context, total: Total, found: Found): void {
  const below = (next: Schema, place: field.Path, change: Partial<Context> = {}) =>
    visit(next, place, { ...context, root: false, ...change }, total, found);
  const values = valuesOf(schema);
  if (values) below(values, at.child('additionalProperties'), { times: timesOf(context, schema.maxProperties) });
  for (const [name, property] of propertiesOf(schema)) below(property, at.child('properties').key(name));
  const items = itemsOf(schema);
  if (items) {
    const correlated = schema['x-kubernetes-list-type'] === 'map';
    const uncorrelated = context.uncorrelated ?? (correlated ? undefined : at);
    below(items, at.child('items'), {
      times: timesOf(context, schema.maxItems),
      ...(uncorrelated ? { uncorrelated } : {}),
    });
  }
  const rules = schema['x-kubernetes-validations'] ?? [];
  if (rules.length > 0) validateOwn(schema, rules, at, context, total, found);
}

function timesOf({ times }: Context, max: number | bigint | undefined): number | undefined {
  return times === undefined || max === undefined ? undefined : times * Math.max(0, Number(max));
}

function validateOwn(
  schema: Schema,
  rules: readonly ValidationRule[],
  of: field.Path,
  context: Context,
  total: Total,
  found: Found,
): void {
  const at = of.child('x-kubernetes-validations');
  rules.forEach((rule, i) => {
    const words = validateWords(rule, schema, at.index(i));
    found.words.push(...words);
    found.wrong.push(...words.map((error) => error.field));
  });
  if (!found.isSound || found.wrong.some((place) => isWithin(place, String(of)))) return;
  const compiled = compileOwnRules(schema, context.root);
  if (!compiled || !celSchemaOf(schema, context.root)) {
    const text =
      'internal error: failed to construct type information for x-kubernetes-validations rules: unable to convert structural schema to CEL declarations';
    found.compiled.push(field.internalError(at, text));
    return;
  }
  compiled.forEach((rule, i) => found.compiled.push(...validateCompiled(rule, at.index(i), context, total)));
}

const isWithin = (place: string, at: string): boolean =>
  place.startsWith(at) && (place.length === at.length || place[at.length] === '.' || place[at.length] === '[');

const hasLineBreak = (text: string): boolean => /[\r\n]/.test(text);

function validateWords(rule: ValidationRule, schema: Schema, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const { message = '', messageExpression = '', reason, fieldPath = '' } = rule;
  const messageAt = at.child('message');
  if ((rule.rule ?? '').trim() === '') errors.push(field.required(at.child('rule'), 'rule is not specified'));
  else if (message !== '' && message.trim() === '') {
    errors.push(field.invalid(messageAt, message, 'must be non-empty if specified'));
  } else if (hasLineBreak(message.trim())) {
    errors.push(field.invalid(messageAt, message, 'must not contain line breaks'));
  } else if (hasLineBreak((rule.rule ?? '').trim()) && message.trim() === '') {
    errors.push(field.required(messageAt, 'message must be specified if rule contains line breaks'));
  }
  if (messageExpression !== '' && messageExpression.trim() === '') {
    errors.push(field.required(at.child('messageExpression'), 'messageExpression must be non-empty if specified'));
  }
  if (reason !== undefined && !REASONS.includes(reason)) {
    errors.push(field.notSupported(at.child('reason'), reason, REASONS));
  }
  const pathAt = at.child('fieldPath');
  if (fieldPath !== '' && fieldPath.trim() === '') {
    errors.push(field.invalid(pathAt, fieldPath, 'must be non-empty if specified'));
  }
  if (hasLineBreak(fieldPath)) errors.push(field.invalid(pathAt, fieldPath, 'must not contain line breaks'));
  if (fieldPath !== '' && !isFieldPath(fieldPath, schema)) {
    errors.push(field.invalid(pathAt, fieldPath, 'must be a valid path'));
  }
  return errors;
}

function isFieldPath(path: string, schema: Schema): boolean {
  try {
    resolveFieldPath(path, schema);
    return true;
  } catch (error) {
    if (error instanceof FieldPathError) return false;
    throw error;
  }
}

function validateCompiled(rule: CompiledRule, at: field.Path, context: Context, total: Total): field.ErrorList {
  const errors: field.ErrorList = [];
  const weigh = (place: field.Path, what: string, cost: number) => {
    if (cost > RULE_COST_MAX) errors.push(field.forbidden(place, costText(what, cost, RULE_COST_MAX)));
    total.cost += cost;
    if (cost > 0) total.rules.push({ at: place, cost });
  };
  const ruleAt = at.child('rule');
  if (rule.compiled) {
    const times = context.times ?? rule.timesMax;
    weigh(ruleAt, 'estimated rule cost', times === 0 ? 0 : times * rule.compiled.cost.max);
  }
  if (rule.error) {
    const { required, detail } = rule.error;
    errors.push(required ? field.required(ruleAt, detail) : field.invalid(ruleAt, shownRule(rule.rule), detail));
  }
  const messageAt = at.child('messageExpression');
  if (rule.messageError) errors.push(field.invalid(messageAt, shownRule(rule.rule), rule.messageError));
  else if (rule.message) weigh(messageAt, 'estimated messageExpression cost', rule.message.cost.max);
  if (rule.usesOldSelf && context.uncorrelated) {
    const text = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${context.uncorrelated}`;
    errors.push(field.invalid(ruleAt, rule.rule.rule, text));
  }
  if (rule.compiled && !rule.usesOldSelf && rule.rule.optionalOldSelf !== undefined) {
    const text = 'may not be set if oldSelf is not used in rule';
    errors.push(field.invalid(at.child('optionalOldSelf'), rule.rule.optionalOldSelf, text));
  }
  return errors;
}

/** A rule as messages show it: in the API's inner form. */
function shownRule(rule: ValidationRule): object {
  return {
    Rule: rule.rule ?? '',
    Message: rule.message ?? '',
    MessageExpression: rule.messageExpression ?? '',
    Reason: rule.reason ?? null,
    FieldPath: rule.fieldPath ?? '',
    OptionalOldSelf: rule.optionalOldSelf ?? null,
  };
}

/** What the rules of a schema say of its own default. */
export function validateDefaultByRules(schema: Schema, value: unknown, at: field.Path): field.ErrorList {
  return compileRules(schema, false)?.(value, { old: undefined, at }) ?? [];
}
