import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import { type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { type LabelSelector, labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { clusterRoles } from '../../../resources.ts';
import type { ClusterRole, PolicyRule } from '../../../types/rbac/v1.generated.ts';

export interface Observed {
  readonly role: Live<ClusterRole>;
  /** All roles, in order of name. */
  readonly roles: readonly Live<ClusterRole>[];
}

export interface Action {
  readonly type: 'apply';
  readonly reason: string;
  readonly rules: readonly DeepReadonly<PolicyRule>[];
}

const FIELD_MANAGER = 'clusterrole-aggregation-controller';

/** A role with an aggregation rule has the rules of all roles that one of its selectors chooses, each once. */
export function plan({ role, roles }: Observed): Plan<Action> {
  const rules: DeepReadonly<PolicyRule>[] = [];
  for (const selector of selectorsOf(role)) {
    for (const source of roles) {
      if (source.metadata.name === role.metadata.name || !selector.matches(source.metadata.labels)) continue;
      for (const rule of source.rules ?? []) if (!rules.some((one) => sameValue(one, rule))) rules.push(rule);
    }
  }
  if (sameValue(rules, role.rules ?? [])) return { actions: [] };
  return { actions: [{ type: 'apply', rules, reason: 'the roles that make it up have changed' }] };
}

function selectorsOf(role: Live<ClusterRole>): LabelSelector[] {
  return (role.aggregationRule?.clusterRoleSelectors ?? []).flatMap((selector) => {
    try {
      return [labelSelectorOf(selector as Parameters<typeof labelSelectorOf>[0])];
    } catch {
      // Stored before it was checked: it chooses nothing.
      return [];
    }
  });
}

/** Fills roles that are made up of others. */
export const clusterRoleAggregationController: Reconciler<Observed, Action> = {
  name: 'clusterrole-aggregation-controller',
  watches: [
    watching(clusterRoles, (_role, { informers }) =>
      informers
        .informer(clusterRoles)
        .list()
        .filter(({ aggregationRule }) => aggregationRule)
        .map(({ metadata }) => metadata.name),
    ),
  ],
  observe({ informers }, name) {
    const lister = informers.informer(clusterRoles);
    const role = lister.get(name);
    return role?.aggregationRule ? { role, roles: lister.list() } : undefined;
  },
  plan,
  async apply({ client }, { rules }, { role }) {
    const applied = {
      metadata: { name: role.metadata.name },
      // Applying none gives back what was applied before, and leaves what others wrote.
      ...(rules.length > 0 ? { rules } : {}),
    } as unknown as ClusterRole;
    const options = { fieldManager: FIELD_MANAGER, force: true };
    const { metadata } = await client.resource(clusterRoles).apply(applied, options);
    return [{ ref: clusterRoles, resourceVersion: metadata.resourceVersion }];
  },
};
