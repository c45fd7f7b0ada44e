// `tutti stop`: ends what runs on a data folder, in the foreground of another terminal or detached.

import process from 'node:process';
import type { Clock } from '../../libs/base/clock.ts';
import type { Host } from '../../libs/base/host.ts';
import { lockHolder } from '../data-lock.ts';
import { CommandError } from '../errors.ts';
import { say } from '../spoken.ts';
import { machineOf } from './foreground.ts';
import { dataDirOf, parseOptions } from './options.ts';

export const USAGE = `tutti stop: end the cluster, or the node, that runs on a data folder
usage: tutti stop [--data-dir DIR]
It ends as after Ctrl-C: pods end (unless it was started with --keep-pods), data stay.
  --data-dir DIR         of what is to end (default: ~/.tutti)
  --help                 print this text
examples:
  tutti stop
  tutti stop --data-dir /srv/tutti
`;

const OPTIONS = { 'data-dir': { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;
const STOP_MS = 15_000;

/** Resolves with the exit code: 0 also where nothing ran. */
export async function stop(args: readonly string[]): Promise<number> {
  const { values } = parseOptions('stop', args, OPTIONS);
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const dataDir = dataDirOf(values['data-dir']);
  const { host, clock } = machineOf('warn');
  const pid = await stopRunning(host, clock, dataDir);
  process.stdout.write(pid === undefined ? `Nothing runs on ${dataDir}.\n` : `Process ${pid} has ended.\n`);
  return 0;
}

/** Ends what holds the folder; gives its process id, undefined where nothing does. Throws `CommandError` when it stays. */
export async function stopRunning(host: Host, clock: Clock, dataDir: string): Promise<number | undefined> {
  const pid = await lockHolder(host, dataDir);
  if (pid === undefined) return undefined;
  try {
    host.processes.signal(pid, 'SIGTERM');
  } catch (error) {
    if ((error as { code?: string }).code !== 'EPERM') throw error;
    throw new CommandError(
      `Process ${pid}, which runs on ${dataDir}, is another user's; run this as that user or as root.`,
    );
  }
  const end = clock.monotonic() + STOP_MS;
  while ((await lockHolder(host, dataDir)) === pid || host.processes.signal(pid, 0)) {
    if (clock.monotonic() > end) {
      throw new CommandError(
        `Process ${pid} has not ended within ${STOP_MS / 1000} s; look at what it says, or kill -9 ${pid}.`,
      );
    }
    await clock.sleep(50);
  }
  return pid;
}
