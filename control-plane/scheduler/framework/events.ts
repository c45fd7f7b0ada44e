import type { PodInfo } from '../cache/pod-info.ts';

/** Kinds whose changes may make a pod schedulable. */
export type EventKind =
  | 'Pod'
  | 'Node'
  | 'PersistentVolume'
  | 'PersistentVolumeClaim'
  | 'StorageClass'
  | 'CSINode'
  | 'CSIDriver'
  | 'CSIStorageCapacity'
  | 'VolumeAttachment'
  | 'Namespace'
  | 'Service'
  | 'ResourceClaim'
  | 'ResourceSlice'
  | 'DeviceClass';

/** `assignedDelete`… tell pods that are on a node from the waiting pod itself, whose own change is `self`. */
export type EventAction = 'add' | 'update' | 'delete' | 'self';

/**
 * One change of the cluster. `object` is what is there now (undefined after a deletion), `previous` what was. Of `Pod`,
 * `add`, `update` and `delete` are about pods that have a node; `self` is about a pod that waits.
 */
export interface ClusterEvent {
  readonly kind: EventKind;
  readonly action: EventAction;
  readonly object: object | undefined;
  readonly previous: object | undefined;
}

/** Which events a plugin that refused a pod wants to hear of, and whether one of them could help that pod. */
export interface EventInterest {
  readonly kind: EventKind;
  readonly actions: readonly EventAction[];
  /** Absent: every such event helps. */
  helps?(pod: PodInfo, event: ClusterEvent): boolean;
}
