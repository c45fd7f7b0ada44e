import { join } from 'node:path';
import type { Host } from '../libs/base/host.ts';
import { mergeKubeconfig, parseKubeconfig } from '../libs/pki/kubeconfig.ts';

/**
 * Puts the cluster of `adminPath` into the user's own kubeconfig (`$KUBECONFIG`'s first file, else `~/.kube/config`) as
 * context `tutti`, and leaves everything else there as it is. Gives the file's path.
 */
export async function mergeIntoUserKubeconfig(host: Host, adminPath: string): Promise<string> {
  const { env, home } = host.facts;
  const path = env.KUBECONFIG?.split(':')[0] || join(home, '.kube', 'config');
  const connection = parseKubeconfig(await host.files.readText(adminPath)).connection();
  const pem = (located: { pem: string } | { file: string } | undefined) =>
    located && 'pem' in located ? located.pem : '';
  const entry = {
    name: 'tutti',
    server: connection.server,
    caPem: pem(connection.ca),
    user: { certificatePem: pem(connection.clientCertificate), privateKeyPem: pem(connection.clientKey) },
  };
  const merged = mergeKubeconfig(await host.files.readTextIfExists(path), entry);
  await host.files.makeDirectory(join(path, '..'));
  await host.files.write(path, merged);
  return path;
}
