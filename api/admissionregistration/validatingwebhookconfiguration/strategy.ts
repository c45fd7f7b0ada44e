import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ValidatingWebhookConfiguration } from '../../types/admissionregistration/v1.generated.ts';

export const strategy: Strategy<ValidatingWebhookConfiguration> = {
  generation: 'count',
};
