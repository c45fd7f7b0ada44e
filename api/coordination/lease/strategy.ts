import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { NOT_NEGATIVE } from '../../meta/immutable.ts';
import type { Lease } from '../../types/coordination/v1.generated.ts';

export const strategy: Strategy<Lease> = {
  allowCreateOnUpdate: true,
  prepareForCreate: (_ctx, draft) => dropElectionFields(draft),
  prepareForUpdate: (_ctx, draft, old) => dropElectionFields(draft, old),
  validate: validateLease,
  validateUpdate: validateLease,
};

/** Coordinated leader election is behind a gate that is off: its fields stay only where they are already. */
function dropElectionFields({ spec }: Lease, old?: DeepReadonly<Lease>): void {
  if (!spec || old?.spec?.strategy !== undefined || old?.spec?.preferredHolder !== undefined) return;
  delete spec.strategy;
  delete spec.preferredHolder;
}

function validateLease({ spec }: DeepReadonly<Lease>): field.ErrorList {
  const at = field.path('spec');
  const errors: field.ErrorList = [];
  if (spec?.leaseDurationSeconds !== undefined && spec.leaseDurationSeconds <= 0) {
    errors.push(field.invalid(at.child('leaseDurationSeconds'), spec.leaseDurationSeconds, 'must be greater than 0'));
  }
  if (spec?.leaseTransitions !== undefined && spec.leaseTransitions < 0) {
    errors.push(field.invalid(at.child('leaseTransitions'), spec.leaseTransitions, NOT_NEGATIVE));
  }
  return errors;
}
