import type { ReplicaSet, StatefulSet } from '../../../api/types/apps/v1.generated.ts';
import type {
  Namespace as ApiNamespace,
  Node as ApiNode,
  PersistentVolume as ApiPersistentVolume,
  PersistentVolumeClaim as ApiPersistentVolumeClaim,
  Pod as ApiPod,
  ReplicationController,
  Service,
} from '../../../api/types/core/v1.generated.ts';
import type { PodDisruptionBudget as ApiPodDisruptionBudget } from '../../../api/types/policy/v1.generated.ts';
import type {
  DeviceClass as ApiDeviceClass,
  ResourceClaim as ApiResourceClaim,
  ResourceSlice as ApiResourceSlice,
} from '../../../api/types/resource/v1.generated.ts';
import type {
  CSINode as ApiCSINode,
  StorageClass as ApiStorageClass,
  CSIDriver,
  CSIStorageCapacity,
  VolumeAttachment,
} from '../../../api/types/storage/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { keyOf } from '../../../libs/kind/object.ts';

export type Pod = DeepReadonly<ApiPod>;
export type Node = DeepReadonly<ApiNode>;
export type Namespace = DeepReadonly<ApiNamespace>;
export type PersistentVolume = DeepReadonly<ApiPersistentVolume>;
export type PersistentVolumeClaim = DeepReadonly<ApiPersistentVolumeClaim>;
export type StorageClass = DeepReadonly<ApiStorageClass>;
export type CSINode = DeepReadonly<ApiCSINode>;
export type PodDisruptionBudget = DeepReadonly<ApiPodDisruptionBudget>;
export type ResourceClaim = DeepReadonly<ApiResourceClaim>;
export type ResourceSlice = DeepReadonly<ApiResourceSlice>;
export type DeviceClass = DeepReadonly<ApiDeviceClass>;

/** The kinds beside pods and nodes that decisions rest on. */
export interface ObjectKinds {
  Namespace: Namespace;
  Service: DeepReadonly<Service>;
  ReplicationController: DeepReadonly<ReplicationController>;
  ReplicaSet: DeepReadonly<ReplicaSet>;
  StatefulSet: DeepReadonly<StatefulSet>;
  PersistentVolume: PersistentVolume;
  PersistentVolumeClaim: PersistentVolumeClaim;
  StorageClass: StorageClass;
  CSINode: CSINode;
  CSIDriver: DeepReadonly<CSIDriver>;
  CSIStorageCapacity: DeepReadonly<CSIStorageCapacity>;
  VolumeAttachment: DeepReadonly<VolumeAttachment>;
  PodDisruptionBudget: PodDisruptionBudget;
  ResourceClaim: ResourceClaim;
  ResourceSlice: ResourceSlice;
  DeviceClass: DeviceClass;
}

type AnyObject = { readonly metadata?: { readonly name?: string; readonly namespace?: string } };

interface Assumed {
  readonly object: AnyObject;
  readonly confirmedBy: (told: object) => boolean;
}

/**
 * The objects beside pods and nodes, as they were told. `assume` lays a changed form over one of them until the cluster
 * has caught up (a volume that a claim is about to be bound to), `forget` takes it away.
 */
export class ClusterObjects {
  readonly #known = new Map<string, Map<string, AnyObject>>();
  readonly #assumed = new Map<string, Map<string, Assumed>>();

  get<K extends keyof ObjectKinds>(kind: K, key: string): ObjectKinds[K] | undefined {
    return (this.#assumed.get(kind)?.get(key)?.object ?? this.#known.get(kind)?.get(key)) as ObjectKinds[K] | undefined;
  }

  /** In the order in which they were told. */
  list<K extends keyof ObjectKinds>(kind: K): ObjectKinds[K][] {
    const assumed = this.#assumed.get(kind);
    const known = [...(this.#known.get(kind)?.entries() ?? [])];
    return known.map(([key, object]) => (assumed?.get(key)?.object ?? object) as ObjectKinds[K]);
  }

  has(kind: keyof ObjectKinds): boolean {
    return (this.#known.get(kind)?.size ?? 0) > 0;
  }

  set(kind: keyof ObjectKinds, object: object): void {
    const key = keyOf(object);
    let known = this.#known.get(kind);
    if (!known) this.#known.set(kind, (known = new Map()));
    known.set(key, object);
    const assumed = this.#assumed.get(kind)?.get(key);
    if (assumed?.confirmedBy(object)) this.#assumed.get(kind)?.delete(key);
  }

  delete(kind: keyof ObjectKinds, key: string): void {
    this.#known.get(kind)?.delete(key);
    this.#assumed.get(kind)?.delete(key);
  }

  /** `confirmedBy`: whether what is told shows that the assumption has come true, or never will. */
  assume<K extends keyof ObjectKinds>(
    kind: K,
    object: ObjectKinds[K],
    confirmedBy: (told: ObjectKinds[K]) => boolean,
  ): void {
    let assumed = this.#assumed.get(kind);
    if (!assumed) this.#assumed.set(kind, (assumed = new Map()));
    assumed.set(keyOf(object), { object, confirmedBy: confirmedBy as Assumed['confirmedBy'] });
  }

  forget(kind: keyof ObjectKinds, key: string): void {
    this.#assumed.get(kind)?.delete(key);
  }
}
