import { copyValue } from '../machinery/copy.ts';
import type { ApiObject, DeepReadonly } from './object.ts';

/**
 * What most status subresources do with the rest of the object: everything but the status is taken from the old one. Of
 * the metadata a status writer may change finalizers and owner references; `metadata` names what else (labels and
 * annotations of pods, nodes and namespaces). For `StatusSubresource.strategy.prepareForUpdate`. What is taken over may be
 * the old object's own, frozen parts.
 */
export function keepAllButStatus(
  draft: ApiObject,
  old: DeepReadonly<ApiObject>,
  metadata: readonly ('labels' | 'annotations')[] = [],
): void {
  const target = draft as Record<string, unknown>;
  const source = old as Readonly<Record<string, unknown>>;
  for (const key in source) {
    if (!isOwn(key)) takeOver(target, source, key);
  }
  for (const key of Object.keys(target)) if (!isOwn(key) && !Object.hasOwn(source, key)) delete target[key];
  draft.metadata ??= {};
  const meta = draft.metadata as Record<string, unknown>;
  const was = (old.metadata ?? {}) as Readonly<Record<string, unknown>>;
  for (const key of ['labels', 'annotations'] as const) if (!metadata.includes(key)) takeOver(meta, was, key);
}

/**
 * The same for kinds whose status writers change no metadata at all: those that got a status since that became the rule
 * (policies, flow control, claims of devices).
 */
export function changeStatusAlone(draft: ApiObject, old: DeepReadonly<ApiObject>): void {
  keepAllButStatus(draft, old);
  keepMetadata(draft, old, ['finalizers', 'ownerReferences']);
}

/** Takes parts of the metadata from the old object, whatever the draft says of them. */
export function keepMetadata(
  draft: ApiObject,
  old: DeepReadonly<ApiObject>,
  names: readonly ('finalizers' | 'ownerReferences')[],
): void {
  draft.metadata ??= {};
  const was = (old.metadata ?? {}) as Readonly<Record<string, unknown>>;
  for (const name of names) takeOver(draft.metadata as Record<string, unknown>, was, name);
}

/** The other half: a write to the main resource keeps the status that is there. For `Strategy.prepareForUpdate`. */
export function keepStatus(draft: ApiObject, old: DeepReadonly<ApiObject>): void {
  takeOver(draft as Record<string, unknown>, old as Readonly<Record<string, unknown>>, 'status');
}

/** On create the status is the server's. For `Strategy.prepareForCreate`. */
export function dropStatus(draft: ApiObject): void {
  delete (draft as { status?: unknown }).status;
}

/** What a status writer writes, and what it means. */
const isOwn = (key: string): boolean =>
  key === 'status' || key === 'metadata' || key === 'apiVersion' || key === 'kind';

/** What is frozen nobody changes any more, and what is still the very same need not be compared or written anew. */
function takeOver(target: Record<string, unknown>, source: Readonly<Record<string, unknown>>, key: string): void {
  if (Object.hasOwn(source, key)) target[key] = Object.isFrozen(source[key]) ? source[key] : copyValue(source[key]);
  else if (target[key] !== undefined) delete target[key];
}
