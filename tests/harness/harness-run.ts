import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { folderOf, MARK, removeLeftovers, removeRun } from './leftovers.ts';
import { startTicks } from './process.ts';

/** One use of the harness: a name on everything it starts, a folder, and somebody who cleans up if this process cannot. */
export interface HarnessRun extends AsyncDisposable {
  /** `<pid>-<ticks>-<random>`; see leftovers.ts. */
  readonly name: string;
  readonly folder: string;
  /** For every process of the run. */
  readonly env: Readonly<Record<string, string>>;
  /** Removes everything of the run. A second call does nothing. */
  dispose(): Promise<void>;
}

/** Begins a run; leftovers of killed ones go first. */
export async function startRun(): Promise<HarnessRun> {
  await removeLeftovers();
  const name = `${process.pid}-${startTicks(process.pid)}-${randomBytes(3).toString('hex')}`;
  const folder = folderOf(name);
  mkdirSync(folder, { mode: 0o755 });
  const warden = startWarden(name);
  let disposal: Promise<void> | undefined;
  const dispose = (): Promise<void> => {
    disposal ??= removeRun(name).then(() => warden.dismiss());
    return disposal;
  };
  return { name, folder, env: { [MARK]: name, PATH: searchPath() }, dispose, [Symbol.asyncDispose]: dispose };
}

/** PATH, with the folders for administrators' programs (ip, nft, runc), which not every root has in it. */
function searchPath(): string {
  const folders = (process.env.PATH ?? '').split(':').filter((folder) => folder !== '');
  return [...new Set([...folders, '/usr/local/sbin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'])].join(':');
}

/** A sleeping shell that removes the run when this process is gone without having done so itself. */
function startWarden(run: string): { dismiss(): void } {
  const program = join(import.meta.dirname, 'leftovers.ts');
  const script = 'read -r word; [ "$word" = done ] || exec "$0" "$1" "$2"';
  const child = spawn('/bin/sh', ['-c', script, process.execPath, program, run], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  child.unref();
  (child.stdin as unknown as { unref(): void }).unref();
  child.stdin.on('error', () => {});
  return { dismiss: () => child.stdin.end('done\n') };
}
