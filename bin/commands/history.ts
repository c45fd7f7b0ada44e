// `tutti history`: a real cluster as it was, where it was started with `--history`.

import process from 'node:process';
import type { Client } from '../../libs/kind/client.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { tellDiff } from '../../testing/time-travel/diff.ts';
import { asAdministrator, kubeconfigPathOf } from '../compose/admin.ts';
import type { HistoryDiff, HistoryFacts, HistoryMoment } from '../compose/history.ts';
import { CommandError } from '../errors.ts';
import { say } from '../spoken.ts';
import { machineOf } from './foreground.ts';
import { dataDirOf, parseOptions } from './options.ts';
import { sizeOf } from './table.ts';

export const USAGE = `tutti history: the cluster as it was, and what has changed since
usage: tutti history                     how far back it goes, and how much of its size is used
       tutti history at WHEN             print the path of a kubeconfig for the cluster as it was
       tutti history diff FROM [TO]      what changed between two moments (TO: now), by object and field
WHEN is a time (2026-01-31T12:00:00Z), how long ago (10m, 2h30m, 7d), or a resourceVersion.
It wants a cluster that runs, and was started with "tutti up --history SIZE". History goes as far back as that size allows;
what was before "--history" was given is there by resourceVersion alone, and only a little of it. The past can be read, as
kubectl reads any cluster; nothing can be written, and there are no logs and no exec. What changes all the time is history
too (a node's lease every ten seconds: about 6 MB a day and node).
  --namespace NAME, -n   diff: of this namespace alone
  --output FORMAT, -o    text (default) or json
  --data-dir DIR         of the cluster (default: ~/.tutti)
  --help                 print this text
examples:
  KUBECONFIG=$(tutti history at 10m) kubectl get pods -A -o wide
  tutti history diff 1h -n default
  tutti history diff 2026-01-31T12:00:00Z 2026-01-31T12:05:00Z
`;

const OPTIONS = {
  namespace: { type: 'string', short: 'n' },
  output: { type: 'string', short: 'o' },
  'data-dir': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Resolves with the exit code. */
export async function history(args: readonly string[]): Promise<number> {
  const { values, words } = parseOptions('history', args, OPTIONS, { min: 0, max: 3 });
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const { output = 'text', namespace } = values;
  if (output !== 'text' && output !== 'json') {
    throw new CommandError(`--output wants text or json, not "${output}".`, 2);
  }
  const [verb, ...whens] = words;
  const want = (least: number, most: number) => {
    if (whens.length >= least && whens.length <= most) return;
    throw new CommandError(
      `"tutti history ${verb}" wants ${least === most ? least : `${least} or ${most}`} of a time, a time ago, or a resourceVersion.`,
      2,
    );
  };
  const machine = machineOf('error');
  const dataDir = dataDirOf(values['data-dir']);
  const ask = <T>(path: string, query: Readonly<Record<string, string>> = {}) =>
    asAdministrator(machine, { dataDir }, ({ client }) => asked<T>(client, path, query, dataDir));
  const print = (value: unknown, text: string) =>
    void process.stdout.write(output === 'json' ? `${JSON.stringify(value, undefined, 2)}\n` : text);
  switch (verb) {
    case undefined: {
      const facts = await ask<HistoryFacts>('/history');
      print(facts, factsText(facts));
      return 0;
    }
    case 'at': {
      want(1, 1);
      const moment = await ask<HistoryMoment>('/history/moment', { at: whens[0] as string });
      // A revision stays the same one, also where several were written at one time.
      const isRevision = /^\d+$/.test(whens[0] as string);
      const when = isRevision ? String(moment.revision) : (moment.time ?? String(moment.revision));
      const path = await writeKubeconfig(machine.host.files, dataDir, when);
      print({ ...moment, kubeconfig: path }, `${path}\n`);
      return 0;
    }
    case 'diff': {
      want(1, 2);
      const [from = '', to = ''] = whens;
      const found = await ask<HistoryDiff>('/history/diff', { from, ...(to !== '' && { to }) });
      const objects = found.objects.filter((one) => namespace === undefined || one.namespace === namespace);
      print({ ...found, objects }, tellDiff(objects));
      return 0;
    }
    default:
      throw new CommandError(`"tutti history" knows at and diff, not "${verb}".`, 2);
  }
}

async function asked<T>(
  client: Client,
  path: string,
  query: Readonly<Record<string, string>>,
  dataDir: string,
): Promise<T> {
  const search = new URLSearchParams(query).toString();
  try {
    return (await client.raw('GET', search === '' ? path : `${path}?${search}`)) as T;
  } catch (error) {
    const { code, message } = (error as { status?: { code?: number; message?: string } }).status ?? {};
    if (isNotFound(error)) {
      throw new CommandError(`The cluster in ${dataDir} keeps no history; start it with "tutti up --history 256Mi".`);
    }
    if (code === 400 || code === 410)
      throw new CommandError(`${message?.replace(/^./, (first) => first.toUpperCase())}.`);
    throw error;
  }
}

export function factsText({ firstRevision, lastRevision, firstTime, usedBytes, limitBytes }: HistoryFacts): string {
  const full = usedBytes > limitBytes * 0.95 ? '; the oldest goes as new comes' : '';
  return [
    ['since', firstTime ?? 'nothing was written yet'],
    ['revisions', `${firstRevision} to ${lastRevision}`],
    ['size', `${sizeOf(usedBytes)} of ${sizeOf(limitBytes)}${full}`],
  ]
    .map(([name, text]) => `${name?.padEnd(12)}${text}\n`)
    .join('');
}

/** The administrator's, with the address at which the API is as it was then. */
async function writeKubeconfig(
  files: ReturnType<typeof machineOf>['host']['files'],
  dataDir: string,
  when: string,
): Promise<string> {
  const text = await files.readText(kubeconfigPathOf(dataDir));
  const path = `${dataDir}/history-${when.replaceAll(':', '')}.kubeconfig`;
  await files.write(path, text.replace(/^( *server: .*?)\/?$/m, `$1/history/at/${when}`), { mode: 0o600 });
  return path;
}
