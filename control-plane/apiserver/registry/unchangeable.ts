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
  /** The template in the spec is taken as it is where it is the stored object's own: `Strategy.keepsTemplate`. */
  readonly template?: true;
}

const MAIN: Sharing = Object.freeze({ fixed: Object.freeze([]), open: Object.freeze(['metadata']) });
const MAIN_WITH_TEMPLATE: Sharing = Object.freeze({ ...MAIN, template: true });
const OPEN_TO_STATUS: readonly string[] = Object.freeze(['metadata', 'status']);

/** Undefined where versions are converted: there all parts are made anew. */
export function sharingOf(
  { served, kind }: ServedResource,
  subresource: string,
  rules: UpdateRules,
): Sharing | undefined {
  if (served.toStorage || served.fromStorage || served.prepare) return undefined;
  if (subresource === '') return kind.strategy.keepsTemplate ? MAIN_WITH_TEMPLATE : MAIN;
  if (!rules.resetFields) return MAIN;
  return { fixed: rules.resetFields, open: subresource === 'status' ? OPEN_TO_STATUS : MAIN.open };
}

/** What of the stored object a draft that is made of `sent` may share. */
export function shareable(
  sent: unknown,
  stored: DeepReadonly<ApiObject>,
  { fixed, open, template }: Sharing,
): DeepReadonly<ApiObject> {
  const parts: Parts = {};
  for (const name of open) parts[name] = (stored as Parts)[name];
  for (const name of fixed) parts[name] = (stored as Parts)[name];
  const kept = template && templateOf(stored);
  // All of it or nothing: what is another one will be filled in.
  if (kept && kept === templateOf(sent) && Object.isFrozen(kept)) parts['spec'] = { template: kept };
  return parts as DeepReadonly<ApiObject>;
}

const templateOf = (object: unknown): object | undefined =>
  (object as { readonly spec?: { readonly template?: object } | null } | undefined | null)?.spec?.template;

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

/** Gives a draft for itself what it shares with the stored object: but for fixed parts, the members of open ones, the template. */
export function ownParts(draft: ApiObject, stored: DeepReadonly<ApiObject>, { fixed, open, template }: Sharing): void {
  const parts = draft as Parts;
  const whole = storedParts(draft, stored, fixed);
  for (const name in parts) {
    const part = parts[name];
    if (typeof part !== 'object' || part === null || part !== (stored as Parts)[name] || whole.includes(name)) continue;
    if (open.includes(name)) parts[name] = { ...part };
    else parts[name] = template && name === 'spec' ? withTemplate(part) : copyValue(part);
  }
}

/** A copy of a spec that has the very template. */
function withTemplate(spec: object): Parts {
  const copy: Parts = {};
  for (const name in spec) {
    const member = (spec as Parts)[name];
    copy[name] = name === 'template' && Object.isFrozen(member) ? member : copyValue(member);
  }
  return copy;
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
