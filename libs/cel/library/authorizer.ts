/**
 * The authorizer of admission expressions: asks, in steps, whether somebody may do something.
 *
 *     authorizer.group('apps').resource('deployments').namespace('default').check('create').allowed()
 */
import { declare, type Library } from '../declare.ts';
import { EvaluationError, Opaque } from '../values.ts';

/** What is asked, in the words of authorization; `path` stands alone. */
export interface AuthorizationQuestion {
  readonly path?: string;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface AuthorizationAnswer {
  readonly allowed: boolean;
  readonly reason: string;
  readonly error: string;
}

/** Answers for one user; `serviceAccount` gives the one that answers for another. */
export interface AuthorizationSource {
  ask(question: AuthorizationQuestion): AuthorizationAnswer;
  serviceAccount(namespace: string, name: string): AuthorizationSource;
}

const NOTHING: AuthorizationQuestion = Object.freeze({
  verb: '',
  group: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
});

/** Steps are equal to themselves only. */
abstract class Step extends Opaque {
  equals(other: Opaque): boolean {
    return this === other;
  }
}

export class AuthorizerValue extends Step {
  readonly type = 'kubernetes.authorization.Authorizer';
  readonly source: AuthorizationSource;
  constructor(source: AuthorizationSource) {
    super();
    this.source = source;
  }
}

class Check extends Step {
  readonly type: string;
  readonly source: AuthorizationSource;
  readonly question: AuthorizationQuestion;
  constructor(type: string, source: AuthorizationSource, question: AuthorizationQuestion) {
    super();
    this.type = type;
    this.source = source;
    this.question = question;
  }

  with(part: Partial<AuthorizationQuestion>, type = this.type): Check {
    return new Check(type, this.source, { ...this.question, ...part });
  }
}

class Answer extends Step {
  readonly type = 'kubernetes.authorization.Decision';
  readonly answer: AuthorizationAnswer;
  constructor(answer: AuthorizationAnswer) {
    super();
    this.answer = answer;
  }
}

export const AUTHORIZER_TYPE = 'kubernetes.authorization.Authorizer';
export const RESOURCE_CHECK_TYPE = 'kubernetes.authorization.ResourceCheck';

/** `authorizer.requestResource`: the resource of the request itself. */
export function resourceCheck(source: AuthorizationSource, question: Partial<AuthorizationQuestion>): Opaque {
  return new Check(RESOURCE_CHECK_TYPE, source, { ...NOTHING, ...question });
}

const LABEL_LENGTH_MAX = 63;

function accountOf({ source }: AuthorizerValue, namespace: string, name: string): AuthorizerValue {
  const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
  if (!label.test(namespace) || namespace.length > LABEL_LENGTH_MAX)
    throw new EvaluationError('Invalid service account namespace');
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) throw new EvaluationError('Invalid service account name');
  return new AuthorizerValue(source.serviceAccount(namespace, name));
}

function pathCheck({ source }: AuthorizerValue, path: string): Check {
  if (path === '') throw new EvaluationError('path must not be empty');
  return new Check('kubernetes.authorization.PathCheck', source, { ...NOTHING, path });
}

const A = 'kubernetes.authorization';
const checked = (check: Check, verb: string) => new Answer(check.source.ask({ ...check.question, verb }));

export const authorizerLibrary: Library = [
  ...declare('path', [`${A}.Authorizer.(string) ${A}.PathCheck`, 'authorizer_path', pathCheck]),
  ...declare('serviceAccount', [
    `${A}.Authorizer.(string, string) ${A}.Authorizer`,
    'authorizer_service_account',
    accountOf,
  ]),
  ...declare('group', [
    `${A}.Authorizer.(string) ${A}.GroupCheck`,
    'authorizer_group',
    ({ source }: AuthorizerValue, group: string) => new Check(`${A}.GroupCheck`, source, { ...NOTHING, group }),
  ]),
  ...declare('resource', [
    `${A}.GroupCheck.(string) ${A}.ResourceCheck`,
    'groupcheck_resource',
    (check: Check, resource: string) => check.with({ resource }, `${A}.ResourceCheck`),
  ]),
  ...declare('subresource', [
    `${A}.ResourceCheck.(string) ${A}.ResourceCheck`,
    'resourcecheck_subresource',
    (check: Check, subresource: string) => check.with({ subresource }),
  ]),
  ...declare('namespace', [
    `${A}.ResourceCheck.(string) ${A}.ResourceCheck`,
    'resourcecheck_namespace',
    (check: Check, namespace: string) => check.with({ namespace }),
  ]),
  ...declare('name', [
    `${A}.ResourceCheck.(string) ${A}.ResourceCheck`,
    'resourcecheck_name',
    (check: Check, name: string) => check.with({ name }),
  ]),
  ...declare('fieldSelector', [
    `${A}.ResourceCheck.(string) ${A}.ResourceCheck`,
    'authorizer_fieldselector',
    (check: Check, fieldSelector: string) => check.with({ fieldSelector }),
  ]),
  ...declare('labelSelector', [
    `${A}.ResourceCheck.(string) ${A}.ResourceCheck`,
    'authorizer_labelselector',
    (check: Check, labelSelector: string) => check.with({ labelSelector }),
  ]),
  ...declare(
    'check',
    [`${A}.PathCheck.(string) ${A}.Decision`, 'pathcheck_check', checked],
    [`${A}.ResourceCheck.(string) ${A}.Decision`, 'resourcecheck_check', checked],
  ),
  ...declare('allowed', [`${A}.Decision.() bool`, 'decision_allowed', ({ answer }: Answer) => answer.allowed]),
  ...declare('reason', [`${A}.Decision.() string`, 'decision_reason', ({ answer }: Answer) => answer.reason]),
  ...declare('errored', [`${A}.Decision.() bool`, 'decision_errored', ({ answer }: Answer) => answer.error !== '']),
  ...declare('error', [`${A}.Decision.() string`, 'decision_error', ({ answer }: Answer) => answer.error]),
];
