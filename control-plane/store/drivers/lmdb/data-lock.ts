import type { Host } from '../../../../libs/base/host.ts';
import { StoreError } from '../../store.ts';

/**
 * Keeps a data folder to one process: a symbolic link, which is made atomically, whose target names the holder. A holder
 * that died leaves its link behind; it is known by its process id, its start time and the machine's boot. A holder in
 * another container looks as if it had died: `Database.open` knows better.
 */
export class DataLock {
  readonly #host: Host;
  readonly #path: string;
  readonly #holder: string;
  #held = true;

  private constructor(host: Host, path: string, holder: string) {
    this.#host = host;
    this.#path = path;
    this.#holder = holder;
  }

  /** Throws `StoreError` `unavailable` when another process, or this one, holds the folder. */
  static async acquire(host: Host, directory: string): Promise<DataLock> {
    const path = `${directory}/lock`;
    const holder = await identify(host, host.facts.pid);
    for (let attempt = 0; attempt < 5; attempt++) {
      try {
        await host.files.symlink(holder, path);
        return new DataLock(host, path, holder);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      await removeIfStale(host, directory, path);
    }
    throw new StoreError('unavailable', `the data in ${directory} could not be locked: others keep trying it, too`);
  }

  /** Idempotent. */
  async release(): Promise<void> {
    if (!this.#held) return;
    this.#held = false;
    if ((await readLock(this.#host, this.#path)) === this.#holder) await this.#host.files.remove(this.#path);
  }
}

async function removeIfStale(host: Host, directory: string, path: string): Promise<void> {
  const holder = await readLock(host, path);
  if (holder === undefined) return;
  const pid = Number(/^pid=(\d+) /.exec(holder)?.[1]);
  if (holder === (await identify(host, pid))) {
    throw new StoreError('unavailable', `the data in ${directory} is in use by process ${pid}`);
  }
  // Moved aside first: if another process was quicker, it is that one's lock that was moved, and it goes back.
  const aside = `${path}.${host.facts.pid}`;
  try {
    await host.files.rename(path, aside);
    if ((await readLock(host, aside)) === holder) await host.files.remove(aside);
    else await host.files.rename(aside, path);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

async function readLock(host: Host, path: string): Promise<string | undefined> {
  try {
    return await host.files.readLink(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Who a process is, or `gone`. Where there is no /proc, the process id has to do. */
async function identify(host: Host, pid: number): Promise<string> {
  if (!Number.isSafeInteger(pid) || pid <= 0 || !host.processes.signal(pid, 0)) return 'gone';
  const boot = (await host.files.readTextIfExists('/proc/sys/kernel/random/boot_id').catch(() => undefined))?.trim();
  const stat = await host.files.readTextIfExists(`/proc/${pid}/stat`).catch(() => undefined);
  // The name may hold spaces and brackets; the 22nd field counts from after its last bracket.
  const started = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  return `pid=${pid} started=${started ?? '?'} boot=${boot ?? '?'}`;
}

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code;
