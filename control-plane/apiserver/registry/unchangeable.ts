import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import type { ServedResource } from './kind-set.ts';
import type { UpdateRules } from './rules.ts';

type Parts = Record<string, unknown>;

/**
 * Which top-level parts of an object a change through a subresource cannot touch: they are taken from the stored object,
 * whatever is sent (the spec, of a write to the status). Where what is sent are the stored object's own, frozen parts,
 * nothing need be copied, filled or compared. Empty where versions are converted: there the parts are made anew.
 */
export function unchangeableParts(
  { served }: ServedResource,
  subresource: string,
  rules: UpdateRules,
): readonly string[] {
  if (subresource === '' || served.toStorage || served.fromStorage || served.prepare) return NONE;
  return rules.resetFields ?? NONE;
}

/** Those of `names` whose parts in `value` are the stored object's own. */
export function storedParts(
  value: unknown,
  stored: DeepReadonly<ApiObject>,
  names: readonly string[],
): readonly string[] {
  if (names.length === 0 || typeof value !== 'object' || value === null) return NONE;
  // Labels that have been taken away may be filled in again from the spec.
  if (hasLabels(stored) && !hasLabels(value as ApiObject)) return NONE;
  return names.filter((name) => {
    // Even where nothing of it is the writer's, metadata tells of the write: who owns what, and in which version.
    if (name === 'metadata') return false;
    const part = (value as Parts)[name];
    return typeof part === 'object' && part === (stored as Parts)[name] && Object.isFrozen(part);
  });
}

/** Takes parts out of a draft while it is filled with defaults; call the result to put the stored ones back. */
export function setAside(draft: ApiObject, stored: DeepReadonly<ApiObject>, names: readonly string[]): () => void {
  const parts = storedParts(draft, stored, names);
  for (const name of parts) (draft as Parts)[name] = undefined;
  return () => {
    for (const name of parts) (draft as Parts)[name] = (stored as Parts)[name];
  };
}

const NONE: readonly string[] = Object.freeze([]);

function hasLabels({ metadata }: DeepReadonly<ApiObject>): boolean {
  for (const _ in metadata?.labels) return true;
  return false;
}
