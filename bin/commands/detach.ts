// `--detach`: the same command, as a process that stays when this one has ended.

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError } from '../errors.ts';
import { say } from '../spoken.ts';
import { dataDirWords } from './options.ts';

const LOOK_MS = 50;

/** Resolves once it runs, with what it printed. Throws `CommandError` with its last words where it ended. */
export async function detach(
  command: 'up' | 'server' | 'agent',
  { dataDir }: { readonly dataDir: string },
  args: readonly string[],
): Promise<number> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const logFile = `${dataDir}/log`;
  const log = openSync(logFile, 'a', 0o600);
  const from = statSync(logFile).size;
  const rest = args.filter((word) => word !== '--detach');
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, command, ...rest], {
    detached: true,
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  for (;;) {
    await sleep(LOOK_MS);
    const text = readFileSync(logFile).subarray(from).toString();
    if (text.includes('\nCtrl-C stops it')) {
      const stop = `tutti stop${dataDirWords(dataDir)}`;
      say(text.replace('Ctrl-C stops it', `"${stop}" or kill ${child.pid} stops it`));
      child.unref();
      return 0;
    }
    if (ended)
      throw new CommandError(
        /[\s\S]*^tutti: ([\s\S]*)/m.exec(text)?.[1]?.trim() ?? `It ended at once; see ${logFile}.`,
      );
  }
}
