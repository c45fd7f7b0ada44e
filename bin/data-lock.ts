import { createHash } from 'node:crypto';
import process from 'node:process';
import type { Host } from '../libs/base/host.ts';
import { CommandError } from './errors.ts';

/**
 * Holds a data folder for one process: a second start must not touch the first one's containerd and pods. The lock is a
 * socket's name, which is free again when its process ends in whatever way; who connects to it is told the process id.
 */
export async function lockDataDir(host: Host, dataDir: string): Promise<AsyncDisposable> {
  await host.files.makeDirectory(dataDir);
  try {
    return await host.sockets.listen({ path: lockPath(dataDir) }, (connection) => {
      connection.on('error', () => undefined);
      connection.end(`${process.pid}\n`);
    });
  } catch (error) {
    if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
    const pid = await lockHolder(host, dataDir);
    throw new CommandError(
      `The cluster in ${dataDir} runs already${pid === undefined ? '' : `, as process ${pid}`}; stop that one, or choose another --data-dir.`,
    );
  }
}

/** The process that holds the folder; undefined where none does. */
export async function lockHolder(host: Host, dataDir: string): Promise<number | undefined> {
  let text = '';
  try {
    const connection = await host.sockets.connect({ path: lockPath(dataDir) });
    for await (const part of connection) text += String(part);
    connection.destroy();
  } catch {
    return undefined;
  }
  return Number.parseInt(text, 10) || undefined;
}

/** Names of sockets are short: the folder's own where it fits, else one made of it. */
function lockPath(dataDir: string): string {
  const path = `${dataDir}/lock.sock`;
  if (Buffer.byteLength(path) <= 100) return path;
  return `/tmp/tutti-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}.sock`;
}
