import type { FileStat, Files } from '../../../libs/base/host.ts';
import { VolumeError } from './errors.ts';

const KINDS: Readonly<Record<string, [FileStat['kind'], string]>> = {
  Directory: ['directory', 'directory'],
  File: ['file', 'file'],
  Socket: ['socket', 'socket file'],
  CharDevice: ['device', 'character device'],
  BlockDevice: ['device', 'block device'],
};

/** Checks what the volume says of the path, and makes it where the type asks for that. */
export async function prepareHostPath(files: Files, path: string, type: string | undefined): Promise<void> {
  if (type === undefined || type === '') return;
  const stat = await statFollowing(files, path);
  if (type === 'DirectoryOrCreate' || type === 'FileOrCreate') {
    const kind = type === 'FileOrCreate' ? 'file' : 'directory';
    if (!stat) {
      if (kind === 'directory') await files.makeDirectory(path, { mode: 0o755 });
      else await files.write(path, '', { mode: 0o644, atomic: false });
    } else if (stat.kind !== kind) throw new VolumeError(`hostPath type check failed: ${path} is not a ${kind}`);
    return;
  }
  const [kind, words] = KINDS[type] ?? [undefined, type];
  if (stat?.kind !== kind) throw new VolumeError(`hostPath type check failed: ${path} is not a ${words}`);
}

async function statFollowing(files: Files, path: string): Promise<FileStat | undefined> {
  try {
    return await files.stat(path);
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return undefined;
    throw error;
  }
}
