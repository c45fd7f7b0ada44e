import type { Files } from '../../libs/base/host.ts';

/** A disk as data: path → content; a restored machine begins with it. */
export type DiskSnapshot = readonly DiskEntry[];

type DiskEntry =
  | { readonly kind: 'directory'; readonly path: string; readonly mode: number }
  | { readonly kind: 'file'; readonly path: string; readonly mode: number; readonly data: Uint8Array }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string };

/** Everything below `folder`, parents before what is in them. */
export async function readDisk(files: Files, folder = ''): Promise<DiskEntry[]> {
  const entries: DiskEntry[] = [];
  for (const name of await files.list(folder || '/')) {
    const path = `${folder}/${name}`;
    const stat = await files.statIfExists(path);
    if (stat?.kind === 'symlink') entries.push({ kind: 'symlink', path, target: await files.readLink(path) });
    else if (stat?.kind === 'file')
      entries.push({ kind: 'file', path, mode: stat.mode & 0o7777, data: await files.read(path) });
    else if (stat?.kind === 'directory') {
      entries.push({ kind: 'directory', path, mode: stat.mode & 0o7777 });
      entries.push(...(await readDisk(files, path)));
    }
  }
  return entries;
}

export async function writeDisk(files: Files, disk: DiskSnapshot): Promise<void> {
  for (const entry of disk) {
    if (entry.kind === 'directory') await files.makeDirectory(entry.path, { mode: entry.mode });
    else if (entry.kind === 'symlink') await files.symlink(entry.target, entry.path);
    else await files.write(entry.path, entry.data, { mode: entry.mode, atomic: false });
  }
}
