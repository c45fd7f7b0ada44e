import { KNOWN_GATES } from '../libs/kind/feature-gates.ts';
import type { FeatureGates } from '../libs/kind/reconciler.ts';
import { ClusterUsageError } from './errors.ts';

/** Throws `ClusterUsageError` for a gate that nothing would ask for, or that is neither on nor off. */
export function mustBeGates(gates: Readonly<Record<string, boolean>> = {}): Readonly<Record<string, boolean>> {
  for (const [name, enabled] of Object.entries(gates)) {
    if (!Object.hasOwn(KNOWN_GATES, name)) {
      const known = Object.keys(KNOWN_GATES).join(', ');
      throw new ClusterUsageError(`featureGates: there is no gate "${name}"; there are ${known}`);
    }
    if (typeof enabled !== 'boolean')
      throw new ClusterUsageError(`featureGates.${name} is true or false, not ${JSON.stringify(enabled)}`);
  }
  return gates;
}

/** What is not said is `otherwise`. */
export const gatesOf = (gates: Readonly<Record<string, boolean>>, otherwise: boolean): FeatureGates => ({
  enabled: (name) => (Object.hasOwn(gates, name) ? (gates[name] as boolean) : otherwise),
});
