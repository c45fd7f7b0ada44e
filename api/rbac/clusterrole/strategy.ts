import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { pathSegmentName } from '../../../libs/machinery/names.ts';
import { validateLabelSelector } from '../../meta/label-selector.ts';
import type { ClusterRole } from '../../types/rbac/v1.generated.ts';
import { validateRules } from '../policy-rules.ts';

export const strategy: Strategy<ClusterRole> = {
  allowCreateOnUpdate: true,
  validateName: pathSegmentName,
  validate: validateClusterRole,
  validateUpdate: validateClusterRole,
};

function validateClusterRole({ rules, aggregationRule }: DeepReadonly<ClusterRole>): field.ErrorList {
  const errors = validateRules(rules, false);
  if (!aggregationRule) return errors;
  const at = field.path('aggregationRule', 'clusterRoleSelectors');
  const selectors = aggregationRule.clusterRoleSelectors ?? [];
  if (selectors.length === 0) {
    errors.push(field.required(at, 'at least one clusterRoleSelector required if aggregationRule is non-nil'));
  }
  selectors.forEach((selector, i) => {
    const problems = validateLabelSelector(selector, at.index(i));
    errors.push(...problems);
    if (problems.length > 0) errors.push(field.invalid(at.index(i), null, 'invalid label selector.'));
  });
  return errors;
}
