import { randomBytes } from 'node:crypto';
import { type Dirent, watch as fsWatch, readFileSync, type Stats } from 'node:fs';
import * as fs from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { FileStat, Files, OpenFile, WriteOptions } from '../host.ts';

/** How many files of one folder are removed at a time. */
const REMOVALS_AT_ONCE = 32;

/** The machine's files. */
export function createNodeFiles(): Files {
  return {
    read: (path) => fs.readFile(path),
    readText: (path) => fs.readFile(path, 'utf8'),
    readTextIfExists: (path) => orUndefined(fs.readFile(path, 'utf8')),
    readAt,
    open,
    write,
    append: (path, data) => fs.appendFile(path, data, { mode: 0o600 }),
    async makeDirectory(path, { mode = 0o700 } = {}) {
      const made = await fs.mkdir(path, { recursive: true, mode });
      if (made !== undefined) await fs.chmod(path, mode);
    },
    removeDirectory: async (path) => void (await orUndefined(fs.rmdir(path))),
    list: async (path) => (await fs.readdir(path)).sort(),
    stat: async (path) => statOf(await fs.stat(path)),
    async statIfExists(path) {
      const stats = await orUndefined(fs.lstat(path));
      return stats && statOf(stats);
    },
    remove,
    rename: (from, to) => fs.rename(from, to),
    symlink: (target, path) => fs.symlink(target, path),
    readLink: (path) => fs.readlink(path),
    changeMode: (path, mode) => fs.chmod(path, mode),
    changeOwner: (path, uid, gid) => fs.chown(path, uid, gid),
    async space(path) {
      const { bsize, blocks, bavail, files, ffree } = await fs.statfs(path);
      return { totalBytes: bsize * blocks, freeBytes: bsize * bavail, totalInodes: files, freeInodes: ffree };
    },
    watch(path, changed) {
      let stopped = false;
      const tell = (name: string | undefined) => {
        if (!stopped) changed(name);
      };
      const watcher = fsWatch(path, { persistent: false }, (_, name) => tell(name ?? undefined));
      // Events may have been lost: whoever watches looks at everything.
      watcher.on('error', () => tell(undefined));
      return {
        [Symbol.dispose]() {
          stopped = true;
          watcher.close();
        },
      };
    },
  };
}

async function readAt(path: string, position: number, length: number): Promise<Uint8Array> {
  await using file = await fs.open(path);
  // Awaited, or the file would be closed before it is read.
  return await readFrom(file, position, length);
}

async function open(path: string): Promise<OpenFile> {
  const file = await fs.open(path);
  return {
    readAt: (position, length) => readFrom(file, position, length),
    stat: async () => statOf(await file.stat()),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function readFrom(file: fs.FileHandle, position: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}

async function write(path: string, data: Uint8Array | string, options: WriteOptions = {}): Promise<void> {
  const { mode = 0o600, atomic = true, uid, gid } = options;
  const owner = uid === undefined && gid === undefined ? undefined : ([uid ?? -1, gid ?? -1] as const);
  if (!atomic) {
    await fs.writeFile(path, data, { mode });
    if (owner) await fs.chown(path, ...owner);
    return;
  }
  const folder = dirname(path);
  const temporary = join(folder, `.tutti-${randomBytes(9).toString('base64url')}.tmp`);
  try {
    const file = await fs.open(temporary, 'wx', mode);
    try {
      await file.writeFile(data);
      if (owner) await file.chown(...owner);
      // After the owner, which takes set-id bits away; and past the umask.
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path);
  } catch (error) {
    await fs.rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
}

/** Makes a rename durable. Windows has neither the need nor the call. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using folder = await fs.open(path, 'r');
  await folder.sync();
}

async function remove(path: string): Promise<void> {
  const stats = await orUndefined(fs.lstat(path));
  if (stats === undefined) return;
  if (!stats.isDirectory()) return ignoreGone(fs.unlink(path));
  const real = join(await fs.realpath(dirname(path)), basename(path));
  const points = mountPoints();
  const mounted = points?.find((point) => point === real || point.startsWith(`${real}/`));
  if (mounted !== undefined) throw busy(mounted);
  // Where nobody says what is mounted, another device does.
  await removeFolder(real, points ? undefined : stats.dev);
}

async function removeFolder(path: string, device: number | undefined): Promise<void> {
  if (device !== undefined) {
    const stats = await orUndefined(fs.lstat(path));
    if (stats === undefined) return;
    if (stats.dev !== device) throw busy(path);
  }
  const entries: Dirent[] = (await orUndefined(fs.readdir(path, { withFileTypes: true }))) ?? [];
  for (let at = 0; at < entries.length; at += REMOVALS_AT_ONCE) {
    const removals = entries.slice(at, at + REMOVALS_AT_ONCE).map((entry) => {
      const inside = join(path, entry.name);
      return entry.isDirectory() ? removeFolder(inside, device) : ignoreGone(fs.unlink(inside));
    });
    for (const result of await Promise.allSettled(removals)) {
      if (result.status === 'rejected') throw result.reason;
    }
  }
  await ignoreGone(fs.rmdir(path));
}

/**
 * Where something is mounted, in this process's view; undefined on systems that do not say so. A device number would not
 * show bind mounts. Read at once: the kernel writes it from memory, in so many small pieces that a read in the background
 * costs many times as much.
 */
function mountPoints(): string[] | undefined {
  let text: string;
  try {
    text = readFileSync('/proc/self/mountinfo', 'utf8');
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
  return text.split('\n').flatMap((line) => {
    const point = line.split(' ', 5)[4];
    if (point === undefined) return [];
    return [point.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))];
  });
}

function busy(path: string): Error {
  return Object.assign(new Error(`EBUSY: something is mounted on ${path}`), { code: 'EBUSY', path });
}

function statOf(stats: Stats): FileStat {
  return {
    kind: kindOf(stats),
    sizeBytes: stats.size,
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    modifiedMs: stats.mtimeMs,
    inode: stats.ino,
    device: stats.dev,
  };
}

function kindOf(stats: Stats): FileStat['kind'] {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isSocket()) return 'socket';
  if (stats.isBlockDevice() || stats.isCharacterDevice()) return 'device';
  return 'other';
}

const isGone = (error: unknown): boolean => {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
};

async function orUndefined<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

async function ignoreGone(result: Promise<void>): Promise<void> {
  await orUndefined(result);
}
