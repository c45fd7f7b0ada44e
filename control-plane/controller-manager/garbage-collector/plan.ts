import type { ApiObject, Live, OwnerReference } from '../../../libs/kind/object.ts';

export const FOREGROUND = 'foregroundDeletion';
export const ORPHAN = 'orphan';

/** What is known of an owner: there; gone for good; or being deleted and waiting for its dependents to go first. */
export type OwnerState = 'solid' | 'absent' | 'waiting';

export interface Observed {
  readonly object: Live<ApiObject>;
  readonly owners: readonly { readonly reference: Readonly<OwnerReference>; readonly state: OwnerState }[];
  readonly dependents: readonly Dependent[];
}

export interface Dependent {
  readonly uid: string;
  /** It holds its owner's deletion up. */
  readonly blocks: boolean;
  readonly waits: boolean;
}

export type Decision =
  | { readonly type: 'nothing' }
  | { readonly type: 'orphan dependents' }
  /** `look`: the dependents that are to be looked at first. */
  | { readonly type: 'wait for dependents'; readonly look: readonly string[] }
  | { readonly type: 'remove finalizer'; readonly finalizer: string }
  | { readonly type: 'drop owners'; readonly uids: readonly string[] }
  | { readonly type: 'delete'; readonly policy: 'Background' | 'Foreground' | 'Orphan'; readonly unblock: boolean };

/** Whether an object is being deleted once its dependents are gone. */
export const isWaiting = ({ metadata }: Live<ApiObject>): boolean =>
  Boolean(metadata.deletionTimestamp) && (metadata.finalizers?.includes(FOREGROUND) ?? false);

/** Whether an object is being deleted once its dependents have been let go. */
export const isOrphaning = ({ metadata }: Live<ApiObject>): boolean =>
  Boolean(metadata.deletionTimestamp) && (metadata.finalizers?.includes(ORPHAN) ?? false);

/** An object lives as long as one of its owners does; it decides itself what becomes of its own dependents. */
export function plan({ object, owners, dependents }: Observed): Decision {
  if (isOrphaning(object)) return { type: 'orphan dependents' };
  if (isWaiting(object)) {
    const blocking = dependents.filter(({ blocks }) => blocks);
    if (blocking.length === 0) return { type: 'remove finalizer', finalizer: FOREGROUND };
    return { type: 'wait for dependents', look: blocking.filter(({ waits }) => !waits).map(({ uid }) => uid) };
  }
  if (object.metadata.deletionTimestamp || owners.length === 0) return { type: 'nothing' };
  const uids = (state: OwnerState) =>
    owners.filter((owner) => owner.state === state).map(({ reference }) => reference.uid);
  const [solid, absent, waiting] = [uids('solid'), uids('absent'), uids('waiting')];
  if (solid.length > 0) {
    const drop = [...absent, ...waiting];
    return drop.length > 0 ? { type: 'drop owners', uids: drop } : { type: 'nothing' };
  }
  if (waiting.length > 0 && dependents.length > 0) {
    // A ring of objects that wait for each other would stand for ever: this one lets its owner go.
    return { type: 'delete', policy: 'Foreground', unblock: dependents.some(({ waits }) => waits) };
  }
  const finalizers = object.metadata.finalizers ?? [];
  const policy = finalizers.includes(ORPHAN) ? 'Orphan' : finalizers.includes(FOREGROUND) ? 'Foreground' : 'Background';
  return { type: 'delete', policy, unblock: false };
}
