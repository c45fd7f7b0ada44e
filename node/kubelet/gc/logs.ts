import type { Files } from '../../../libs/base/host.ts';
import type { CriClient } from '../../cri/cri.ts';
import { COMPRESSED, contentOf, rotatedLogs, UNFINISHED } from '../../cri/rotated-logs.ts';

export interface RotationOptions {
  readonly files: Files;
  readonly cri: Pick<CriClient, 'reopenContainerLog'>;
  readonly nowMs: number;
  readonly maxSizeBytes: number;
  /** With the one that is written to. */
  readonly maxFiles: number;
}

/**
 * Moves the log of a running container aside when it has grown too large, has the runtime begin a new one, and removes
 * the oldest of those that were moved. The others that were moved before are compressed; the newest is not, as somebody
 * may still be reading it. Answers whether it did.
 */
export async function rotateLog(
  container: { readonly id: string; readonly logPath: string },
  { files, cri, nowMs, maxSizeBytes, maxFiles }: RotationOptions,
): Promise<boolean> {
  const { id, logPath } = container;
  const stat = await files.statIfExists(logPath);
  if (!stat || stat.sizeBytes < maxSizeBytes) return false;
  const slash = logPath.lastIndexOf('/');
  const [folder, file] = [logPath.slice(0, slash), logPath.slice(slash + 1)];
  const stamp = new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const aside = `${logPath}.${stamp}`;
  const old = await rotatedLogs(files, logPath);
  // The name has only seconds, and nothing is written over.
  if (old.some(({ path }) => path.startsWith(aside))) return false;
  const kept = old.slice(Math.max(0, old.length - Math.max(0, maxFiles - 2)));
  // What has had its time, and what a crash left: half a copy, or one of two that are the same.
  const names = new Set(kept.map(({ path }) => path));
  for (const name of (await files.list(folder)).filter((name) => name.startsWith(`${file}.`))) {
    if (!names.has(`${folder}/${name}`)) await files.remove(`${folder}/${name}`);
  }
  for (const { path, compressed } of kept) if (!compressed) await compress(files, path);
  await files.rename(logPath, aside);
  try {
    await cri.reopenContainerLog({ containerId: id });
  } catch (error) {
    // Nobody writes to a new one: the old one goes back, so that nothing is lost.
    if (!(await files.statIfExists(logPath))) await files.rename(aside, logPath);
    throw error;
  }
  return true;
}

/** Replaces a file by its gzip, which is whole from the moment that it has its name. */
async function compress(files: Files, path: string): Promise<void> {
  const unfinished = `${path}${COMPRESSED}${UNFINISHED}`;
  {
    await using file = await files.open(path);
    const { mode } = await file.stat();
    await files.write(unfinished, '', { atomic: false, mode });
    const packed = contentOf(file).pipeThrough(new CompressionStream('gzip'));
    for await (const chunk of packed) await files.append(unfinished, chunk);
  }
  await files.rename(unfinished, `${path}${COMPRESSED}`);
  await files.remove(path);
}
