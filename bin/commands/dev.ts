// `tutti dev`: `tutti up` from the sources of a clone, started anew whenever one of them is saved.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { CommandError } from '../errors.ts';
import { say } from '../spoken.ts';

export const USAGE = `tutti dev: like "tutti up", from the sources, started anew when one of them is saved

usage: tutti dev [options of "tutti up"]

The cluster has three simulated nodes, lives in .cache/dev of the clone and leaves your own kubeconfig alone, unless told otherwise.

examples:
  tutti dev
  tutti dev --port 0 --verbose
`;

/** Runs until it is interrupted; resolves with the exit code. */
export async function dev(args: readonly string[]): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    say(USAGE);
    return 0;
  }
  const program = new URL('../tutti.ts', import.meta.url);
  if (!import.meta.url.endsWith('/bin/commands/dev.ts')) {
    throw new CommandError('"tutti dev" starts from the sources: run it in a clone, as npm run dev.', 2);
  }
  const dataDir = fileURLToPath(new URL('../../.cache/dev', import.meta.url));
  const isGiven = (name: string) => args.some((word) => word === name || word.startsWith(`${name}=`));
  const given = [
    ...(isGiven('--data-dir') ? [] : ['--data-dir', dataDir]),
    ...(isGiven('--simulate') || isGiven('--only') ? [] : ['--simulate', '3']),
  ];
  const child = spawn(
    process.execPath,
    ['--watch', '--watch-preserve-output', fileURLToPath(program), 'up', '--no-merge-kubeconfig', ...given, ...args],
    { stdio: 'inherit' },
  );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 0;
}
