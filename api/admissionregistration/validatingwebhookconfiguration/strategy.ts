import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ValidatingWebhookConfiguration } from '../../types/admissionregistration/v1.generated.ts';
import { defaultWebhook } from '../defaults.ts';
import { validateWebhooks } from '../webhooks.ts';

export const strategy: Strategy<ValidatingWebhookConfiguration> = {
  plainFinalizers: true,
  generation: 'count',
  defaults({ webhooks }) {
    for (const webhook of webhooks ?? []) defaultWebhook(webhook);
  },
  validate: ({ webhooks }) => validateWebhooks(webhooks),
  validateUpdate: ({ webhooks }) => validateWebhooks(webhooks),
};
