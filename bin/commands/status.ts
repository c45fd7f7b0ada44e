// `tutti status`: what runs on this machine, and how it is.

import process from 'node:process';
import { nodes, pods } from '../../api/resources.ts';
import { formatTime, withTimeout } from '../../libs/base/clock.ts';
import metadata from '../../package.json' with { type: 'json' };
import { administratorOf } from '../compose/admin.ts';
import type { Machine } from '../compose/apiserver.ts';
import { bytesOf, certificatesOf } from '../compose/certificates.ts';
import { isReady } from '../compose/drain.ts';
import { explain } from '../compose/join.ts';
import { lockHolder } from '../data-lock.ts';
import { CommandError } from '../errors.ts';
import { type RunRecord, readRunRecord } from '../run-record.ts';
import { say } from '../spoken.ts';
import { machineOf } from './foreground.ts';
import { dataDirOf, parseOptions } from './options.ts';
import { ageOf, sizeOf } from './table.ts';

export const USAGE = `tutti status: what runs on this machine, and how it is
usage: tutti status [--data-dir DIR] [--output text|json]
The exit code is 0 where everything is well, 3 where nothing runs, 1 where something is not as it should be.
  --data-dir DIR         of the cluster or node (default: ~/.tutti)
  --output FORMAT        text (default) or json
  --help                 print this text
examples:
  tutti status
  tutti status --output json
`;

const OPTIONS = {
  'data-dir': { type: 'string' },
  output: { type: 'string', short: 'o' },
  help: { type: 'boolean', short: 'h' },
} as const;

const ASK_MS = 5_000;
const DAY_MS = 86_400_000;
/** Certificates are renewed with 30 % of their year left: one with less than this is not renewed any more. */
const SOON_MS = 30 * DAY_MS;

export interface Status {
  readonly dataDir: string;
  /** Undefined: nothing runs. */
  readonly pid?: number;
  readonly record?: RunRecord;
  /** Why the API server cannot be asked, or is not well. */
  readonly trouble?: string;
  readonly server?: string;
  readonly nodes?: readonly { readonly name: string; readonly ready: boolean }[];
  readonly pods?: { readonly running: number; readonly all: number };
  readonly dataBytes: number;
  readonly firstExpiry?: { readonly name: string; readonly notAfterMs: number };
}

/** Resolves with the exit code. */
export async function status(args: readonly string[]): Promise<number> {
  const { values } = parseOptions('status', args, OPTIONS);
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const { output = 'text' } = values;
  if (output !== 'text' && output !== 'json') {
    throw new CommandError(`--output wants text or json, not "${output}".`, 2);
  }
  const machine = machineOf('error');
  const found = await statusOf(machine, dataDirOf(values['data-dir']));
  const nowMs = machine.clock.now();
  process.stdout.write(output === 'json' ? `${JSON.stringify(found, undefined, 2)}\n` : statusText(found, nowMs));
  return exitCodeOf(found, nowMs);
}

export async function statusOf(machine: Machine, dataDir: string): Promise<Status> {
  const { host, keys } = machine;
  const { files } = host;
  const [pid, record, certificates, dataBytes] = await Promise.all([
    lockHolder(host, dataDir),
    readRunRecord(files, dataDir),
    certificatesOf(files, keys, dataDir),
    bytesOf(host, [dataDir]),
  ]);
  const first = certificates[0];
  return {
    dataDir,
    ...(pid !== undefined && { pid }),
    ...(record && { record }),
    ...(pid !== undefined && record?.role === 'cluster' && (await clusterOf(machine, dataDir))),
    ...(pid !== undefined && record?.role === 'agent' && { server: record.server ?? '' }),
    dataBytes,
    ...(first && { firstExpiry: { name: first.name, notAfterMs: first.notAfterMs } }),
  };
}

async function clusterOf(machine: Machine, dataDir: string): Promise<Partial<Status>> {
  let server = '';
  try {
    await using administrator = await administratorOf(machine, { dataDir });
    const { client } = administrator;
    server = administrator.server;
    using deadline = withTimeout(machine.clock, ASK_MS);
    const { signal } = deadline;
    const [ready, allNodes, allPods] = await Promise.all([
      client.raw('GET', '/readyz', { signal }),
      client.resource(nodes).list({ signal }),
      client.resource(pods).list({ signal }),
    ]);
    const running = allPods.items.filter((pod) => pod.status?.phase === 'Running').length;
    return {
      server,
      ...(ready !== 'ok' && { trouble: 'the API server says that it is not ready' }),
      nodes: allNodes.items.map((node) => ({ name: node.metadata.name, ready: isReady(node) })),
      pods: { running, all: allPods.items.length },
    };
  } catch (error) {
    const { message } = explain(machine, server, error) as Error;
    return { ...(server !== '' && { server }), trouble: message.replace(/\.$/, '') };
  }
}

export function exitCodeOf({ pid, trouble, nodes: all = [], firstExpiry }: Status, nowMs: number): number {
  if (pid === undefined) return 3;
  const old = firstExpiry !== undefined && firstExpiry.notAfterMs - nowMs < SOON_MS;
  return trouble !== undefined || old || all.some(({ ready }) => !ready) ? 1 : 0;
}

/** As a person reads it. */
export function statusText(found: Status, nowMs: number): string {
  const { dataDir, pid, record, trouble, server, dataBytes, firstExpiry } = found;
  const lines: (readonly [string, string])[] = [];
  const what = record?.role === 'agent' ? `node ${record.nodeName}` : 'cluster';
  if (pid === undefined) lines.push(['runs', 'nothing']);
  else if (record) {
    lines.push(['runs', `${what}, process ${pid}, for ${ageOf(nowMs - record.startedMs)}`]);
    const newer = record.version === metadata.version ? '' : `; this command is ${metadata.version}`;
    lines.push(['version', `${record.version}${newer}`]);
    lines.push(['parts', record.components.join(', ')]);
  } else lines.push(['runs', `process ${pid}, which has just begun`]);
  if (server) lines.push(['API server', server]);
  if (trouble) lines.push(['trouble', trouble]);
  for (const { name, ready } of found.nodes ?? [])
    lines.push(['node', `${name} ${ready ? 'is ready' : 'IS NOT READY'}`]);
  if (found.pods) lines.push(['pods', `${found.pods.running} of ${found.pods.all} run`]);
  lines.push(['data', `${sizeOf(dataBytes)} in ${dataDir}`]);
  if (firstExpiry) {
    const days = Math.floor((firstExpiry.notAfterMs - nowMs) / DAY_MS);
    const until = formatTime(firstExpiry.notAfterMs).slice(0, 10);
    lines.push([
      'certificates',
      `good until ${until} (${firstExpiry.name}, ${days} days); renewed long before while it runs`,
    ]);
  }
  return lines.map(([name, text]) => `${name.padEnd(14)}${text}\n`).join('');
}
