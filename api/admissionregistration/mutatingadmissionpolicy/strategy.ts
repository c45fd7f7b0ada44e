import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { MutatingAdmissionPolicy } from '../../types/admissionregistration/v1.generated.ts';

export const strategy: Strategy<MutatingAdmissionPolicy> = {
  generation: 'count',
};
