// `tutti kubeconfig`: the file with which clients reach the cluster, of the administrator or of somebody new.

import process from 'node:process';
import { certificateSigningRequests } from '../../api/resources.ts';
import { decodeBase64, encodeBase64 } from '../../libs/base/base64.ts';
import type { Client } from '../../libs/kind/client.ts';
import { buildKubeconfig } from '../../libs/pki/kubeconfig.ts';
import { asAdministrator, kubeconfigPathOf } from '../compose/admin.ts';
import type { Machine } from '../compose/apiserver.ts';
import { lockHolder } from '../data-lock.ts';
import { CommandError } from '../errors.ts';
import { say } from '../spoken.ts';
import { mergeIntoUserKubeconfig } from '../user-kubeconfig.ts';
import { machineOf } from './foreground.ts';
import { dataDirOf, durationOf, parseOptions } from './options.ts';

export const USAGE = `tutti kubeconfig: the file with which kubectl and other clients reach the cluster
usage: tutti kubeconfig [--merge]                            the administrator's
       tutti kubeconfig --user NAME [--group NAME,…]         one for somebody else, with a new certificate
  --merge                put it into your own kubeconfig as context "tutti", instead of printing it
  --user NAME            a user; what they may do is for RBAC to say ("kubectl create rolebinding …")
  --group NAME,…         with --user: the user's groups; may be repeated
  --ttl DURATION         with --user: how long the certificate is good for (default 365d, at least 10m)
  --server URL           the address to write down (default: as the administrator's has it, for this machine)
  --data-dir DIR         of the cluster (default: ~/.tutti)
  --help                 print this text
examples:
  tutti kubeconfig > ~/.kube/config
  tutti kubeconfig --merge
  tutti kubeconfig --user jane --group developers --server https://10.0.0.1:6443 > jane.kubeconfig
`;

const OPTIONS = {
  merge: { type: 'boolean' },
  user: { type: 'string' },
  group: { type: 'string', multiple: true },
  ttl: { type: 'string' },
  server: { type: 'string' },
  'data-dir': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

const SIGNED_MS = 20_000;
const TTL_MS_MIN = 600_000;

/** Resolves with the exit code. */
export async function kubeconfig(args: readonly string[]): Promise<number> {
  const { values } = parseOptions('kubeconfig', args, OPTIONS);
  if (values.help) {
    say(USAGE);
    return 0;
  }
  const { user, group = [], ttl = '365d', server, merge = false } = values;
  const dataDir = dataDirOf(values['data-dir']);
  const machine = machineOf('warn');
  if (user === undefined && (group.length > 0 || values.ttl !== undefined)) {
    throw new CommandError('--group and --ttl go with --user.', 2);
  }
  if (merge && (user !== undefined || server !== undefined)) {
    throw new CommandError('--merge takes the administrator’s as it is: leave --user and --server out.', 2);
  }
  const ttlMs = durationOf('--ttl', ttl);
  if (ttlMs < TTL_MS_MIN) throw new CommandError('--ttl wants ten minutes or more.', 2);
  const path = kubeconfigPathOf(dataDir);
  const text = await machine.host.files.readTextIfExists(path);
  if (text === undefined) {
    throw new CommandError(`There is no cluster in ${dataDir}; start one with "tutti up", or give --data-dir.`);
  }
  if (merge) {
    process.stdout.write(`context tutti in ${await mergeIntoUserKubeconfig(machine.host, path)}\n`);
    return 0;
  }
  if (user === undefined && server === undefined) {
    process.stdout.write(text);
    return 0;
  }
  if (user === undefined) {
    process.stdout.write(text.replace(/^( *server: ).*$/m, `$1${server}`));
    return 0;
  }
  if ((await lockHolder(machine.host, dataDir)) === undefined) {
    throw new CommandError(`A new certificate needs the cluster in ${dataDir} to run; start it first.`);
  }
  const groups = group.flatMap((one) => one.split(',')).filter((one) => one !== '');
  const made = await asAdministrator(machine, { dataDir }, async (administrator) => {
    const credentials = await certificateFor(machine, administrator.client, { user, groups, ttlMs });
    return buildKubeconfig({
      name: 'tutti',
      server: server ?? administrator.server,
      caPem: administrator.authorityPem,
      user: credentials,
    });
  });
  process.stdout.write(made);
  return 0;
}

/** Asks for a client certificate as everybody may, approves it as the administrator, and waits for the signer. */
export async function certificateFor(
  { keys, clock, random }: Pick<Machine, 'keys' | 'clock' | 'random'>,
  client: Client,
  { user, groups, ttlMs }: { readonly user: string; readonly groups: readonly string[]; readonly ttlMs: number },
): Promise<{ readonly certificatePem: string; readonly privateKeyPem: string }> {
  const key = await keys.generateKey(`user ${user}`);
  const request = await keys.createCertificateSigningRequest(key, { commonName: user, organizations: groups });
  const all = client.resource(certificateSigningRequests);
  const name = `tutti-kubeconfig-${random.uuid().slice(0, 13)}`;
  const made = await all.create({
    metadata: { name },
    spec: {
      request: encodeBase64(request),
      signerName: 'kubernetes.io/kube-apiserver-client',
      usages: ['digital signature', 'client auth'],
      expirationSeconds: Math.floor(ttlMs / 1000),
    },
  });
  const conditions = [
    {
      type: 'Approved',
      status: 'True',
      reason: 'TuttiKubeconfig',
      message: 'asked for with "tutti kubeconfig --user"',
    },
  ];
  await all.subresource('approval').update({ ...structuredClone(made), status: { conditions } });
  const end = clock.monotonic() + SIGNED_MS;
  for (;;) {
    const { status } = await all.get(name);
    if (status?.certificate) {
      const certificatePem = new TextDecoder().decode(decodeBase64(status.certificate));
      return { certificatePem, privateKeyPem: key.privateKeyPem() };
    }
    const failed = status?.conditions?.find(({ type }) => type === 'Failed' || type === 'Denied');
    if (failed) throw new CommandError(`The certificate was not made: ${failed.message}.`);
    if (clock.monotonic() > end) {
      throw new CommandError('Nobody signed the certificate in time; do the controllers run? See "kubectl get csr".');
    }
    await clock.sleep(50);
  }
}
