// `tutti image`: the images on this machine's node.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import process from 'node:process';
import type { CriClient } from '../../node/cri/cri.ts';
import { connectCri } from '../../node/cri/dial/connect.ts';
import { findCommand } from '../../tools/setup/needs.ts';
import type { Machine } from '../compose/apiserver.ts';
import { CommandError } from '../errors.ts';
import { readRunRecord } from '../run-record.ts';
import { say } from '../spoken.ts';
import { machineOf } from './foreground.ts';
import { dataDirOf, parseOptions } from './options.ts';
import { sizeOf, table } from './table.ts';

export const USAGE = `tutti image: the images on this machine's node, while it runs
usage: tutti image list                 which there are
       tutti image pull NAME…           fetch images, as a pod would
       tutti image import FILE…         take images from archives ("docker save", "podman save"; -: from the input)
       tutti image remove NAME…         images that no container uses
  --data-dir DIR         of the cluster or node (default: ~/.tutti)
  --cri-endpoint URL     of a container runtime that is not ours
  --help                 print this text
Importing needs containerd: its "ctr" hands the archive over, as the runtime interface of Kubernetes takes none.
examples:
  tutti image list
  docker save my-app:dev | tutti image import -
  tutti image pull docker.io/library/nginx:latest
`;

const OPTIONS = {
  'data-dir': { type: 'string' },
  'cri-endpoint': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

const PULL_MS = 600_000;

/** Resolves with the exit code. */
export async function image(args: readonly string[]): Promise<number> {
  const { values, words } = parseOptions('image', args, OPTIONS, {
    min: 1,
    max: Number.POSITIVE_INFINITY,
    what: 'list, pull, import or remove',
  });
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const [verb = '', ...names] = words;
  if (!['list', 'pull', 'import', 'remove'].includes(verb)) {
    throw new CommandError(`"tutti image" knows list, pull, import and remove, not "${verb}".`, 2);
  }
  if ((verb === 'list') !== (names.length === 0)) {
    throw new CommandError(
      `"tutti image ${verb}" ${verb === 'list' ? 'takes no names' : 'wants names'}; see "tutti image --help".`,
      2,
    );
  }
  const machine = machineOf('warn');
  const endpoint = await endpointOf(machine, dataDirOf(values['data-dir']), values['cri-endpoint']);
  if (verb === 'import') {
    for (const file of names) await importImages(endpoint, file);
    return 0;
  }
  const cri = connectCri(endpoint, { clock: machine.clock });
  try {
    await cri.version({}, { timeoutMs: 5_000 }).catch((error: Error) => {
      throw new CommandError(`No container runtime answers at ${endpoint}: ${error.message}; does the node run?`);
    });
    if (verb === 'list') process.stdout.write(await imageTable(cri));
    for (const name of names) await (verb === 'pull' ? pull(cri, name) : remove(cri, name));
  } finally {
    await cri.close();
  }
  return 0;
}

async function endpointOf({ host }: Machine, dataDir: string, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const record = await readRunRecord(host.files, dataDir);
  if (record?.criEndpoint !== undefined) return record.criEndpoint;
  const socket = `${dataDir}/containerd/containerd.sock`;
  if (await host.files.statIfExists(socket).catch(() => undefined)) return `unix://${socket}`;
  throw new CommandError(`No node runs in ${dataDir}: start one with "tutti up" or "tutti agent", or give --data-dir.`);
}

async function imageTable(cri: CriClient): Promise<string> {
  const { images } = await cri.listImages({});
  const rows = images.flatMap(({ id, repoTags, repoDigests, size }) => {
    const names = repoTags.length > 0 ? repoTags : [repoDigests[0] ?? '<none>'];
    return names.map((name) => [name, id.replace(/^sha256:/, '').slice(0, 12), sizeOf(Number(size))]);
  });
  return table(
    ['IMAGE', 'ID', 'SIZE'],
    rows.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
  );
}

async function pull(cri: CriClient, name: string): Promise<void> {
  try {
    const { imageRef } = await cri.pullImage({ image: { image: name } }, { timeoutMs: PULL_MS });
    process.stdout.write(`${name} is here as ${imageRef}\n`);
  } catch (error) {
    throw new CommandError(`${name} cannot be pulled: ${(error as Error).message}.`);
  }
}

async function remove(cri: CriClient, name: string): Promise<void> {
  const { image: found } = await cri.imageStatus({ image: { image: name } });
  if (!found) throw new CommandError(`There is no image ${name}; "tutti image list" shows those that there are.`);
  const [{ containers }] = [await cri.listContainers({})];
  if (containers.some((one) => one.imageRef === found.id || one.image?.image === found.id)) {
    throw new CommandError(`${name} is used by a container; remove the pod first.`);
  }
  await cri.removeImage({ image: { image: found.id } });
  process.stdout.write(`${name} is removed\n`);
}

async function importImages(endpoint: string, file: string): Promise<void> {
  const program = findCommand('ctr');
  if (program === undefined)
    throw new CommandError('"ctr", which comes with containerd, is missing; install containerd.');
  const socket = endpoint.replace(/^unix:\/\//, '');
  // By file descriptor: an archive may be larger than what fits in memory.
  const input = file === '-' ? 0 : openArchive(file);
  try {
    const child = spawn(program, ['--address', socket, '--namespace', 'k8s.io', 'images', 'import', '-'], {
      stdio: [input, 'pipe', 'pipe'],
    });
    let said = '';
    child.stdout!.on('data', (part) => process.stdout.write(part));
    child.stderr!.on('data', (part) => {
      said += String(part);
    });
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) {
      throw new CommandError(`${file} cannot be imported: ${said.trim().split('\n').at(-1)?.replace(/\.$/, '')}.`);
    }
  } finally {
    if (input !== 0) closeSync(input);
  }
}

function openArchive(file: string): number {
  try {
    return openSync(file, 'r');
  } catch (error) {
    const why = (error as { code?: string }).code === 'ENOENT' ? 'there is no such file' : (error as Error).message;
    throw new CommandError(`${file} cannot be read: ${why}.`);
  }
}
