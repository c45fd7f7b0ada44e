import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { NetworkPolicy } from '../../types/networking/v1.generated.ts';
import { networkPolicyWarnings, validateNetworkPolicy, validateNetworkPolicyUpdate } from './validation.ts';

export const strategy: Strategy<NetworkPolicy> = {
  generation: 'count',
  defaults,
  validate: validateNetworkPolicy,
  validateUpdate: validateNetworkPolicyUpdate,
  warnings: (policy) => networkPolicyWarnings(policy),
};

/** A policy that does not say which way it looks looks at what comes in, and at what goes out if it has rules for that. */
function defaults({ spec }: NetworkPolicy): void {
  if (!spec) return;
  for (const { ports } of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) {
    for (const port of ports ?? []) port.protocol ??= 'TCP';
  }
  if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
}
