import type { Files } from '../../../libs/base/host.ts';
import type { Input } from '../../../libs/grpc/protobuf.ts';
import type { Mount, MountPropagation } from '../../cri/schema.generated.ts';
import { ConfigError } from '../containers/errors.ts';
import { expandVariables } from '../containers/expand.ts';
import type { PodContainer } from '../pod/objects.ts';
import type { PreparedVolume } from './volumes.ts';

const PROPAGATION: Readonly<Record<string, MountPropagation>> = {
  None: 'PROPAGATION_PRIVATE',
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
};

/** The mounts that a container asks for, in their order. Throws `ConfigError` for a `subPath` that cannot be used. */
export async function volumeMounts(
  files: Files,
  container: PodContainer,
  volumes: ReadonlyMap<string, PreparedVolume>,
  env: ReadonlyMap<string, string>,
  /** Of volumes that are images: by volume, as the runtime calls the image. */
  images: ReadonlyMap<string, string> = new Map(),
): Promise<Input<Mount>[]> {
  const mounts: Input<Mount>[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const volume = volumes.get(mount.name);
    if (!volume)
      throw new ConfigError(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    // An empty value is none: the mount would be of the whole volume.
    const missing: string[] = [];
    const subPath = mount.subPathExpr
      ? expandVariables(mount.subPathExpr, (name) => env.get(name) || (missing.push(name), undefined))
      : mount.subPath;
    if (missing.length > 0) {
      throw new ConfigError(`missing value for ${missing.map((one) => JSON.stringify(one)).join(', ')}`);
    }
    const containerPath = mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`;
    const image = images.get(mount.name);
    if (image !== undefined) {
      // The runtime puts it there by itself; nobody may write to an image.
      mounts.push({ containerPath, readonly: true, image: { image }, imageSubPath: subPath ?? '' });
      continue;
    }
    const hostPath = subPath ? await resolveSubPath(files, volume.hostPath, subPath, mount.name) : volume.hostPath;
    mounts.push({
      hostPath,
      containerPath,
      readonly: (mount.readOnly ?? false) || volume.managed || (volume.readOnly ?? false),
      recursiveReadOnly: mount.recursiveReadOnly === 'Enabled',
      propagation: PROPAGATION[mount.mountPropagation ?? 'None'] ?? 'PROPAGATION_PRIVATE',
    });
  }
  return mounts;
}

/** The text of a file of a volume; undefined where there is none. Throws `ConfigError` where a link leads out. */
export async function readInVolume(
  files: Files,
  volume: string,
  path: string,
  name: string,
): Promise<string | undefined> {
  if (!(await files.statIfExists(`${volume}/${path}`))) return undefined;
  const real = await resolveSubPath(files, volume, path, name);
  const bytes = await files.readAt(real, 0, ENV_FILE_BYTES_MAX + 1);
  if (bytes.length > ENV_FILE_BYTES_MAX) throw new ConfigError(`the environment file "${path}" is larger than 64 KiB`);
  return new TextDecoder().decode(bytes);
}

const ENV_FILE_BYTES_MAX = 65_536;
const LINKS_MAX = 40;

/**
 * The path of `subPath` within a volume, links followed, but never out of the volume: what a container wrote there must
 * not lead to the node's own files. What does not exist is made as a folder.
 */
export async function resolveSubPath(files: Files, volume: string, subPath: string, name: string): Promise<string> {
  const refuse = (why: string) => new ConfigError(`failed to prepare subPath for volumeMount "${name}" : ${why}`);
  if (subPath.startsWith('/')) throw refuse('it must be a relative path');
  const left = subPath.split('/');
  const at: string[] = [];
  let links = 0;
  while (left.length > 0) {
    const part = left.shift() as string;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (at.pop() === undefined) throw refuse(`it leads out of the volume`);
      continue;
    }
    const path = `${volume}/${[...at, part].join('/')}`;
    const stat = await files.statIfExists(path);
    if (stat?.kind === 'symlink') {
      const target = await files.readLink(path);
      if (target.startsWith('/') || ++links > LINKS_MAX) throw refuse(`it leads out of the volume by a link`);
      left.unshift(...target.split('/'));
      continue;
    }
    // As open as the volume itself: who may write there may write here.
    if (!stat) await files.makeDirectory(path, { mode: (await files.stat(volume)).mode & 0o7777 });
    at.push(part);
  }
  return [volume, ...at].join('/');
}
