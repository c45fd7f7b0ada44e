/** Checks of validating and mutating webhooks. */
import type { DeepReadonly } from '../../libs/kind/object.ts';
import * as field from '../../libs/machinery/field-errors.ts';
import { dns1035Label, fullyQualifiedName } from '../../libs/machinery/names.ts';
import { validateLabelSelector } from '../meta/label-selector.ts';
import type { MutatingWebhook, ValidatingWebhook } from '../types/admissionregistration/v1.generated.ts';
import { FAILURE_POLICIES, MATCH_POLICIES, validateMatchConditions, validateOneOf, validateRule } from './rules.ts';
import { validateWebhookClient } from './webhook-client.ts';

type Webhook = ValidatingWebhook | MutatingWebhook;

const SIDE_EFFECTS = ['None', 'NoneOnDryRun'];
const REVIEW_VERSIONS = ['v1', 'v1beta1'];
const REINVOCATION_POLICIES = ['IfNeeded', 'Never'];
const TIMEOUT_SECONDS_MAX = 30;

export function validateWebhooks(webhooks: readonly DeepReadonly<Webhook>[] | undefined): field.ErrorList {
  const names = new Set<string>();
  return (webhooks ?? []).flatMap((webhook, i) => {
    const at = field.path('webhooks').index(i);
    const name = webhook.name ?? '';
    const errors = [...validateWebhook(webhook, at), ...validateVersions(webhook, at.child('admissionReviewVersions'))];
    if (name !== '' && names.has(name)) errors.push(field.duplicate(at.child('name'), name));
    names.add(name);
    return errors;
  });
}

function validateWebhook(webhook: DeepReadonly<Webhook>, at: field.Path): field.ErrorList {
  const { name = '', sideEffects, timeoutSeconds } = webhook;
  const errors: field.ErrorList = [];
  if (name === '') errors.push(field.required(at.child('name')));
  else for (const problem of fullyQualifiedName(name)) errors.push(field.invalid(at.child('name'), name, problem));
  (webhook.rules ?? []).forEach((rule, i) => errors.push(...validateRule(rule, at.child('rules').index(i))));
  errors.push(...validateOneOf(webhook.failurePolicy, FAILURE_POLICIES, at.child('failurePolicy')));
  errors.push(...validateOneOf(webhook.matchPolicy, MATCH_POLICIES, at.child('matchPolicy')));
  if (sideEffects === undefined || sideEffects === null) {
    errors.push(field.required(at.child('sideEffects'), `must specify one of ${SIDE_EFFECTS.join(', ')}`));
  } else errors.push(...validateOneOf(sideEffects, SIDE_EFFECTS, at.child('sideEffects')));
  if (timeoutSeconds !== undefined && (timeoutSeconds < 1 || timeoutSeconds > TIMEOUT_SECONDS_MAX)) {
    const why = `the timeout value must be between 1 and ${TIMEOUT_SECONDS_MAX} seconds`;
    errors.push(field.invalid(at.child('timeoutSeconds'), timeoutSeconds, why));
  }
  errors.push(...validateLabelSelector(webhook.namespaceSelector, at.child('namespaceSelector')));
  errors.push(...validateLabelSelector(webhook.objectSelector, at.child('objectSelector')));
  const again = (webhook as DeepReadonly<MutatingWebhook>).reinvocationPolicy;
  errors.push(...validateOneOf(again, REINVOCATION_POLICIES, at.child('reinvocationPolicy')));
  errors.push(...validateWebhookClient(webhook.clientConfig ?? {}, at.child('clientConfig')));
  return [...errors, ...validateMatchConditions(webhook.matchConditions, at.child('matchConditions'))];
}

function validateVersions({ admissionReviewVersions }: DeepReadonly<Webhook>, at: field.Path): field.ErrorList {
  const versions = admissionReviewVersions ?? [];
  if (versions.length === 0) return [field.required(at, `must specify one of ${REVIEW_VERSIONS.join(', ')}`)];
  const errors: field.ErrorList = [];
  versions.forEach((version, i) => {
    if (versions.indexOf(version) < i) {
      errors.push(field.invalid(at.index(i), version, 'duplicate version'));
      return;
    }
    for (const problem of dns1035Label(version)) errors.push(field.invalid(at.index(i), version, problem));
  });
  if (!versions.some((version) => REVIEW_VERSIONS.includes(version))) {
    errors.push(field.invalid(at, versions, `must include at least one of ${REVIEW_VERSIONS.join(', ')}`));
  }
  return errors;
}
