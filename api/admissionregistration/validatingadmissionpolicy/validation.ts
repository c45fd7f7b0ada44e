import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../libs/machinery/names.ts';
import type { ValidatingAdmissionPolicy, Validation } from '../../types/admissionregistration/v1.generated.ts';
import { ANNOTATION, CONDITION, MESSAGE, type Scope } from '../expressions.ts';
import { policyScope, validateExpression, validatePolicySpec } from '../policies.ts';
import { validateOneOf } from '../rules.ts';

const AUDIT_ANNOTATIONS_MAX = 20;
const VALUE_EXPRESSION_BYTES_MAX = 5 * 1024;
const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge', 'Unauthorized'];
const NOTHING_TO_DO = 'validations or auditAnnotations must contain at least one item';

export function validateValidatingAdmissionPolicy({
  metadata,
  spec,
}: DeepReadonly<ValidatingAdmissionPolicy>): field.ErrorList {
  const at = field.path('spec');
  const errors = validatePolicySpec(spec ?? {}, at);
  const scope = policyScope(spec ?? {}, false);
  const { validations = [], auditAnnotations = [] } = spec ?? {};
  if (validations.length === 0 && auditAnnotations.length === 0) {
    errors.push(field.required(at.child('validations'), NOTHING_TO_DO));
    errors.push(field.required(at.child('auditAnnotations'), NOTHING_TO_DO));
    return errors;
  }
  validations.forEach((validation, i) => {
    errors.push(...validateValidation(validation, at.child('validations').index(i), scope));
  });
  const annotations = at.child('auditAnnotations');
  if (auditAnnotations.length > AUDIT_ANNOTATIONS_MAX) {
    const why = `must not have more than ${AUDIT_ANNOTATIONS_MAX} auditAnnotations`;
    errors.push(field.invalid(annotations, auditAnnotations, why));
  }
  const keys = new Set<string>();
  auditAnnotations.forEach(({ key = '', valueExpression = '' }, i) => {
    const here = annotations.index(i);
    // In the audit record the policy's name stands before the key.
    const whole = `${metadata?.name ?? ''}/${key}`;
    for (const problem of qualifiedName(whole)) errors.push(field.invalid(here.child('key'), whole, problem));
    errors.push(
      ...validateExpression(valueExpression, here.child('valueExpression'), {
        name: 'valueExpression',
        scope,
        wanted: ANNOTATION,
      }),
    );
    if (valueExpression.length > VALUE_EXPRESSION_BYTES_MAX) {
      errors.push(field.tooLong(here.child('valueExpression'), VALUE_EXPRESSION_BYTES_MAX));
    }
    if (keys.has(key)) errors.push(field.duplicate(here.child('key'), key));
    keys.add(key);
  });
  return errors;
}

function validateValidation(validation: DeepReadonly<Validation>, at: field.Path, scope: Scope): field.ErrorList {
  const { expression = '', message = '', messageExpression = '', reason } = validation;
  const errors = validateExpression(expression, at.child('expression'), { scope, wanted: CONDITION });
  if (messageExpression !== '' && messageExpression.trim() === '') {
    errors.push(field.invalid(at.child('messageExpression'), messageExpression, 'must be non-empty if specified'));
  } else if (messageExpression !== '') {
    const said = { scope: { ...scope, authorizer: false }, wanted: MESSAGE };
    errors.push(...validateExpression(messageExpression, at.child('messageExpression'), said));
  }
  const severalLines = (text: string) => /[\r\n]/.test(text);
  if (message !== '' && message.trim() === '') {
    errors.push(field.invalid(at.child('message'), message, 'must be non-empty if specified'));
  } else if (severalLines(message.trim())) {
    errors.push(field.invalid(at.child('message'), message, 'must not contain line breaks'));
  } else if (severalLines(expression.trim()) && message === '') {
    errors.push(field.required(at.child('message'), 'message must be specified if expression contains line breaks'));
  }
  return [...errors, ...validateOneOf(reason, REASONS, at.child('reason'))];
}
