import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { MutatingWebhookConfiguration } from '../../types/admissionregistration/v1.generated.ts';
import { strategy } from './strategy.ts';

export const mutatingWebhookConfiguration = defineKind<MutatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  kind: 'MutatingWebhookConfiguration',
  resource: 'mutatingwebhookconfigurations',
  namespaced: false,
  categories: ['api-extensions'],
  versions: [{ version: 'v1', type: 'admissionregistration.v1.MutatingWebhookConfiguration' }],
  strategy,
  columns: [
    nameColumn,
    {
      name: 'Webhooks',
      type: 'integer',
      description: 'How many webhooks the configuration has',
      value: ({ webhooks }) => webhooks?.length ?? 0,
    },
    ageColumn,
  ],
});
