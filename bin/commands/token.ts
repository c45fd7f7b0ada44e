// `tutti token`: the tokens by which machines join, as Secrets of the cluster.

import process from 'node:process';
import {
  type BootstrapToken,
  bootstrapTokenOf,
  isExpired,
  TOKEN_NAME_PREFIX,
  TOKEN_NAMESPACE,
  TOKEN_TYPE,
} from '../../api/core/secret/bootstrap-token.ts';
import { endpointSlices, secrets } from '../../api/resources.ts';
import { JOINING_GROUP } from '../../control-plane/apiserver/bootstrap/own.ts';
import { formatTime } from '../../libs/base/clock.ts';
import type { Client } from '../../libs/kind/client.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { type Administrator, asAdministrator } from '../compose/admin.ts';
import type { Machine } from '../compose/apiserver.ts';
import { CommandError } from '../errors.ts';
import { formatJoinToken, pinOf } from '../join-token.ts';
import { NAME_IN_CLONE, nameTyped, say } from '../spoken.ts';
import { machineOf } from './foreground.ts';
import { dataDirOf, durationOf, parseOptions } from './options.ts';
import { table } from './table.ts';

export const USAGE = `tutti token: let other machines join the cluster as nodes
usage: tutti token create [--ttl 24h] [--description TEXT]   make one, and print what to run on the other machine
       tutti token list                                      those that there are, without their secrets
       tutti token delete ID…                                take tokens back; nodes that joined stay
  --ttl DURATION         how long it is good for: 30m, 24h (default), 7d; 0: until it is deleted
  --description TEXT     what it is for
  --quiet                print nothing but the token
  --data-dir DIR         of the cluster (default: ~/.tutti)
  --kubeconfig FILE      instead of the data folder's: an administrator's
  --help                 print this text
A token also says which cluster is the right one: who has it can be fooled by no other server.
examples:
  tutti token create
  tutti token create --ttl 1h --description 'the two machines in the cellar'
  tutti token delete abcdef
`;

const OPTIONS = {
  ttl: { type: 'string' },
  description: { type: 'string' },
  quiet: { type: 'boolean', short: 'q' },
  'data-dir': { type: 'string' },
  kubeconfig: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789';
const TOKEN_BYTES = 22;

/** Resolves with the exit code. */
export async function token(args: readonly string[]): Promise<number> {
  const { values, words } = parseOptions('token', args, OPTIONS, {
    min: 1,
    max: Number.POSITIVE_INFINITY,
    what: 'create, list or delete',
  });
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const [verb, ...ids] = words;
  const { kubeconfig, ttl = '24h', description = '', quiet = false } = values;
  const where = { dataDir: dataDirOf(values['data-dir']), ...(kubeconfig !== undefined && { kubeconfig }) };
  const machine = machineOf('warn');
  if (verb !== 'delete' && ids.length > 0) {
    throw new CommandError(`"tutti token ${verb}" does not take "${ids[0]}"; see "tutti token --help".`, 2);
  }
  switch (verb) {
    case 'create': {
      const ttlMs = durationOf('--ttl', ttl);
      const text = await asAdministrator(machine, where, async (administrator) => {
        const made = await createToken(machine, administrator, { ttlMs, description });
        const server = await addressFor(administrator.client);
        return quiet ? `${made}\n` : joinHint(server, made, ttlMs);
      });
      if (quiet) process.stdout.write(text);
      else say(text);
      return 0;
    }
    case 'list': {
      const found = await asAdministrator(machine, where, ({ client }) => listTokens(client));
      process.stdout.write(tokenTable(found, machine.clock.now()));
      return 0;
    }
    case 'delete':
      if (ids.length === 0) throw new CommandError('"tutti token delete" wants the first six letters of a token.', 2);
      await asAdministrator(machine, where, ({ client }) => deleteTokens(client, ids));
      return 0;
    default:
      throw new CommandError(`"tutti token" knows create, list and delete, not "${verb}".`, 2);
  }
}

/** Makes the Secret; gives the word for `tutti agent --token`. `ttlMs` 0: it stays good. */
export async function createToken(
  { keys, clock }: Pick<Machine, 'keys' | 'clock'>,
  { client, authorityPem }: Pick<Administrator, 'client' | 'authorityPem'>,
  { ttlMs, description }: { readonly ttlMs: number; readonly description: string },
): Promise<string> {
  // 252 is the largest multiple of 36 in a byte: what is above would favour some letters.
  let letters = '';
  while (letters.length < TOKEN_BYTES) {
    for (const byte of keys.secret(TOKEN_BYTES)) {
      if (byte < 252 && letters.length < TOKEN_BYTES) letters += LETTERS[byte % LETTERS.length];
    }
  }
  const [id, secret] = [letters.slice(0, 6), letters.slice(6)];
  await client
    .resource(secrets)
    .namespace(TOKEN_NAMESPACE)
    .create({
      metadata: { name: `${TOKEN_NAME_PREFIX}${id}`, namespace: TOKEN_NAMESPACE },
      type: TOKEN_TYPE,
      stringData: {
        'token-id': id,
        'token-secret': secret,
        'usage-bootstrap-authentication': 'true',
        'usage-bootstrap-signing': 'true',
        'auth-extra-groups': JOINING_GROUP,
        ...(description !== '' && { description }),
        ...(ttlMs > 0 && { expiration: `${formatTime(clock.now() + ttlMs).slice(0, 19)}Z` }),
      },
    });
  return formatJoinToken({ bootstrapToken: `${id}.${secret}`, authorityPin: pinOf(keys, authorityPem) });
}

/** Where other machines reach the API server: the address that it tells the cluster itself. */
async function addressFor(client: Client): Promise<string> {
  const slice = await client
    .resource(endpointSlices)
    .namespace('default')
    .get('kubernetes')
    .catch(() => undefined);
  const address = slice?.endpoints?.[0]?.addresses[0];
  const port = slice?.ports?.[0]?.port;
  if (address === undefined || port === undefined) return 'https://SERVER:6443';
  return `https://${address.includes(':') ? `[${address}]` : address}:${port}`;
}

const joinHint = (
  server: string,
  made: string,
  ttlMs: number,
): string => `On the other machine, as root${nameTyped() === NAME_IN_CLONE ? ', in a clone of its own' : ''}:

  tutti agent --server ${server} --token ${made}

${ttlMs > 0 ? `It is good for ${ttlMs / 3_600_000} h` : 'It is good until it is deleted'}, for any number of machines.
`;

interface ListedToken extends BootstrapToken {
  readonly description: string;
}

async function listTokens(client: Client): Promise<ListedToken[]> {
  const { items } = await client
    .resource(secrets)
    .namespace(TOKEN_NAMESPACE)
    .list({ fieldSelector: `type=${TOKEN_TYPE}` });
  return items.flatMap((secret) => {
    const found = bootstrapTokenOf(secret);
    return found ? [{ ...found, description: atob(secret.data?.['description'] ?? '') }] : [];
  });
}

function tokenTable(tokens: readonly ListedToken[], nowMs: number): string {
  const rows = tokens.map((one) => [
    one.id,
    one.expiresMs === undefined
      ? 'never'
      : isExpired(one, nowMs)
        ? 'over'
        : `${formatTime(one.expiresMs).slice(0, 16)}Z`,
    one.authenticates && one.groups?.includes(JOINING_GROUP) ? 'joining' : 'other',
    one.description,
  ]);
  return rows.length === 0 ? 'There are no tokens.\n' : table(['ID', 'EXPIRES', 'FOR', 'DESCRIPTION'], rows);
}

async function deleteTokens(client: Client, words: readonly string[]): Promise<void> {
  for (const word of words) {
    const id = word.split('.')[0];
    try {
      await client.resource(secrets).namespace(TOKEN_NAMESPACE).delete(`${TOKEN_NAME_PREFIX}${id}`);
      process.stdout.write(`token ${id} is deleted\n`);
    } catch (error) {
      if (isNotFound(error))
        throw new CommandError(`There is no token ${id}; "tutti token list" shows those that there are.`);
      throw error;
    }
  }
}
