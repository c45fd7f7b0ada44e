import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import type { ServedResource } from './kind-set.ts';
import type { UpdateRules } from './rules.ts';

type Parts = Record<string, unknown>;

/** What a change may take over from the stored object as it is: that one's own, frozen parts. */
export interface Sharing {
  /**
   * Top-level parts that the change cannot touch: they are taken from the stored object, whatever is sent (the spec, of a
   * write to the status). Where what is sent are the stored object's own, nothing need be copied, filled or compared.
   */
  readonly fixed: readonly string[];
  /** Top-level parts whose members the server replaces and never changes, in defaults, admission and rules of the kinds. */
  readonly open: readonly string[];
}

const MAIN: Sharing = Object.freeze({ fixed: Object.freeze([]), open: Object.freeze(['metadata']) });
const OPEN_TO_STATUS: readonly string[] = Object.freeze(['metadata', 'status']);

/** Undefined where versions are converted: there all parts are made anew. */
export function sharingOf({ served }: ServedResource, subresource: string, rules: UpdateRules): Sharing | undefined {
  if (served.toStorage || served.fromStorage || served.prepare) return undefined;
  if (subresource === '' || !rules.resetFields) return MAIN;
  return { fixed: rules.resetFields, open: subresource === 'status' ? OPEN_TO_STATUS : MAIN.open };
}

/** What of the stored object a draft may share. */
export function shareable(stored: DeepReadonly<ApiObject>, { fixed, open }: Sharing): DeepReadonly<ApiObject> {
  const parts: Parts = {};
  for (const name of open) parts[name] = (stored as Parts)[name];
  for (const name of fixed) parts[name] = (stored as Parts)[name];
  return parts as DeepReadonly<ApiObject>;
}

/** Those of `names` whose parts in `value` are the stored object's own. */
function storedParts(value: unknown, stored: DeepReadonly<ApiObject>, names: readonly string[]): readonly string[] {
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

/** Gives a draft for itself what it shares with the stored object: but for fixed parts, and the members of open ones. */
export function ownParts(draft: ApiObject, stored: DeepReadonly<ApiObject>, { fixed, open }: Sharing): void {
  const parts = draft as Parts;
  const whole = storedParts(draft, stored, fixed);
  for (const name in parts) {
    const part = parts[name];
    if (typeof part !== 'object' || part === null || part !== (stored as Parts)[name] || whole.includes(name)) continue;
    parts[name] = open.includes(name) ? { ...part } : copyValue(part);
  }
}

/** Takes parts out of a draft while it is filled with defaults; call the result to put the stored ones back. */
export function setAside(draft: ApiObject, stored: DeepReadonly<ApiObject>, sharing: Sharing | undefined): () => void {
  const parts = storedParts(draft, stored, sharing?.fixed ?? NONE);
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
