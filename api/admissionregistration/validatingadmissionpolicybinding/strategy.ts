import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ValidatingAdmissionPolicyBinding } from '../../types/admissionregistration/v1.generated.ts';

export const strategy: Strategy<ValidatingAdmissionPolicyBinding> = {
  generation: 'count',
};
