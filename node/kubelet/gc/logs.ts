import type { Files } from '../../../libs/base/host.ts';
import type { CriClient } from '../../cri/cri.ts';

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
 * the oldest of those that were moved. Answers whether it did.
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
  const old = (await files.list(folder)).filter((name) => name.startsWith(`${file}.`)).sort();
  // The name has only seconds, and nothing is written over.
  if (old.includes(`${file}.${stamp}`)) return false;
  const kept = Math.max(0, maxFiles - 2);
  for (const name of old.slice(0, Math.max(0, old.length - kept))) await files.remove(`${folder}/${name}`);
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
