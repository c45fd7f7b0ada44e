import { inOnePiece } from '../base/text.ts';

/**
 * Objects as every part of Tutti holds them: plain JSON-shaped data, in the form that `libs/machinery/schema/ir.ts`
 * states. The generated types under `api/types` are structurally these.
 */

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: unknown;
  subresource?: string;
}

export interface ObjectMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  selfLink?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number | bigint;
  creationTimestamp?: string | null;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number | bigint;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFieldsEntry[];
}

/** Any object of the API. Custom resources are this and whatever their schema adds. */
export interface ApiObject {
  apiVersion?: string;
  kind?: string;
  metadata?: ObjectMeta;
}

/** Nothing below may be changed: objects are shared by reference between components and are frozen. */
export type DeepReadonly<T> = T extends (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** The part of the metadata that every object has once the API server has accepted it. */
export interface LiveMeta {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly creationTimestamp: string;
}

/** An object as the API server gives it back: readonly, with the metadata that every stored object has. */
export type Live<T extends ApiObject> = DeepReadonly<T> & { readonly metadata: LiveMeta };

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

/**
 * Names one resource of one served version. `T` is the type of its objects, for clients; it exists at compile time
 * alone. The built-in ones are in `api/resources.ts`:
 *
 *     export const pods: ResourceRef<Pod> = { group: '', version: 'v1', resource: 'pods', kind: 'Pod', namespaced: true };
 */
export interface ResourceRef<T extends ApiObject = ApiObject> extends GroupResource {
  readonly version: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Never present; carries `T`. */
  readonly _type?: T;
}

/** `v1` for the core group, `group/version` for others. */
export function apiVersionOf(ref: { readonly group: string; readonly version: string }): string {
  return ref.group === '' ? ref.version : inOnePiece(ref.group, '/', ref.version);
}

/** `namespace/name`, or `name` where there is no namespace: the key of informers and work queues. */
export function keyOf(object: { readonly metadata?: { readonly namespace?: string; readonly name?: string } }): string {
  const { namespace, name = '' } = object.metadata ?? {};
  return namespace ? `${namespace}/${name}` : name;
}

/** The objects of a resource, as clients give them: `ObjectOf<typeof resources.deployments>`. */
export type ObjectOf<R> = R extends ResourceRef<infer T extends ApiObject> ? Live<T> : never;
