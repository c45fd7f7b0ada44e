import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { validateConditions } from '../../meta/conditions.ts';
import { validateLabelSelector } from '../../meta/label-selector.ts';
import { atMostAll, countOrPercent, notNegative } from '../../meta/numbers.ts';
import type { PodDisruptionBudget } from '../../types/policy/v1.generated.ts';

type Seen = DeepReadonly<PodDisruptionBudget>;
const POLICIES = ['AlwaysAllow', 'IfHealthyBudget'];

export function validatePodDisruptionBudget({ spec }: Seen): field.ErrorList {
  const at = field.path('spec');
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy: policy } = spec ?? {};
  const errors: field.ErrorList = [];
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    const shown = {
      MinAvailable: minAvailable,
      Selector: selector ?? null,
      MaxUnavailable: maxUnavailable,
      UnhealthyPodEvictionPolicy: policy ?? null,
    };
    errors.push(field.invalid(at, shown, 'minAvailable and maxUnavailable cannot be both set'));
  }
  for (const [name, value] of Object.entries({ minAvailable, maxUnavailable })) {
    errors.push(...countOrPercent(value, at.child(name)), ...atMostAll(value, at.child(name)));
  }
  errors.push(...validateLabelSelector(selector, at.child('selector')));
  if (policy !== undefined && !POLICIES.includes(policy)) {
    errors.push(field.notSupported(at.child('unhealthyPodEvictionPolicy'), policy, POLICIES));
  }
  return errors;
}

export function validatePodDisruptionBudgetStatus({ status }: Seen): field.ErrorList {
  const counts = ['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const;
  return [
    ...validateConditions(status?.conditions, field.path('status', 'conditions')),
    ...counts.flatMap((name) => notNegative(status?.[name], field.path('status', name))),
  ];
}
