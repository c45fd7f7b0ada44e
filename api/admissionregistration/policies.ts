/** Checks that validating and mutating policies share; what expressions say is looked at where they are compiled. */
import type { Type } from '../../libs/cel/types.ts';
import type { DeepReadonly } from '../../libs/kind/object.ts';
import * as field from '../../libs/machinery/field-errors.ts';
import { parseApiVersion } from '../../libs/machinery/gvk.ts';
import { dns1035Label } from '../../libs/machinery/names.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';
import type {
  MatchCondition,
  MatchResources,
  ParamKind,
  ParamRef,
  Variable,
} from '../types/admissionregistration/v1.generated.ts';
import { compileExpression, compileVariables, type Scope, type Wanted } from './expressions.ts';
import { FAILURE_POLICIES, validateMatchConditions, validateMatchResources, validateOneOf } from './rules.ts';

const NOT_FOUND_ACTIONS = ['Deny', 'Allow'];
const CEL_IDENTIFIER = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
const CEL_KEYWORDS = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** What the expressions of a policy see. */
export function policyScope(
  spec: PolicySpec,
  mutation: boolean,
): Scope & { readonly variables: ReadonlyMap<string, Type> } {
  const scope = { params: spec.paramKind !== undefined, authorizer: true, mutation };
  return { ...scope, variables: compileVariables(spec.variables ?? [], scope).types };
}

export interface PolicySpec {
  readonly failurePolicy?: string;
  readonly paramKind?: DeepReadonly<ParamKind>;
  readonly matchConstraints?: DeepReadonly<MatchResources>;
  readonly matchConditions?: readonly DeepReadonly<MatchCondition>[];
  readonly variables?: readonly DeepReadonly<Variable>[];
}

export function validatePolicySpec(spec: PolicySpec, at: field.Path, mutation = false): field.ErrorList {
  const errors: field.ErrorList = [];
  const scope = { params: spec.paramKind !== undefined, authorizer: true, mutation };
  if (spec.failurePolicy === undefined) errors.push(field.required(at.child('failurePolicy')));
  errors.push(...validateOneOf(spec.failurePolicy, FAILURE_POLICIES, at.child('failurePolicy')));
  if (spec.paramKind) errors.push(...validateParamKind(spec.paramKind, at.child('paramKind')));
  const constraints = at.child('matchConstraints');
  if (!spec.matchConstraints) errors.push(field.required(constraints));
  else {
    errors.push(...validateMatchResources(spec.matchConstraints, constraints));
    if (!spec.matchConstraints.resourceRules?.length) errors.push(field.required(constraints.child('resourceRules')));
  }
  errors.push(...validateMatchConditions(spec.matchConditions, at.child('matchConditions'), scope));
  const { expressions } = compileVariables(spec.variables ?? [], scope);
  (spec.variables ?? []).forEach(({ name = '', expression = '' }, i) => {
    const here = at.child('variables').index(i);
    if (name === '') errors.push(field.required(here.child('name'), 'name is not specified'));
    else if (!CEL_IDENTIFIER.test(name) || CEL_KEYWORDS.has(name)) {
      errors.push(field.invalid(here.child('name'), name, 'must be a valid CEL identifier'));
    }
    const missing = validateExpression(expression, here.child('expression'));
    const wrong = expressions.get(name)?.error;
    if (missing.length > 0) errors.push(...missing);
    else if (wrong) errors.push(field.invalid(here.child('expression'), expression, wrong));
  });
  return errors;
}

/** An expression must be there, and must compile to what is wanted, where that is said. */
export function validateExpression(
  expression: string,
  at: field.Path,
  { name = 'expression', scope, wanted }: { name?: string; scope?: Scope; wanted?: Wanted } = {},
): field.ErrorList {
  if (expression.trim() === '') return [field.required(at, `${name} is not specified`)];
  const { error } = scope && wanted ? compileExpression(expression.trim(), scope, wanted) : {};
  return error === undefined ? [] : [field.invalid(at, expression, error)];
}

function validateParamKind(paramKind: DeepReadonly<ParamKind>, at: field.Path): field.ErrorList {
  const { apiVersion = '', kind = '' } = paramKind as { readonly apiVersion?: string; readonly kind?: string };
  const errors: field.ErrorList = [];
  if (apiVersion === '') errors.push(field.required(at.child('apiVersion')));
  else {
    try {
      parseApiVersion(apiVersion);
    } catch (error) {
      errors.push(
        field.invalid(at.child('apiVersion'), apiVersion, error instanceof Error ? error.message : String(error)),
      );
    }
  }
  if (kind === '') errors.push(field.required(at.child('kind')));
  else {
    const problems = dns1035Label(kind.toLowerCase());
    if (problems.length > 0) {
      const why = `may have mixed case, but should otherwise match: ${problems.join(',')}`;
      errors.push(field.invalid(at.child('kind'), kind, why));
    }
  }
  return errors;
}

export interface BindingSpec {
  readonly policyName?: string;
  readonly paramRef?: DeepReadonly<ParamRef>;
  readonly matchResources?: DeepReadonly<MatchResources>;
}

export function validateBindingSpec(spec: BindingSpec, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (!spec.policyName) errors.push(field.required(at.child('policyName')));
  if (spec.paramRef) errors.push(...validateParamRef(spec.paramRef, at.child('paramRef')));
  if (spec.matchResources) errors.push(...validateMatchResources(spec.matchResources, at.child('matchResources')));
  return errors;
}

function validateParamRef(ref: DeepReadonly<ParamRef>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const { name = '', selector, parameterNotFoundAction } = ref;
  if (name !== '' && selector) {
    const why = 'name and selector are mutually exclusive';
    errors.push(field.forbidden(at.child('name'), why), field.forbidden(at.child('selector'), why));
  } else if (name === '' && !selector) {
    errors.push(field.required(at, 'one of name or selector must be specified'));
  } else if (selector) errors.push(...validateLabelSelector(selector, at.child('selector')));
  if (parameterNotFoundAction === undefined) errors.push(field.required(at.child('parameterNotFoundAction')));
  return [...errors, ...validateOneOf(parameterNotFoundAction, NOT_FOUND_ACTIONS, at.child('parameterNotFoundAction'))];
}
