import { join } from 'node:path';
import type { Host } from '../libs/base/host.ts';
import { mergeKubeconfig, parseKubeconfig, removeFromKubeconfig } from '../libs/pki/kubeconfig.ts';

const CONTEXT = 'tutti';

function userKubeconfigPath({ facts: { env, home } }: Host): string {
  return env.KUBECONFIG?.split(':')[0] || join(home, '.kube', 'config');
}

/**
 * Puts the cluster of `adminPath` into the user's own kubeconfig (`$KUBECONFIG`'s first file, else `~/.kube/config`) as
 * context `tutti`, and leaves everything else there as it is. Gives the file's path.
 */
export async function mergeIntoUserKubeconfig(host: Host, adminPath: string): Promise<string> {
  const path = userKubeconfigPath(host);
  const connection = parseKubeconfig(await host.files.readText(adminPath)).connection();
  const pem = (located: { pem: string } | { file: string } | undefined) =>
    located && 'pem' in located ? located.pem : '';
  const entry = {
    name: CONTEXT,
    server: connection.server,
    caPem: pem(connection.ca),
    user: { certificatePem: pem(connection.clientCertificate), privateKeyPem: pem(connection.clientKey) },
  };
  const merged = mergeKubeconfig(await host.files.readTextIfExists(path), entry);
  await host.files.makeDirectory(join(path, '..'));
  await host.files.write(path, merged);
  return path;
}

/** Takes context `tutti` out again, where it is that of the cluster of `adminPath`; another cluster's stays. */
export async function removeFromUserKubeconfig(host: Host, adminPath: string): Promise<void> {
  const path = userKubeconfigPath(host);
  const [theirs, admin] = await Promise.all([
    host.files.readTextIfExists(path),
    host.files.readTextIfExists(adminPath),
  ]);
  if (theirs === undefined || admin === undefined) return;
  const authorityOf = (text: string, context?: string): string | undefined => {
    try {
      const { ca } = parseKubeconfig(text).connection(context);
      return ca && 'pem' in ca ? ca.pem : undefined;
    } catch {
      return undefined;
    }
  };
  const ours = authorityOf(admin);
  if (ours === undefined || authorityOf(theirs, CONTEXT) !== ours) return;
  await host.files.write(path, removeFromKubeconfig(theirs, CONTEXT));
}
