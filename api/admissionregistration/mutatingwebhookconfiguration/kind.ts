import { defineKind } from '../../../libs/kind/kind.ts';
import type { MutatingWebhookConfiguration } from '../../types/admissionregistration/v1.generated.ts';
import { webhookConfigurationColumns } from '../columns.ts';
import { strategy } from './strategy.ts';

export const mutatingWebhookConfiguration = defineKind<MutatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingWebhookConfiguration',
  resource: 'mutatingwebhookconfigurations',
  namespaced: false,
  categories: ['api-extensions'],
  versions: [{ version: 'v1', type: 'admissionregistration.v1.MutatingWebhookConfiguration' }],
  strategy,
  columns: webhookConfigurationColumns,
});
