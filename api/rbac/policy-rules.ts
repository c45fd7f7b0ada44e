/** Rules of Roles and ClusterRoles, and how their tables show them. */

import type { DeepReadonly } from '../../libs/kind/object.ts';
import * as field from '../../libs/machinery/field-errors.ts';
import type { PolicyRule } from '../types/rbac/v1.generated.ts';

export const RBAC_GROUP = 'rbac.authorization.k8s.io';

/** Every rule says what may be done, and either to which resources or to which paths; paths belong to no namespace. */
export function validateRules(
  rules: DeepReadonly<PolicyRule[]> | null | undefined,
  namespaced: boolean,
): field.ErrorList {
  return (rules ?? []).flatMap((rule, i) => validateRule(rule, namespaced, field.path('rules').index(i)));
}

function validateRule(rule: DeepReadonly<PolicyRule>, namespaced: boolean, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const has = (list: readonly string[] | undefined) => (list?.length ?? 0) > 0;
  if (!has(rule.verbs)) errors.push(field.required(at.child('verbs'), 'verbs must contain at least one value'));
  if (has(rule.nonResourceURLs)) {
    const paths = at.child('nonResourceURLs');
    if (namespaced) {
      const why = 'namespaced rules cannot apply to non-resource URLs';
      errors.push(field.invalid(paths, rule.nonResourceURLs, why));
    }
    if (has(rule.apiGroups) || has(rule.resources) || has(rule.resourceNames)) {
      const why = 'rules cannot apply to both regular resources and non-resource URLs';
      errors.push(field.invalid(paths, rule.nonResourceURLs, why));
    }
    return errors;
  }
  if (!has(rule.apiGroups)) {
    errors.push(field.required(at.child('apiGroups'), 'resource rules must supply at least one api group'));
  }
  if (!has(rule.resources)) {
    errors.push(field.required(at.child('resources'), 'resource rules must supply at least one resource'));
  }
  return errors;
}
