import type { FileStat, Files } from '../../../libs/base/host.ts';

const GROUP_READ_WRITE = 0o660;
/** With the bit by which what is made in the folder later has the group as well. */
const GROUP_FOLDER = 0o2770;

/**
 * Gives a tree to a group (`fsGroup`), which may read and write all of it; links stay as they are and are not followed.
 * `onMismatch`: only where the tree's root is not the group's yet.
 */
export async function setGroup(files: Files, root: string, gid: number, onMismatch: boolean): Promise<void> {
  if (onMismatch) {
    const { gid: has, mode } = await files.stat(root);
    if (has === gid && (mode & GROUP_FOLDER) === GROUP_FOLDER) return;
  }
  const left = [root];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    // The root may be a link to where the volume is; within it links are not followed.
    const stat = path === root ? await files.stat(path) : await files.statIfExists(path);
    if (!stat || stat.kind === 'symlink') continue;
    await give(files, path, stat, gid);
    if (stat.kind === 'directory') for (const name of await files.list(path)) left.push(`${path}/${name}`);
  }
}

async function give(files: Files, path: string, stat: FileStat, gid: number): Promise<void> {
  if (stat.gid !== gid) await files.changeOwner(path, stat.uid, gid);
  const wanted = (stat.mode & 0o7777) | (stat.kind === 'directory' ? GROUP_FOLDER : GROUP_READ_WRITE);
  // A change of owner takes the bits for other identities away: what was asked of the mode is said once more.
  if (stat.gid !== gid || wanted !== (stat.mode & 0o7777)) await files.changeMode(path, wanted);
}
