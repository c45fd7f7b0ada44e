/** Defaults of what webhooks and policies have in common: which requests they look at. */
import type {
  MatchResources,
  MutatingWebhook,
  RuleWithOperations,
  ValidatingWebhook,
} from '../types/admissionregistration/v1.generated.ts';

const HTTPS_PORT = 443;
const TIMEOUT_SECONDS = 10;

export function defaultWebhook(webhook: ValidatingWebhook | MutatingWebhook): void {
  webhook.failurePolicy ??= 'Fail';
  webhook.matchPolicy ??= 'Equivalent';
  webhook.namespaceSelector ??= {};
  webhook.objectSelector ??= {};
  webhook.timeoutSeconds ??= TIMEOUT_SECONDS;
  defaultScopes(webhook.rules);
  if (webhook.clientConfig?.service) webhook.clientConfig.service.port ??= HTTPS_PORT;
}

export function defaultMatchResources(resources: MatchResources | undefined): void {
  if (!resources) return;
  resources.namespaceSelector ??= {};
  resources.objectSelector ??= {};
  resources.matchPolicy ??= 'Equivalent';
  defaultScopes(resources.resourceRules);
  defaultScopes(resources.excludeResourceRules);
}

function defaultScopes(rules: Pick<RuleWithOperations, 'scope'>[] | undefined): void {
  for (const rule of rules ?? []) rule.scope ??= '*';
}
