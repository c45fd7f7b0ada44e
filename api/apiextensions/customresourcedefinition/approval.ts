/** Groups of the Kubernetes community (`*.k8s.io`, `*.kubernetes.io`) need a note of who approved a definition in them. */

export const APPROVAL_ANNOTATION = 'api-approved.kubernetes.io';

export const PROTECTED_GROUP_MESSAGE = `protected groups must have approval annotation "${APPROVAL_ANNOTATION}", see https://github.com/kubernetes/enhancements/pull/1111`;

export type Approval =
  | { readonly state: 'approved' | 'bypassed'; readonly value: string }
  | { readonly state: 'missing' }
  | { readonly state: 'invalid'; readonly value: string; readonly reason: string };

export function isProtectedGroup(group: string): boolean {
  return ['k8s.io', 'kubernetes.io'].some((suffix) => group === suffix || group.endsWith(`.${suffix}`));
}

/** What the annotation says; undefined for groups that need none. */
export function approvalOf(
  group: string,
  annotations: Readonly<Record<string, string>> | undefined,
): Approval | undefined {
  if (!isProtectedGroup(group)) return undefined;
  const value = annotations && Object.hasOwn(annotations, APPROVAL_ANNOTATION) ? annotations[APPROVAL_ANNOTATION] : '';
  if (!value) return { state: 'missing' };
  if (value.startsWith('unapproved')) return { state: 'bypassed', value };
  // A URL with a host and a scheme.
  if (/^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+/i.test(value)) return { state: 'approved', value };
  const reason = `protected groups must have approval annotation "${APPROVAL_ANNOTATION}" with either a URL or a reason starting with "unapproved", see https://github.com/kubernetes/enhancements/pull/1111`;
  return { state: 'invalid', value, reason };
}
