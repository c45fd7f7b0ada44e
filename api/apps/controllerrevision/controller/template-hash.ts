import { safeEncode } from '../../../../libs/machinery/names.ts';

/**
 * A short text that differs where templates differ, for names and labels (`pod-template-hash`,
 * `controller-revision-hash`). `collisionCount` gives another one where a name is taken by something else. It does not
 * depend on the order of maps' keys, and need not be upstream's: nothing compares the two.
 */
export function templateHash(template: unknown, collisionCount = 0): string {
  let hash = 0x811c9dc5;
  const text = collisionCount > 0 ? `${canonical(template)}#${collisionCount}` : canonical(template);
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return safeEncode(String(hash >>> 0).padStart(8, '0'));
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${key}:${canonical(member)}`).join()}}`;
}
