import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { MutatingWebhookConfiguration } from '../../types/admissionregistration/v1.generated.ts';
import { defaultWebhook } from '../defaults.ts';
import { validateWebhooks } from '../webhooks.ts';

export const strategy: Strategy<MutatingWebhookConfiguration> = {
  plainFinalizers: true,
  generation: 'count',
  defaults({ webhooks }) {
    for (const webhook of webhooks ?? []) {
      defaultWebhook(webhook);
      webhook.reinvocationPolicy ??= 'Never';
    }
  },
  validate: ({ webhooks }) => validateWebhooks(webhooks),
  validateUpdate: ({ webhooks }) => validateWebhooks(webhooks),
};
