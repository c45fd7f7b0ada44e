// The options of `tutti server`: those of `tutti up` that concern a control plane.

import { DEFAULT_POD_CIDR, DEFAULT_SERVICE_CIDR } from '../compose/cluster-network.ts';
import { CommandError } from '../errors.ts';
import { NODE_COMPONENTS, type UpOptions, upOptions } from './up-options.ts';

export const USAGE = `tutti server: start a control plane that nodes of other machines join, in the foreground
usage: tutti server [options]
It needs no root and no containers. "tutti token create" prints what to run on each node. Several servers may share one
etcd: give each the same --store and the same files pki/ca.*, pki/front-proxy-ca.* and pki/sa.* in its data folder.
  --data-dir DIR         where the cluster lives (default: ~/.tutti)
  --port PORT            of the API server (default 6443; 0: any free one)
  --listen ADDRESS       the API server's address (default 0.0.0.0)
  --node-ip ADDRESS      by which nodes reach this machine (default: its own)
  --tls-san NAME,…       further names and addresses by which nodes and users reach the API server
  --store STORE          lmdb (default) keeps data through everything; memory forgets;
                         etcd://host:port,… is an etcd of yours, v3.5 or later
  --etcd-cafile FILE     with --etcd-certfile and --etcd-keyfile: etcd over TLS
  --history SIZE         keep what was, up to so much (256Mi, 2Gi): see "tutti history --help"
  --pod-cidr CIDR        where pods' addresses come from (default ${DEFAULT_POD_CIDR})
  --service-cidr CIDR    where Services' addresses come from (default ${DEFAULT_SERVICE_CIDR})
  --leader-elect BOOL    let one server work where several share a store (default: true with etcd)
  --node-monitor-grace-period DURATION
                         how long a node may be silent before its pods leave it (default 50s)
  --only NAME,…          start only these of: apiserver controller-manager scheduler
  --audit-policy-file FILE
                         with --audit-log-path: which requests are written down, and how much of each
  --audit-log-path FILE  where they are written, one event a line
  --detach               return once the control plane runs, and leave it running
  --config FILE          read options from a YAML file; what the command line says counts more
  --no-merge-kubeconfig  leave your own kubeconfig alone
  --verbose              log more
  --help                 print this text
examples:
  tutti server
  tutti server --tls-san cluster.example.org --data-dir /srv/tutti
  tutti server --store etcd://10.0.0.5:2379,10.0.0.6:2379
`;

/** `help`, or settings that are complete. Throws `CommandError`. */
export function serverOptions(args: readonly string[]): UpOptions | 'help' {
  const options = upOptions(args, {
    command: 'server',
    components: ['apiserver', 'controller-manager', 'scheduler'],
    listenHost: '0.0.0.0',
  });
  if (options === 'help') return options;
  const part = NODE_COMPONENTS.find((name) => options.wanted.has(name));
  if (part !== undefined || options.simulate !== undefined) {
    throw new CommandError(
      `"tutti server" runs no node (${part ?? '--simulate'}); "tutti up" runs a control plane and a node together.`,
      2,
    );
  }
  return options;
}
