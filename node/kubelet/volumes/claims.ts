import type { PersistentVolume, Volume } from '../../../api/types/core/v1.generated.ts';
import type { Files } from '../../../libs/base/host.ts';
import type { ApiObject, DeepReadonly } from '../../../libs/kind/object.ts';
import { controllerOf } from '../../../libs/machinery/meta.ts';
import type { ReferencedObjects } from '../objects.ts';
import { type NodePod, namespaceOf, uidOf } from '../pod/objects.ts';
import { VolumeError } from './errors.ts';
import { prepareHostPath } from './host-path.ts';
import { setGroup } from './ownership.ts';
import type { PreparedVolume } from './volumes.ts';

/**
 * On a local volume: the mode, in octal, of the folder that the kubelet makes where there is none. Without it a folder
 * must be there, so that a disk that is not mounted is noticed.
 */
export const DIRECTORY_MODE_ANNOTATION = 'volume.tutti.io/directory-mode';

/** A claim whose volume is a folder or disk of the node. */
export interface LocalClaim {
  readonly namespace: string;
  readonly claim: string;
  readonly path: string;
}

/**
 * Volumes behind claims: finds the volume that a claim is bound to and makes it ready. Folders of the node (`hostPath`,
 * `local`) are mounted where they lie, so nothing is left to take down when the pod has gone.
 */
export class ClaimVolumes {
  readonly #files: Files;
  readonly #objects: ReferencedObjects;
  /** By pod: the volumes that have their group. A large tree is gone through once, not at every look. */
  readonly #owned = new Map<string, Set<string>>();
  /** By pod, and by the name of its volume: where claims lie on disks of the node. */
  readonly #local = new Map<string, Map<string, LocalClaim | undefined>>();

  constructor(files: Files, objects: ReferencedObjects) {
    this.#files = files;
    this.#objects = objects;
  }

  /** Rejects with `VolumeError` as long as the claim is not bound, and for volumes that this node cannot mount. */
  async prepare(pod: NodePod, volume: DeepReadonly<Volume>): Promise<PreparedVolume> {
    const { persistentVolumeClaim: named } = volume;
    const claimName = claimNameOf(pod, volume);
    const bound = await this.#boundVolume(pod, claimName, named === undefined);
    const readOnly = named?.readOnly ?? false;
    const hostPath = await this.#folder(bound);
    if (bound.spec?.local && !readOnly) await this.#own(pod, volume.name, hostPath);
    return { hostPath, managed: false, readOnly };
  }

  forget(uid: string): void {
    this.#owned.delete(uid);
    this.#local.delete(uid);
  }

  /** The pod's claims that lie on disks of the node (`local`); those that cannot be found out about now are left out. */
  async localOf(pod: NodePod): Promise<LocalClaim[]> {
    const uid = uidOf(pod);
    const claims = (pod.spec?.volumes ?? []).filter((one) => one.persistentVolumeClaim || one.ephemeral);
    if (claims.length === 0) return [];
    const known = this.#local.get(uid) ?? new Map<string, LocalClaim | undefined>();
    this.#local.set(uid, known);
    for (const volume of claims) {
      if (known.has(volume.name)) continue;
      const claim = claimNameOf(pod, volume);
      try {
        const { spec } = await this.#boundVolume(pod, claim, volume.persistentVolumeClaim === undefined);
        const path = spec?.local?.path;
        known.set(volume.name, path === undefined ? undefined : { namespace: namespaceOf(pod), claim, path });
      } catch {
        // Not bound yet, or not to be asked for now: the next time.
      }
    }
    return [...known.values()].filter((one) => one !== undefined);
  }

  async #boundVolume(pod: NodePod, claimName: string, isOwn: boolean): Promise<DeepReadonly<PersistentVolume>> {
    const namespace = namespaceOf(pod);
    const refuse = (why: string) => new VolumeError(`error processing PVC ${namespace}/${claimName}: ${why}`);
    const claim = await this.#objects.claim(namespace, claimName);
    if (!claim) {
      throw refuse(
        `failed to fetch PVC from API server: persistentvolumeclaims "${claimName}" not found, or not this node's to see`,
      );
    }
    if (isOwn && controllerOf(claim as ApiObject)?.uid !== uidOf(pod)) {
      throw refuse(
        `PVC ${namespace}/${claimName} was not created for pod ${namespace}/${pod.metadata?.name} (pod is not owner)`,
      );
    }
    if (claim.metadata?.deletionTimestamp) throw refuse('PVC is being deleted');
    const name = claim.spec?.volumeName;
    if (claim.status?.phase !== 'Bound' || !name) throw refuse('PVC is not bound');
    const volume = await this.#objects.volume(name);
    if (!volume) throw refuse(`failed to fetch PV ${name} from API server`);
    const ref = volume.spec?.claimRef;
    if (!ref) throw refuse(`PV ${name} is not bound to any claim`);
    if (ref.uid !== claim.metadata?.uid) {
      throw refuse(`PV ${name} is bound to another claim: ${ref.namespace}/${ref.name}`);
    }
    return volume;
  }

  async #folder({ metadata, spec }: DeepReadonly<PersistentVolume>): Promise<string> {
    if (spec?.volumeMode === 'Block') throw new VolumeError('block devices are not supported on this node');
    if (spec?.hostPath) {
      await prepareHostPath(this.#files, spec.hostPath.path, spec.hostPath.type);
      return spec.hostPath.path;
    }
    const path = spec?.local?.path;
    if (path === undefined) {
      const type = Object.keys(spec ?? {}).find((key) => SOURCES.has(key)) ?? 'unknown';
      throw new VolumeError(`no volume plugin matched: volumes of the type ${type} are not supported on this node`);
    }
    const mode = metadata?.annotations?.[DIRECTORY_MODE_ANNOTATION];
    if (mode !== undefined && /^0?[0-7]{3,4}$/.test(mode)) {
      await this.#files.makeDirectory(path, { mode: Number.parseInt(mode, 8) });
    }
    // The path itself may be a link to where the disk is.
    await prepareHostPath(this.#files, path, 'Directory').catch((error: unknown) => {
      if (!(error instanceof VolumeError)) throw error;
      throw new VolumeError(`path "${path}" does not exist or is no directory`);
    });
    return path;
  }

  async #own(pod: NodePod, name: string, path: string): Promise<void> {
    const { fsGroup, fsGroupChangePolicy } = pod.spec?.securityContext ?? {};
    const done = this.#owned.get(uidOf(pod)) ?? new Set();
    if (fsGroup === undefined || done.has(name)) return;
    await setGroup(this.#files, path, Number(fsGroup), fsGroupChangePolicy === 'OnRootMismatch');
    this.#owned.set(uidOf(pod), done.add(name));
  }
}

/** A volume of its own is called after the pod. */
const claimNameOf = (pod: NodePod, { name, persistentVolumeClaim }: DeepReadonly<Volume>): string =>
  persistentVolumeClaim?.claimName ?? `${pod.metadata?.name}-${name}`;

/** Where volumes may lie that this kubelet does not mount. */
const SOURCES: ReadonlySet<string> = new Set([
  'awsElasticBlockStore',
  'azureDisk',
  'azureFile',
  'cephfs',
  'cinder',
  'csi',
  'fc',
  'flexVolume',
  'gcePersistentDisk',
  'glusterfs',
  'iscsi',
  'nfs',
  'portworxVolume',
  'rbd',
  'vsphereVolume',
]);
