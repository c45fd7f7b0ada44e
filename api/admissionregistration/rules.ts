/** Checks of rules: which operations upon which resources a webhook or policy looks at. */
import type { DeepReadonly } from '../../libs/kind/object.ts';
import * as field from '../../libs/machinery/field-errors.ts';
import { pathSegmentName, qualifiedName } from '../../libs/machinery/names.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';
import type {
  MatchCondition,
  MatchResources,
  NamedRuleWithOperations,
  RuleWithOperations,
} from '../types/admissionregistration/v1.generated.ts';
import { CONDITION, compileExpression, type Scope } from './expressions.ts';

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
const SCOPES = ['*', 'Cluster', 'Namespaced'];
export const FAILURE_POLICIES = ['Fail', 'Ignore'];
export const MATCH_POLICIES = ['Equivalent', 'Exact'];
const MATCH_CONDITIONS_MAX = 64;

export function validateOneOf(value: string | undefined, valid: readonly string[], at: field.Path): field.ErrorList {
  return value === undefined || valid.includes(value) ? [] : [field.notSupported(at, value, valid)];
}

export function validateRule(rule: DeepReadonly<RuleWithOperations>, at: field.Path): field.ErrorList {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  const errors: field.ErrorList = [];
  const alone = (values: readonly string[], part: string, others: string) => {
    if (values.length === 0) errors.push(field.required(at.child(part)));
    else if (values.length > 1 && values.includes('*')) {
      errors.push(field.invalid(at.child(part), values, `if '*' is present, must not specify other ${others}`));
    }
  };
  alone(operations, 'operations', 'operations');
  operations.forEach((operation, i) => {
    errors.push(...validateOneOf(operation, OPERATIONS, at.child('operations').index(i)));
  });
  alone(apiGroups, 'apiGroups', 'API groups');
  alone(apiVersions, 'apiVersions', 'API versions');
  apiVersions.forEach((version, i) => {
    if (version === '') errors.push(field.required(at.child('apiVersions').index(i)));
  });
  errors.push(...validateResources(resources, at.child('resources')));
  return [...errors, ...validateOneOf(scope, SCOPES, at.child('scope'))];
}

/** Stars cover others, and what is covered may not be named as well. */
function validateResources(resources: readonly string[], at: field.Path): field.ErrorList {
  if (resources.length === 0) return [field.required(at)];
  const errors: field.ErrorList = [];
  const allSubresourcesOf = new Set<string>();
  const ofAllResources = new Set<string>();
  resources.forEach((text, i) => {
    if (text === '') errors.push(field.required(at.index(i)));
    const slash = text.indexOf('/');
    if (slash === -1) return;
    const [resource, subresource] = [text.slice(0, slash), text.slice(slash + 1)];
    if (allSubresourcesOf.has(resource)) {
      errors.push(field.invalid(at.index(i), text, `if '${resource}/*' is present, must not specify ${text}`));
    }
    if (ofAllResources.has(subresource)) {
      errors.push(field.invalid(at.index(i), text, `if '*/${subresource}' is present, must not specify ${text}`));
    }
    if (subresource === '*') allSubresourcesOf.add(resource);
    if (resource === '*') ofAllResources.add(subresource);
  });
  if (resources.length > 1 && resources.includes('*/*')) {
    errors.push(field.invalid(at, resources, "if '*/*' is present, must not specify other resources"));
  }
  if (resources.includes('*') && resources.some((text) => text !== '*' && text !== '' && !text.includes('/'))) {
    const why = "if '*' is present, must not specify other resources without subresources";
    errors.push(field.invalid(at, resources, why));
  }
  return errors;
}

function validateNamedRule(rule: DeepReadonly<NamedRuleWithOperations>, at: field.Path): field.ErrorList {
  const names = rule.resourceNames ?? [];
  const errors = names.flatMap((name, i) => {
    const here = at.child('resourceNames').index(i);
    const wrong = pathSegmentName(name).map((problem) => field.invalid(here, name, problem));
    return names.indexOf(name) < i ? [...wrong, field.duplicate(here, name)] : wrong;
  });
  return [...errors, ...validateRule(rule, at)];
}

export function validateMatchResources(resources: DeepReadonly<MatchResources>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  for (const part of ['namespaceSelector', 'objectSelector'] as const) {
    if (!resources[part]) errors.push(field.required(at.child(part)));
    else errors.push(...validateLabelSelector(resources[part], at.child(part)));
  }
  for (const part of ['resourceRules', 'excludeResourceRules'] as const) {
    (resources[part] ?? []).forEach((rule, i) => errors.push(...validateNamedRule(rule, at.child(part).index(i))));
  }
  if (resources.matchPolicy === undefined) errors.push(field.required(at.child('matchPolicy')));
  return [...errors, ...validateOneOf(resources.matchPolicy, MATCH_POLICIES, at.child('matchPolicy'))];
}

/** Names, presence, and whether the expressions are conditions. */
export function validateMatchConditions(
  conditions: readonly DeepReadonly<MatchCondition>[] | undefined,
  at: field.Path,
  scope: Scope = { params: false, authorizer: true },
): field.ErrorList {
  const errors: field.ErrorList = [];
  const names = new Set<string>();
  if ((conditions?.length ?? 0) > MATCH_CONDITIONS_MAX) {
    errors.push(field.tooMany(at, conditions?.length ?? 0, MATCH_CONDITIONS_MAX));
  }
  (conditions ?? []).forEach(({ name = '', expression = '' }, i) => {
    const here = at.index(i);
    if (expression.trim() === '') errors.push(field.required(here.child('expression')));
    else {
      const { error } = compileExpression(expression.trim(), scope, CONDITION);
      if (error !== undefined) errors.push(field.invalid(here.child('expression'), expression, error));
    }
    if (name === '') {
      errors.push(field.required(here.child('name')));
      return;
    }
    for (const problem of qualifiedName(name)) errors.push(field.invalid(here.child('name'), name, problem));
    if (names.has(name)) errors.push(field.duplicate(here.child('name'), name));
    names.add(name);
  });
  return errors;
}
