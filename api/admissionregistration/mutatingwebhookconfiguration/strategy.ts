import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { MutatingWebhookConfiguration } from '../../types/admissionregistration/v1.generated.ts';

export const strategy: Strategy<MutatingWebhookConfiguration> = {
  generation: 'count',
};
