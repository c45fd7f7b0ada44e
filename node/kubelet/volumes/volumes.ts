import type { Volume, VolumeProjection } from '../../../api/types/core/v1.generated.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { Host } from '../../../libs/base/host.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { mustParseQuantity, toCeil } from '../../../libs/machinery/quantity.ts';
import type { FieldSource } from '../containers/fields.ts';
import type { ReferencedObjects } from '../objects.ts';
import { type NodePod, namespaceOf, uidOf } from '../pod/objects.ts';
import { type Owner, writePayload } from './atomic-writer.ts';
import { ClaimVolumes, type LocalClaim } from './claims.ts';
import { VolumeError } from './errors.ts';
import { prepareHostPath } from './host-path.ts';
import { addDownwardApi, addKeys, checkPath, configMapData, type Payload, secretData } from './payload.ts';
import type { ServiceAccountTokens } from './tokens.ts';

export interface VolumesOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly log: Logger;
  readonly objects: ReferencedObjects;
  readonly tokens: ServiceAccountTokens;
  readonly rootDirectory: string;
}

/** Where a volume is on the node. */
export interface PreparedVolume {
  readonly hostPath: string;
  /** Its content is the kubelet's, replaced as a whole: containers may not write it. */
  readonly managed: boolean;
  /** The pod says so for the whole volume, whatever its containers' mounts say. */
  readonly readOnly?: boolean;
}

/**
 * Pods' volumes: made before the first container starts, looked at again while the pod runs, removed with it. Everything
 * here can be done twice: after a crash it is simply done again.
 *
 * Secrets and tokens lie in one file system in memory, `<root>/memory`, made by `start`.
 */
export class Volumes {
  readonly #options: VolumesOptions;
  readonly #claims: ClaimVolumes;
  #memory: Promise<string> | undefined;

  constructor(options: VolumesOptions) {
    this.#options = options;
    this.#claims = new ClaimVolumes(options.host.files, options.objects);
  }

  podDirectory(uid: string): string {
    return `${this.#options.rootDirectory}/pods/${uid}`;
  }

  /**
   * Makes the pod's volumes ready and gives them by name. Rejects with `VolumeError` whose message names the volume;
   * those that could be made stay.
   */
  async prepare(pod: NodePod, source: FieldSource): Promise<Map<string, PreparedVolume>> {
    const prepared = new Map<string, PreparedVolume>();
    await Promise.all(
      (pod.spec?.volumes ?? []).map(async (volume) => {
        try {
          prepared.set(volume.name, await this.#prepare(pod, volume, source));
        } catch (error) {
          const message = `MountVolume.SetUp failed for volume "${volume.name}" : ${(error as Error).message}`;
          throw new VolumeError(message, { cause: error });
        }
      }),
    );
    return prepared;
  }

  /** Whether the pod has volumes whose content may change while it runs. */
  changes(pod: NodePod): boolean {
    return (pod.spec?.volumes ?? []).some((one) => one.configMap ?? one.secret ?? one.projected ?? one.downwardAPI);
  }

  /** The pod's claims that lie on disks of the node. */
  localClaims(pod: NodePod): Promise<readonly LocalClaim[]> {
    return this.#claims.localOf(pod);
  }

  /** In how many milliseconds something of the pod's is over, and has to be asked for anew; undefined: never. */
  overInMs(uid: string): number | undefined {
    return this.#options.tokens.dueInMs(uid);
  }

  /** Removes all that the pod had. Rejects where something is still in use. */
  async remove(uid: string): Promise<void> {
    const { host, tokens, rootDirectory } = this.#options;
    tokens.forget(uid);
    this.#claims.forget(uid);
    const folder = `${this.podDirectory(uid)}/volumes/kubernetes.io~empty-dir`;
    // Asking for mounts takes a process, so only where there may be one.
    if (await host.files.statIfExists(folder)) {
      for (const mount of await this.#mountsBelow(folder)) await host.processes.run('umount', [mount]);
    }
    await Promise.all([host.files.remove(this.podDirectory(uid)), host.files.remove(`${rootDirectory}/memory/${uid}`)]);
  }

  async #prepare(pod: NodePod, volume: DeepReadonly<Volume>, source: FieldSource): Promise<PreparedVolume> {
    const { host, objects } = this.#options;
    const namespace = namespaceOf(pod);
    const payload: Payload = new Map();
    const { configMap, secret, projected, downwardAPI, emptyDir, hostPath } = volume;
    if (hostPath) {
      await prepareHostPath(host.files, hostPath.path, hostPath.type);
      return { hostPath: hostPath.path, managed: false };
    }
    if (volume.persistentVolumeClaim || volume.ephemeral) return this.#claims.prepare(pod, volume);
    if (configMap) {
      const { name = '', items, optional, defaultMode = 0o644 } = configMap;
      const found = await objects.configMap(namespace, name);
      const data = found && configMapData(found);
      addKeys(payload, data, { what: 'configmap', name, namespace, items, optional, mode: defaultMode });
      return this.#write(pod, volume.name, 'configmap', payload);
    }
    if (secret) {
      const { secretName: name = '', items, optional, defaultMode = 0o644 } = secret;
      const found = await objects.secret(namespace, name);
      const data = found && secretData(found);
      addKeys(payload, data, { what: 'secret', name, namespace, items, optional, mode: defaultMode });
      return this.#write(pod, volume.name, 'secret', payload);
    }
    if (downwardAPI) {
      addDownwardApi(payload, downwardAPI.items, downwardAPI.defaultMode ?? 0o644, source);
      return this.#write(pod, volume.name, 'downward-api', payload);
    }
    if (projected) {
      for (const one of projected.sources ?? [])
        await this.#project(pod, one, projected.defaultMode ?? 0o644, payload, source);
      return this.#write(pod, volume.name, 'projected', payload);
    }
    if (emptyDir) return this.#emptyDir(pod, volume.name, emptyDir);
    // There is nothing on this side: the runtime mounts images itself, once they have been pulled.
    if (volume.image) return { hostPath: '', managed: false };
    const type = Object.keys(volume).find((key) => key !== 'name') ?? 'emptyDir';
    if (type === 'emptyDir') return this.#emptyDir(pod, volume.name, {});
    throw new VolumeError(`no volume plugin matched: volumes of the type ${type} are not supported on this node`);
  }

  async #project(
    pod: NodePod,
    from: DeepReadonly<VolumeProjection>,
    mode: number,
    payload: Payload,
    source: FieldSource,
  ): Promise<void> {
    const { objects, tokens } = this.#options;
    const namespace = namespaceOf(pod);
    const { configMap, secret, downwardAPI, serviceAccountToken } = from;
    if (configMap) {
      const { name = '', items, optional } = configMap;
      const found = await objects.configMap(namespace, name);
      addKeys(payload, found && configMapData(found), { what: 'configmap', name, namespace, items, optional, mode });
    } else if (secret) {
      const { name = '', items, optional } = secret;
      const found = await objects.secret(namespace, name);
      addKeys(payload, found && secretData(found), { what: 'secret', name, namespace, items, optional, mode });
    } else if (downwardAPI) addDownwardApi(payload, downwardAPI.items, mode, source);
    else if (serviceAccountToken) {
      const { audience = '', expirationSeconds = 3600, path } = serviceAccountToken;
      const token = await tokens.token(pod, audience, Number(expirationSeconds));
      const { runAsUser } = pod.spec?.securityContext ?? {};
      // Whoever runs in the pod reads it: by the volume's group, as the only user, or as root.
      const tokenMode = pod.spec?.securityContext?.fsGroup !== undefined || runAsUser !== undefined ? 0o600 : mode;
      payload.set(checkPath(path), { data: new TextEncoder().encode(token), mode: tokenMode });
    } else throw new VolumeError('a source of this projected volume is not supported on this node');
  }

  /** `configmap` and `downward-api` lie on the disk, what is secret in memory. */
  async #write(pod: NodePod, name: string, type: string, payload: Payload): Promise<PreparedVolume> {
    const { host, clock } = this.#options;
    const uid = uidOf(pod);
    const onDisk = type === 'configmap' || type === 'downward-api';
    const root = onDisk ? `${this.podDirectory(uid)}/volumes` : `${await this.#memoryRoot()}/${uid}/volumes`;
    const hostPath = `${root}/kubernetes.io~${type}/${name}`;
    await writePayload(host.files, hostPath, payload, { nowMs: clock.now(), owner: ownerOf(pod) });
    return { hostPath, managed: true };
  }

  async #emptyDir(
    pod: NodePod,
    name: string,
    { medium, sizeLimit }: { readonly medium?: string; readonly sizeLimit?: string },
  ): Promise<PreparedVolume> {
    const { host } = this.#options;
    const { files, processes } = host;
    const hostPath = `${this.podDirectory(uidOf(pod))}/volumes/kubernetes.io~empty-dir/${name}`;
    const gid = pod.spec?.securityContext?.fsGroup;
    if (!(await files.statIfExists(hostPath))) {
      await files.makeDirectory(hostPath, { mode: 0o777 });
      if (gid !== undefined) {
        await files.changeOwner(hostPath, 0, Number(gid));
        await files.changeMode(hostPath, 0o2777);
      }
    }
    if (!medium) return { hostPath, managed: false };
    if (!(await this.#mountsBelow(hostPath)).includes(hostPath)) {
      const size = sizeLimit === undefined ? '' : `,size=${toCeil(mustParseQuantity(sizeLimit))}`;
      // With a group, what is made in the folder later has it too, as on the disk.
      const access = gid === undefined ? 'mode=0777' : `mode=2777,gid=${gid}`;
      const [type, options] =
        medium === 'Memory'
          ? ['tmpfs', `${access}${size}`]
          : ['hugetlbfs', `pagesize=${hugePageSize(pod, medium).slice(0, -1)},${access}`];
      const { code, stderr } = await processes.run('mount', ['-t', type, '-o', options, type, hostPath]);
      if (code !== 0) throw new VolumeError(`mount failed: ${stderr.trim()}`);
      // hugetlbfs takes no such mode when it is mounted.
      if (gid !== undefined && type === 'hugetlbfs') await files.changeMode(hostPath, 0o2777);
    }
    return { hostPath, managed: false };
  }

  /** The file system for secrets: one for all pods, so that a pod's start mounts nothing. */
  #memoryRoot(): Promise<string> {
    this.#memory ??= this.#mountMemory();
    return this.#memory;
  }

  async #mountMemory(): Promise<string> {
    const { host, log, rootDirectory } = this.#options;
    const folder = `${rootDirectory}/memory`;
    await host.files.makeDirectory(folder, { mode: 0o750 });
    if (host.facts.platform !== 'linux' || (await this.#mountsBelow(folder)).includes(folder)) return folder;
    try {
      const { code, stderr } = await host.processes.run('mount', ['-t', 'tmpfs', '-o', 'mode=0750', 'tmpfs', folder]);
      if (code !== 0)
        log.warn('secrets of pods lie on the disk, as no file system in memory could be mounted', { folder, stderr });
    } catch (error) {
      log.warn('secrets of pods lie on the disk, as no file system in memory could be mounted', { folder, error });
    }
    return folder;
  }

  /** Mount points at or below a folder, the deepest first. */
  async #mountsBelow(folder: string): Promise<string[]> {
    const { processes } = this.#options.host;
    let listing: string;
    try {
      // Asked of a process of the host, which may not be where this one runs.
      listing = (await processes.run('cat', ['/proc/self/mountinfo'])).stdout;
    } catch {
      return [];
    }
    return listing
      .split('\n')
      .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '))
      .filter((path) => path === folder || path.startsWith(`${folder}/`))
      .sort((a, b) => b.length - a.length);
  }
}

/** `2Mi`: the size that the medium names (`HugePages-2Mi`), or the one of which the pod has pages. */
function hugePageSize({ spec }: NodePod, medium: string): string {
  const has = new Set<string>();
  for (const { resources } of [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])]) {
    for (const name of Object.keys({ ...resources?.limits, ...resources?.requests })) {
      if (name.startsWith('hugepages-')) has.add(name.slice('hugepages-'.length));
    }
  }
  const [first] = has;
  const named = medium.slice('HugePages-'.length) || first;
  if (named === undefined || !has.has(named)) {
    throw new VolumeError(`no container of the pod asks for huge pages of the medium ${medium}`);
  }
  if (medium === 'HugePages' && has.size > 1) {
    throw new VolumeError('the medium HugePages is of one size: the pod asks for several');
  }
  return named;
}

function ownerOf({ spec }: NodePod): Owner {
  const { fsGroup, runAsUser } = spec?.securityContext ?? {};
  return {
    ...(fsGroup !== undefined && { gid: Number(fsGroup) }),
    ...(fsGroup === undefined && runAsUser !== undefined && { uid: Number(runAsUser) }),
  };
}
