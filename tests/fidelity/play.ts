/**
 * Plays recorded cases against a server of ours: the server runs in this process with a store in memory, upstream's
 * player (part of the reference data) in a process of its own, on loopback. Gives one verdict a case.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { startApiServer } from '../../bin/compose/apiserver.ts';
import { createLogger, formatRecord } from '../../libs/base/log.ts';
import { createNodeHost } from '../../libs/base/node/node-host.ts';
import { NodeKeys } from '../../libs/base/node/node-keys.ts';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import { realRandom } from '../../libs/base/node/real-random.ts';
import { answers } from './answers.ts';

/** What came of one case. `wording`: only messages differ. */
export interface Verdict {
  readonly id: string;
  readonly verdict: 'same' | 'wording' | 'differs';
  /** The first differing places: path, upstream's value, ours. */
  readonly diff: readonly (readonly [path: string, upstream: unknown, here: unknown])[];
}

export interface PlayOptions {
  /** A regular expression upon the cases' ids. */
  readonly filter?: string;
  /** How many differing cases the player tells about in full. */
  readonly show?: number;
  /** How many cases the player plays at once; default its own choice. */
  readonly jobs?: number;
  /** How long the player may take; then it is ended, and playing fails. Default five minutes. */
  readonly timeoutMs?: number;
  /** Further options of the player. */
  readonly more?: readonly string[];
  /** Takes what the player prints, and what the server logs as an error; default nobody. */
  readonly print?: (text: string) => void;
}

/** The folder of the recordings, or undefined where the reference data is not at hand. */
export const recordings: string | undefined = existsSync(join(answers.root, 'answers/replay.mjs'))
  ? join(answers.root, 'answers')
  : undefined;

/** The machine, and an API server on it that forgets all; its data are in `directory`. */
export async function startPlayedServer(directory: string, print?: (text: string) => void) {
  const clock = new RealClock();
  const log = createLogger('fidelity', clock, (record) => print?.(`${formatRecord(record)}\n`), 'error');
  const machine = { host: createNodeHost(), clock, random: realRandom, keys: new NodeKeys(), log };
  const settings = { dataDir: directory, store: 'memory', listenHost: '127.0.0.1', port: await freePort() };
  return { machine, ...(await startApiServer(machine, settings)) };
}

/** Plays files of the recordings (names without `.jsonl`), one server for all. Throws an Error where the player fails. */
export async function playRecorded(files: readonly string[], options: PlayOptions = {}): Promise<Verdict[]> {
  if (recordings === undefined) throw new Error('the reference data is not here');
  const directory = mkdtempSync(join(tmpdir(), 'tutti-fidelity-'));
  try {
    await using running = await startPlayedServer(directory, options.print);
    const verdicts = join(directory, 'verdicts.json');
    await using hooks = files.some((file) => file.includes('webhooks')) ? await startWebhooks(directory) : undefined;
    const more = { ...options, more: hooks?.options ?? [] };
    await runPlayer('replay.mjs', recordings, running.kubeconfigPath, verdicts, files, more);
    return JSON.parse(readFileSync(verdicts, 'utf8')) as Verdict[];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Runs one of upstream's players to its end; the verdicts are in the file `verdicts` then. */
export async function runPlayer(
  program: 'replay.mjs' | 'scenarios.mjs',
  folder: string,
  kubeconfig: string,
  verdicts: string,
  files: readonly string[],
  { filter, show = 0, jobs, print, timeoutMs = 300_000, more = [] }: PlayOptions,
): Promise<void> {
  const args = [program, '--kubeconfig', kubeconfig, '--json', verdicts, '--show', String(show), ...more];
  if (jobs !== undefined) args.push('--jobs', String(jobs));
  if (filter !== undefined) args.push('--filter', filter);
  args.push(...files.map((file) => `${file}.jsonl`));
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4096);
      print?.(text);
    });
  }
  const limit = setTimeout(() => child.kill(), timeoutMs);
  const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('close', resolve));
  clearTimeout(limit);
  if (code !== 0) throw new Error(`the player ended with ${code}: ${said}`);
}

/** The server of webhooks that belongs to the recordings, in a process of its own, and what the player wants to know. */
async function startWebhooks(directory: string): Promise<{ readonly options: readonly string[] } & AsyncDisposable> {
  const port = await freePort();
  const args = ['webhook-server.mjs', '--dir', directory, '--port', String(port)];
  const child = spawn(process.execPath, args, { cwd: recordings, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await Promise.race([
    new Promise((resolve, reject) => child.once('error', reject).stdout.once('data', resolve)),
    ended.then(() => Promise.reject(new Error('the server of webhooks ended at once'))),
  ]);
  return {
    options: ['--webhook', `https://127.0.0.1:${port}`, '--ca-bundle', join(directory, 'ca.pem')],
    async [Symbol.asyncDispose]() {
      child.kill();
      await ended;
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
