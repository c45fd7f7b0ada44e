// `tutti node`: the machines of a cluster, and taking one out.

import process from 'node:process';
import { nodes, pods } from '../../api/resources.ts';
import type { Node } from '../../api/types/core/v1.generated.ts';
import type { Client } from '../../libs/kind/client.ts';
import type { Live } from '../../libs/kind/object.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { asAdministrator } from '../compose/admin.ts';
import { drain, forgetPods, isReady, nodeOf } from '../compose/drain.ts';
import { CommandError } from '../errors.ts';
import { say } from '../spoken.ts';
import { machineOf } from './foreground.ts';
import { dataDirOf, durationOf, parseOptions } from './options.ts';
import { ageOf, table } from './table.ts';

export const USAGE = `tutti node: the machines of the cluster
usage: tutti node list                      which there are, what runs on them, where they are
       tutti node drain NAME [--timeout T]  let no new pods come, and move those that run to other nodes
       tutti node remove NAME [--force]     drain, then take the node out of the cluster; run "tutti reset" there after it
  --timeout DURATION     how long pods may take to leave (default 5m)
  --force                remove a node that has died: its pods are forgotten, as nobody can end them
  --data-dir DIR         of the cluster (default: ~/.tutti)
  --kubeconfig FILE      instead of the data folder's: an administrator's
  --help                 print this text
Pods of DaemonSets stay until the node is gone. "kubectl uncordon NAME" takes a drain back.
examples:
  tutti node list
  tutti node drain node-2 --timeout 10m
  tutti node remove node-2 --force
`;

const OPTIONS = {
  timeout: { type: 'string' },
  force: { type: 'boolean' },
  'data-dir': { type: 'string' },
  kubeconfig: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Resolves with the exit code. */
export async function node(args: readonly string[]): Promise<number> {
  const { values, words } = parseOptions('node', args, OPTIONS, { min: 1, max: 2, what: 'list, drain or remove' });
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const [verb, name] = words;
  const { kubeconfig, timeout = '5m', force = false } = values;
  const where = { dataDir: dataDirOf(values['data-dir']), ...(kubeconfig !== undefined && { kubeconfig }) };
  const timeoutMs = durationOf('--timeout', timeout);
  const machine = machineOf('warn');
  const { clock } = machine;
  const told = (line: string) => void process.stdout.write(`${line}\n`);
  if (verb === 'list' && name === undefined) {
    process.stdout.write(await asAdministrator(machine, where, ({ client }) => listNodes(client, clock.now())));
    return 0;
  }
  if (verb !== 'drain' && verb !== 'remove') {
    throw new CommandError(`"tutti node" knows list, drain NAME and remove NAME, not "${words.join(' ')}".`, 2);
  }
  if (name === undefined) throw new CommandError(`"tutti node ${verb}" wants the name of a node.`, 2);
  await asAdministrator(machine, where, async ({ client }) => {
    const options = { client, clock, told, timeoutMs };
    if (verb === 'drain') {
      await drain(options, name);
      told(`node ${name} is drained`);
      return;
    }
    const found = await nodeOf(client, name);
    if (!isReady(found) && !force) {
      throw new CommandError(
        `Node ${name} is not heard of, and its pods may still run there; when you are sure that it is off, give --force.`,
      );
    }
    if (isReady(found)) await drain(options, name);
    await client
      .resource(nodes)
      .delete(name)
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    const forgotten = await forgetPods(client, name);
    if (forgotten > 0) told(`${forgotten} pods of it are forgotten`);
    told(`node ${name} is removed`);
  });
  return 0;
}

/** One line a node. */
export async function listNodes(client: Client, nowMs: number): Promise<string> {
  const [{ items }, { items: running }] = await Promise.all([
    client.resource(nodes).list(),
    client.resource(pods).list(),
  ]);
  const rows = items.map((one) => {
    const { metadata, status } = one;
    const mine = running.filter(({ spec, status: of }) => spec?.nodeName === metadata.name && of?.phase === 'Running');
    const address = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address ?? '';
    const info = status?.nodeInfo;
    const age = ageOf(nowMs - Date.parse(metadata.creationTimestamp ?? ''));
    return [metadata.name, stateOf(one), String(mine.length), address, info?.containerRuntimeVersion ?? '', age];
  });
  return rows.length === 0
    ? 'There are no nodes.\n'
    : table(['NAME', 'STATUS', 'PODS', 'ADDRESS', 'RUNTIME', 'AGE'], rows);
}

function stateOf(one: Live<Node>): string {
  const state = isReady(one) ? 'Ready' : 'NotReady';
  return one.spec?.unschedulable ? `${state},SchedulingDisabled` : state;
}
