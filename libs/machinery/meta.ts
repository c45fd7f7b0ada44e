/** Object metadata: owners, finalizers, labels. Pure; objects that are passed in are never changed. */

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

/** What these functions need of an object. */
export interface HasMeta {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: {
    readonly name?: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
    readonly deletionTimestamp?: string | null;
    readonly ownerReferences?: readonly Readonly<OwnerReference>[];
  };
}

const none: Readonly<Record<string, string>> = Object.freeze({});

export function labelsOf(object: HasMeta): Readonly<Record<string, string>> {
  return object.metadata?.labels ?? none;
}

export function annotationsOf(object: HasMeta): Readonly<Record<string, string>> {
  return object.metadata?.annotations ?? none;
}

/** One label or annotation of a map that users filled; undefined where it is absent. */
export function valueIn(map: Readonly<Record<string, string>> | undefined, key: string): string | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}

/** Whether deletion has begun. */
export function isDeleting(object: HasMeta): boolean {
  return object.metadata?.deletionTimestamp !== undefined && object.metadata.deletionTimestamp !== null;
}

/** The owner that manages the object; undefined where it has none. */
export function controllerOf(object: HasMeta): Readonly<OwnerReference> | undefined {
  return object.metadata?.ownerReferences?.find((owner) => owner.controller === true);
}

/** Whether `owner` manages the object: by uid, so that a new object of the same name does not count. */
export function isControlledBy(object: HasMeta, owner: HasMeta): boolean {
  const uid = owner.metadata?.uid;
  return uid !== undefined && controllerOf(object)?.uid === uid;
}

/** The reference that an object made by `owner` carries: its controller, which waits for it in foreground deletion. */
export function controllerReference(
  owner: HasMeta,
  type: { readonly apiVersion: string; readonly kind: string },
): OwnerReference {
  return { ...ownerReference(owner, type), controller: true, blockOwnerDeletion: true };
}

/** A reference to `owner` that only ties the lifetimes together. */
export function ownerReference(
  owner: HasMeta,
  type: { readonly apiVersion: string; readonly kind: string },
): OwnerReference {
  return {
    apiVersion: type.apiVersion,
    kind: type.kind,
    name: owner.metadata?.name ?? '',
    uid: owner.metadata?.uid ?? '',
  };
}

export function hasFinalizer(object: HasMeta, finalizer: string): boolean {
  return object.metadata?.finalizers?.includes(finalizer) ?? false;
}

/** The finalizers with one more, at the end; the same list where it is there already. */
export function withFinalizer(object: HasMeta, finalizer: string): readonly string[] {
  const finalizers = object.metadata?.finalizers ?? [];
  return finalizers.includes(finalizer) ? finalizers : [...finalizers, finalizer];
}

/** The finalizers without one; the same list where it is not there. */
export function withoutFinalizer(object: HasMeta, finalizer: string): readonly string[] {
  const finalizers = object.metadata?.finalizers ?? [];
  return finalizers.includes(finalizer) ? finalizers.filter((other) => other !== finalizer) : finalizers;
}
