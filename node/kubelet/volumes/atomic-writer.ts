import type { Files } from '../../../libs/base/host.ts';
import type { Payload, PayloadFile } from './payload.ts';

export interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

const DATA = '..data';
const NEW_DATA = '..data_tmp';

/**
 * Makes the content of `folder` exactly `payload`, so that a reader sees the old files or the new ones, never both:
 *
 *     folder/..2026_01_31_08_00_00.1/nginx.conf   the files
 *     folder/..data → ..2026_01_31_08_00_00.1     moved by one rename
 *     folder/nginx.conf → ..data/nginx.conf       what a container reads
 *
 * Answers whether anything was changed. Files are not synced to the disk: they are made anew after a crash.
 */
export async function writePayload(
  files: Files,
  folder: string,
  payload: Payload,
  options: { readonly nowMs: number; readonly owner?: Owner },
): Promise<boolean> {
  await files.makeDirectory(folder, { mode: 0o777 });
  const there = await files.list(folder);
  const current = there.includes(DATA) ? await readLinkIfExists(files, `${folder}/${DATA}`) : undefined;
  if (current !== undefined && (await holds(files, `${folder}/${current}`, payload))) return false;

  const stamp = new Date(options.nowMs).toISOString().slice(0, 19).replaceAll(/[-T:]/g, '_');
  const { owner } = options;
  let fresh = '';
  for (let n = 0; fresh === ''; n++) {
    const name = `..${stamp}.${n}`;
    if (name !== current && !there.includes(name)) fresh = name;
  }
  const inside = `${folder}/${fresh}`;
  await files.makeDirectory(inside, { mode: 0o755 });
  const directories = new Set<string>();
  for (const [path, file] of payload) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const directory = `${inside}/${parts.slice(0, depth).join('/')}`;
      if (directories.has(directory)) continue;
      directories.add(directory);
      await files.makeDirectory(directory, { mode: 0o755 });
    }
    await writeFile(files, `${inside}/${path}`, file, owner);
  }
  if (there.includes(NEW_DATA)) await files.remove(`${folder}/${NEW_DATA}`);
  await files.symlink(fresh, `${folder}/${NEW_DATA}`);
  await files.rename(`${folder}/${NEW_DATA}`, `${folder}/${DATA}`);

  const wanted = new Set([...payload.keys()].map((path) => path.split('/')[0] as string));
  for (const name of wanted) if (!there.includes(name)) await files.symlink(`${DATA}/${name}`, `${folder}/${name}`);
  for (const name of there) {
    const stale = name.startsWith('..') ? name !== DATA && name !== NEW_DATA : !wanted.has(name);
    if (stale) await files.remove(`${folder}/${name}`);
  }
  return true;
}

async function writeFile(
  files: Files,
  path: string,
  { data, mode }: PayloadFile,
  owner: Owner | undefined,
): Promise<void> {
  // Who shares the volume by its group may read what its owner may.
  const shared = owner?.gid === undefined ? mode : mode | ((mode & 0o400) >> 3);
  await files.write(path, data, { atomic: false, ...owner });
  // Past the umask, which counts for files that are written in place.
  await files.changeMode(path, shared);
}

async function holds(files: Files, folder: string, payload: Payload): Promise<boolean> {
  const found = await filesBelow(files, folder, '');
  if (found === undefined || found.length !== payload.size) return false;
  for (const path of found) {
    const wanted = payload.get(path);
    if (!wanted) return false;
    const data = await files.read(`${folder}/${path}`);
    if (!isSame(data, wanted.data)) return false;
  }
  return true;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

async function filesBelow(files: Files, folder: string, prefix: string): Promise<string[] | undefined> {
  if (!(await files.statIfExists(folder))) return undefined;
  const out: string[] = [];
  for (const name of await files.list(folder)) {
    const stat = await files.statIfExists(`${folder}/${name}`);
    if (stat?.kind === 'directory')
      out.push(...((await filesBelow(files, `${folder}/${name}`, `${prefix}${name}/`)) ?? []));
    else out.push(prefix + name);
  }
  return out;
}

async function readLinkIfExists(files: Files, path: string): Promise<string | undefined> {
  return (await files.statIfExists(path))?.kind === 'symlink' ? files.readLink(path) : undefined;
}
