import { defineKind } from '../../../libs/kind/kind.ts';
import type { ValidatingWebhookConfiguration } from '../../types/admissionregistration/v1.generated.ts';
import { webhookConfigurationColumns } from '../columns.ts';
import { strategy } from './strategy.ts';

export const validatingWebhookConfiguration = defineKind<ValidatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  kind: 'ValidatingWebhookConfiguration',
  resource: 'validatingwebhookconfigurations',
  namespaced: false,
  categories: ['api-extensions'],
  versions: [{ version: 'v1', type: 'admissionregistration.v1.ValidatingWebhookConfiguration' }],
  strategy,
  columns: webhookConfigurationColumns,
});
