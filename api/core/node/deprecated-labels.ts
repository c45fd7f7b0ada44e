/** Labels of nodes that were renamed: what warnings say of those who still use the old names. */
const renamed: Readonly<Record<string, readonly [since: string, now: string]>> = Object.freeze({
  'beta.kubernetes.io/arch': ['v1.14', 'kubernetes.io/arch'],
  'beta.kubernetes.io/os': ['v1.14', 'kubernetes.io/os'],
  'failure-domain.beta.kubernetes.io/region': ['v1.17', 'topology.kubernetes.io/region'],
  'failure-domain.beta.kubernetes.io/zone': ['v1.17', 'topology.kubernetes.io/zone'],
  'beta.kubernetes.io/instance-type': ['v1.17', 'node.kubernetes.io/instance-type'],
});

/** `deprecated since v1.14; use "kubernetes.io/arch" instead`; undefined for labels that are not. */
export function deprecatedNodeLabel(key: string): string | undefined {
  const found = Object.hasOwn(renamed, key) ? renamed[key] : undefined;
  return found && `deprecated since ${found[0]}; use "${found[1]}" instead`;
}
