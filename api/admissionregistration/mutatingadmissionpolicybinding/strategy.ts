import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { MutatingAdmissionPolicyBinding } from '../../types/admissionregistration/v1.generated.ts';

export const strategy: Strategy<MutatingAdmissionPolicyBinding> = {
  generation: 'count',
};
