/** ValidatingAdmissionPolicy: policies in CEL that refuse, warn, or leave a note in the audit record. */
import {
  ANNOTATION,
  CONDITION,
  compileExpression,
  type Expression,
  MESSAGE,
} from '../../../../api/admissionregistration/expressions.ts';
import type {
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  Validation,
} from '../../../../api/types/admissionregistration/v1.generated.ts';
import { valueOfJson } from '../../../../libs/cel/json.ts';
import type { AdmissionPlugin, DeepReadonlyAdmission } from '../../../../libs/kind/admission.ts';
import type { ApiObject, DeepReadonly } from '../../../../libs/kind/object.ts';
import type { RequestContext } from '../../../../libs/kind/request.ts';
import { ApiError } from '../../../../libs/machinery/errors.ts';
import type { CelObserver, PolicyAction, PolicyError } from '../../cel-observer.ts';
import type { KindSet } from '../../registry/kind-set.ts';
import {
  type Budget,
  type Decide,
  matchConditions,
  POLICY_COST_MAX,
  run,
  type Values,
  valuesOf,
  variablesValue,
} from '../dynamic/expressions.ts';
import { type Subject, subjectOf } from '../dynamic/subject.ts';
import { refused } from '../refusal.ts';
import { type CompiledPolicy, compilePolicy, Hooks, isExempt, type Meeting, meetings, type Source } from './hooks.ts';

const MESSAGE_LENGTH_MAX = 5 * 1024;
const AUDIT_VALUE_LENGTH_MAX = 10 * 1024;
const AUDIT_FAILURE = 'validation.policy.admission.k8s.io/validation_failure';
const CODES: Readonly<Record<string, number>> = Object.freeze({
  Unauthorized: 401,
  Forbidden: 403,
  RequestEntityTooLarge: 413,
  Invalid: 422,
});

type Policy = ValidatingAdmissionPolicy;
type Binding = ValidatingAdmissionPolicyBinding;

interface CompiledValidation {
  readonly source: string;
  readonly validation: DeepReadonly<Validation>;
  readonly expression: Expression;
  readonly message: Expression | undefined;
}

interface Compiled extends CompiledPolicy<Policy> {
  readonly validations: readonly CompiledValidation[];
  readonly annotations: readonly { readonly key: string; readonly source: string; readonly expression: Expression }[];
}

function compile(policy: DeepReadonly<Policy>): Compiled {
  const base = compilePolicy<Policy>(policy, false);
  const { types } = base.variables;
  const scope = { params: policy.spec?.paramKind !== undefined, authorizer: true, variables: types };
  return {
    ...base,
    validations: (policy.spec?.validations ?? []).map((validation) => {
      const source = (validation.expression ?? '').trim();
      const message = (validation.messageExpression ?? '').trim();
      return {
        source,
        validation,
        expression: compileExpression(source, scope, CONDITION),
        message: message === '' ? undefined : compileExpression(message, { ...scope, authorizer: false }, MESSAGE),
      };
    }),
    annotations: (policy.spec?.auditAnnotations ?? []).map(({ key = '', valueExpression = '' }) => {
      const source = valueExpression.trim();
      return { key, source, expression: compileExpression(source, scope, ANNOTATION) };
    }),
  };
}

/** What a policy found wrong. `index`: of the validation. */
interface Failure {
  readonly message: string;
  readonly reason: string;
  readonly index: number;
}

export interface ValidatingPolicyOptions {
  readonly kinds: KindSet;
  readonly policies: Source<Policy>;
  readonly bindings: Source<Binding>;
  readonly decide: Decide;
  /** Is told of each check that did not hold. */
  readonly cel?: CelObserver;
}

export function validatingAdmissionPolicies({
  kinds,
  policies,
  bindings,
  decide,
  cel,
}: ValidatingPolicyOptions): AdmissionPlugin {
  const hooks = new Hooks<Policy, Binding, Compiled>(policies, bindings, compile);
  return {
    name: 'ValidatingAdmissionPolicy',
    handles: (request) => !isExempt(request) && hooks.all.length > 0,
    async validate(ctx, request, registry) {
      const subject = subjectOf(kinds, request);
      const outcome = new Outcome(ctx, request, cel);
      for (const meeting of await meetings(hooks, { subject, registry, kinds })) {
        if (meeting.error !== undefined) {
          outcome.fail(meeting, { message: meeting.error, reason: 'Invalid', index: 0 }, true);
          continue;
        }
        const values = await valuesOf(ctx, subject, meeting.form, registry, decide);
        for (const params of meeting.params)
          judge(meeting, subject, { ...values, params: valueOfJson(params) }, outcome);
      }
      outcome.finish();
    },
  };
}

/** Asks one policy with one parameter. */
function judge(meeting: Meeting<Compiled, Binding>, _subject: Subject, given: Values, outcome: Outcome): void {
  const { compiled } = meeting;
  const matched = matchConditions(compiled.conditions, given);
  if (matched.error !== undefined) {
    outcome.fail(meeting, { message: matched.error, reason: 'Invalid', index: 0 }, true);
    return;
  }
  if (!matched.matches) return;
  const budget: Budget = { left: POLICY_COST_MAX };
  const { types, expressions } = compiled.variables;
  const values = { ...given, variables: variablesValue(types, expressions, given, budget) };
  compiled.validations.forEach((one, index) => {
    outcome.begin();
    const found = run(one.source, one.expression, values, budget);
    if (found.error !== undefined) outcome.fail(meeting, { message: found.error, reason: 'Invalid', index }, true);
    else if (found.value !== true) {
      const reason = one.validation.reason ?? 'Invalid';
      outcome.fail(meeting, { message: messageOf(one, values, budget), reason, index }, false);
    }
  });
  for (const { key, source, expression } of compiled.annotations) {
    outcome.begin();
    const found = run(source, expression, values, budget);
    if (found.error !== undefined) outcome.fail(meeting, { message: found.error, reason: 'Invalid', index: 0 }, true);
    else if (typeof found.value === 'string' && found.value.trim() !== '') {
      outcome.annotate(`${compiled.name}/${key}`, found.value.trim().slice(0, AUDIT_VALUE_LENGTH_MAX));
    }
  }
}

/** What a failing validation says: its expression's text, if that is one line of text, its message, or itself. */
function messageOf(one: CompiledValidation, values: Values, budget: Budget): string {
  const { message: compiled, validation, source } = one;
  if (compiled) {
    const made = run(validation.messageExpression ?? '', compiled, values, budget);
    const text = made.error === undefined && typeof made.value === 'string' ? made.value.trim() : '';
    if (text !== '' && !text.includes('\n') && text.length <= MESSAGE_LENGTH_MAX) return text;
  }
  return validation.message?.trim() || `failed expression: ${source}`;
}

const ACTIONS: Readonly<Record<string, PolicyAction>> = Object.freeze({ Deny: 'deny', Audit: 'audit', Warn: 'warn' });

function errorOf(message: string): PolicyError {
  if (message.startsWith('compilation')) return 'compile_error';
  return message.includes('running out of cost budget') ? 'out_of_budget' : 'invalid_error';
}

/** Gathers what policies say, and speaks when all have been asked. */
class Outcome {
  readonly #ctx: RequestContext;
  readonly #request: DeepReadonlyAdmission;
  readonly #notes: unknown[] = [];
  readonly #annotations = new Map<string, Set<string>>();
  readonly #cel: CelObserver | undefined;
  #beganMs: number | undefined;
  #denied: { readonly text: string; readonly reason: string } | undefined;

  constructor(ctx: RequestContext, request: DeepReadonlyAdmission, cel: CelObserver | undefined) {
    this.#cel = cel;
    this.#ctx = ctx;
    this.#request = request;
  }

  /** A check of a policy begins. */
  begin(): void {
    this.#beganMs = this.#cel?.nowMs();
  }

  #checked({ compiled, bindingName }: Meeting<Compiled, Binding>, action: PolicyAction, message: string): void {
    const cel = this.#cel;
    // What is wrong with a policy's configuration is found before any check.
    if (!cel || this.#beganMs === undefined) return;
    cel.checked(compiled.name, bindingName, action, errorOf(message), cel.nowMs() - this.#beganMs);
  }

  /** `broken`: the policy could not be asked, and its failurePolicy says what that means. */
  fail(meeting: Meeting<Compiled, Binding>, failure: Failure, broken: boolean): void {
    const { compiled, binding, bindingName } = meeting;
    if (broken && compiled.policy.spec?.failurePolicy === 'Ignore') {
      this.#checked(meeting, 'allow', failure.message);
      return;
    }
    const named = `ValidatingAdmissionPolicy '${compiled.name}' with binding '${bindingName}'`;
    for (const action of binding.spec?.validationActions ?? []) {
      const told = ACTIONS[action];
      if (told) this.#checked(meeting, told, failure.message);
      if (action === 'Deny') {
        this.#denied ??= { text: `${named} denied request: ${failure.message}`, reason: failure.reason };
      } else if (action === 'Warn') this.#ctx.warnings.add(`Validation failed for ${named}: ${failure.message}`);
      else if (action === 'Audit') {
        this.#notes.push({
          message: failure.message,
          policy: compiled.name,
          binding: bindingName,
          expressionIndex: failure.index,
          validationActions: binding.spec?.validationActions,
        });
      }
    }
  }

  annotate(key: string, value: string): void {
    const values = this.#annotations.get(key) ?? new Set();
    this.#annotations.set(key, values.add(value));
  }

  finish(): void {
    for (const [key, values] of this.#annotations) this.#ctx.audit.set(key, [...values].join(', '));
    if (this.#notes.length > 0) this.#ctx.audit.set(AUDIT_FAILURE, JSON.stringify(this.#notes));
    if (!this.#denied) return;
    const { text, reason } = this.#denied;
    throw denial(this.#request, text, reason, CODES[reason] ?? 422);
  }
}

/** A refusal with its text as the cause; `reason` may be another than the code's. */
export function denial(
  request: Pick<DeepReadonlyAdmission, 'kind' | 'name'> & { readonly object: DeepReadonly<ApiObject> | undefined },
  text: string,
  reason: string,
  code: number,
): ApiError {
  const { status } = refused(request, text);
  return new ApiError({ ...status, reason, code, details: { ...status.details, causes: [{ message: text }] } });
}
