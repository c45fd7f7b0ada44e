import type { PolicyRule } from '../../../api/types/rbac/v1.generated.ts';

/** `get list | core apps | pods` or `get : /healthz`; see `cluster-roles.ts`. */
export function parseRule(text: string): PolicyRule {
  const words = (part = '') => part.trim().split(' ').filter(Boolean);
  if (text.includes(' : ')) {
    const [verbs, paths] = text.split(' : ');
    return { verbs: words(verbs), nonResourceURLs: words(paths) };
  }
  const [verbs, groups, resources, names] = text.split('|');
  return {
    verbs: words(verbs),
    apiGroups: words(groups).map((group) => (group === 'core' ? '' : group)),
    resources: words(resources),
    ...(names ? { resourceNames: words(names) } : {}),
  };
}
