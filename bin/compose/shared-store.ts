import { configMaps } from '../../api/resources.ts';
import { objectKey } from '../../control-plane/apiserver/cache/keys.ts';
import type { Store } from '../../control-plane/store/store.ts';
import { decodeBase64 } from '../../libs/base/base64.ts';
import type { Keys, PublicKey } from '../../libs/base/keys.ts';
import { CommandError } from '../errors.ts';

const CLUSTER_INFO = objectKey(configMaps, 'kube-public', 'cluster-info');

/**
 * A store that several servers share holds one cluster: who has another authority, or other keys, would break it for the
 * others. Throws `CommandError` where the store's cluster is not that of `authority`; one that is empty is anybody's.
 */
export async function requireSameCluster(store: Store, keys: Keys, authority: PublicKey): Promise<void> {
  const entry = await store.get(CLUSTER_INFO);
  if (!entry) return;
  const encoded = /certificate-authority-data: *([A-Za-z0-9+/=]+)/.exec(new TextDecoder().decode(entry.value))?.[1];
  const pem = encoded && decodeBase64(encoded);
  if (!pem || keys.importPublicKey(new TextDecoder().decode(pem)).keyId === authority.keyId) return;
  await store.close();
  throw new CommandError(
    'The etcd holds a cluster of another authority; copy pki/ca.*, pki/front-proxy-ca.* and pki/sa.* from its first server, or from a backup, into this data folder.',
  );
}
