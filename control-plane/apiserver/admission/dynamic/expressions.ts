/** Running the expressions of policies and match conditions upon a request. */
import {
  type Expression,
  NAMESPACE_TYPE,
  REQUEST_TYPE,
  variablesType,
} from '../../../../api/admissionregistration/expressions.ts';
import { namespaces } from '../../../../api/resources.ts';
import { CostError, EvaluationError, type Value } from '../../../../libs/cel/cel.ts';
import { typedValue, valueOfJson } from '../../../../libs/cel/json.ts';
import {
  type AuthorizationAnswer,
  type AuthorizationQuestion,
  type AuthorizationSource,
  AuthorizerValue,
  resourceCheck,
} from '../../../../libs/cel/library/authorizer.ts';
import type { Type } from '../../../../libs/cel/types.ts';
import { ObjectValue } from '../../../../libs/cel/values.ts';
import type { ApiObject, DeepReadonly } from '../../../../libs/kind/object.ts';
import type { Registry } from '../../../../libs/kind/registry.ts';
import type { RequestAttributes, RequestContext, UserInfo } from '../../../../libs/kind/request.ts';
import type { Verdict } from '../../authz/authorizer.ts';
import { reviewOf } from './review.ts';
import type { Form, Subject } from './subject.ts';

/** What one expression may cost. */
const CALL_COST_MAX = 1_000_000;
/** What all validations or mutations of a policy may cost for one request. */
export const POLICY_COST_MAX = 10_000_000;
/** What all match conditions of a policy or webhook may cost. */
const CONDITIONS_COST_MAX = 2_500_000;

/** Says at once whether a user may do something. */
export type Decide = (user: UserInfo, attributes: RequestAttributes) => Verdict;

export interface Condition {
  readonly name: string;
  readonly source: string;
  readonly expression: Expression;
}

export type Values = Readonly<Record<string, Value | undefined>>;

/** What is left to be spent. */
export interface Budget {
  left: number;
}

/** The values of everything but `params` and `variables`. */
export async function valuesOf(
  ctx: RequestContext,
  subject: Subject,
  form: Form,
  registry: Registry,
  decide: Decide,
): Promise<Values> {
  await subject.prepare(form, ctx.ends.signal);
  const { object, oldObject } = subject.show(form);
  const { request } = subject;
  const namespace = request.namespace === '' ? undefined : await registry.get(namespaces, '', request.namespace);
  const source = sourceFor(ctx.user, decide);
  return {
    object: valueOfJson(object),
    oldObject: valueOfJson(oldObject),
    request: typedValue(REQUEST_TYPE, requestValue(ctx, subject, form)),
    namespaceObject: namespace ? typedValue(NAMESPACE_TYPE, namespaceValue(namespace)) : null,
    authorizer: new AuthorizerValue(source),
    'authorizer.requestResource': resourceCheck(source, {
      group: subject.asSent.resource.group,
      resource: subject.asSent.resource.resource,
      subresource: request.subresource,
      namespace: request.namespace,
      name: request.name,
    }),
  };
}

function requestValue(ctx: RequestContext, subject: Subject, form: Form): Record<string, unknown> {
  const { uid: _uid, object: _object, oldObject: _old, ...rest } = reviewOf(ctx, subject, form, '');
  return rest;
}

function namespaceValue({ metadata, ...rest }: DeepReadonly<ApiObject>): Record<string, unknown> {
  const { uid, ...other } = metadata ?? {};
  return { ...rest, metadata: { ...other, UID: uid } };
}

function sourceFor(user: UserInfo, decide: Decide): AuthorizationSource {
  return {
    ask: (question) => answer(user, question, decide),
    serviceAccount: (namespace, name) =>
      sourceFor(
        {
          name: `system:serviceaccount:${namespace}:${name}`,
          groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
          extra: {},
        },
        decide,
      ),
  };
}

function answer(user: UserInfo, question: AuthorizationQuestion, decide: Decide): AuthorizationAnswer {
  const { path = '', ...rest } = question;
  const isResourceRequest = question.path === undefined;
  const verdict = decide(user, { ...rest, path, isResourceRequest, version: isResourceRequest ? '*' : '' });
  return {
    allowed: verdict.decision === 'allow',
    reason: verdict.decision === 'allow' ? (verdict.reason ?? '') : '',
    error: verdict.error ?? '',
  };
}

/** An expression's value, or why there is none. */
export type Outcome = { readonly value: Value; readonly error?: undefined } | { readonly error: string };

export function run(source: string, expression: Expression, values: Values, budget: Budget): Outcome {
  if (!expression.compiled) return { error: `compilation error: ${expression.error}` };
  try {
    const { value, cost } = expression.compiled.program.run(values, Math.min(CALL_COST_MAX, budget.left));
    budget.left -= cost;
    return { value };
  } catch (error) {
    if (error instanceof CostError) {
      const spent = budget.left < CALL_COST_MAX;
      if (spent) budget.left = 0;
      return {
        error: spent
          ? 'validation failed due to running out of cost budget, no further validation rules will be run'
          : `expression '${source}' resulted in error: ${error.message}`,
      };
    }
    if (!(error instanceof EvaluationError)) throw error;
    return { error: `expression '${source}' resulted in error: ${error.message}` };
  }
}

/** `variables`: each is computed when it is first asked for. */
export function variablesValue(
  types: ReadonlyMap<string, Type>,
  expressions: ReadonlyMap<string, Expression>,
  values: Values,
  budget: Budget,
): Value {
  const known = new Map<string, Value>();
  const raw = Object.fromEntries([...types.keys()].map((name) => [name, true]));
  const all = { ...values };
  const object = new ObjectValue(variablesType(types), raw, (_raw, name) => {
    const found = known.get(name);
    if (found !== undefined) return found;
    const { compiled, error } = expressions.get(name) as Expression;
    if (!compiled) throw new EvaluationError(error);
    let value: Value;
    try {
      const ran = compiled.program.run(all, Math.min(CALL_COST_MAX, budget.left));
      budget.left -= ran.cost;
      value = ran.value;
    } catch (failure) {
      if (!(failure instanceof EvaluationError)) throw failure;
      throw new EvaluationError(`composited variable "${name}" fails to evaluate: ${failure.message}`);
    }
    known.set(name, value);
    return value;
  });
  all['variables'] = object;
  return object;
}

export type Matched = { readonly matches: boolean; readonly error?: undefined } | { readonly error: string };

/** Whether all conditions hold. One that does not hold outweighs those that fail. */
export function matchConditions(conditions: readonly Condition[], values: Values): Matched {
  const errors: string[] = [];
  const budget = { left: CONDITIONS_COST_MAX };
  for (const { source, expression } of conditions) {
    const outcome = run(source, expression, values, budget);
    if (outcome.error !== undefined) errors.push(outcome.error);
    else if (outcome.value !== true) return { matches: false };
  }
  if (errors.length === 0) return { matches: true };
  return { error: errors.length === 1 ? (errors[0] as string) : `[${errors.join(', ')}]` };
}
