import { NodeConnector } from '../control-plane/apiserver/connect/node-connector.ts';
import { serve } from '../control-plane/apiserver/serve/serve.ts';
import type { ApiServer } from '../control-plane/apiserver/server.ts';
import type { Issuer } from '../libs/base/keys.ts';
import type { Logger } from '../libs/base/log.ts';
import { RealClock } from '../libs/base/node/real-clock.ts';
import type { Random } from '../libs/base/random.ts';
import { buildKubeconfig } from '../libs/pki/kubeconfig.ts';
import type { SimulatedConnector } from './nodes/connector.ts';
import { KubeletServers } from './nodes/kubelet-servers.ts';
import type { SimulatedNodes } from './simulated-nodes.ts';

export interface Endpoint {
  readonly url: string;
  readonly kubeconfig: string;
  close(): Promise<void>;
}

export interface EndpointOptions {
  readonly handle: ApiServer['handle'];
  readonly authority: Issuer;
  /** Makes a certificate of the cluster's authority. */
  issue(purpose: 'server' | 'client', name: string, groups: readonly string[], ips: readonly string[]): Promise<Issuer>;
  readonly random: Random;
  readonly log: Logger;
  /** Default: any free one. */
  readonly port?: number;
  /** Where there are nodes: logs, exec and port-forward lead to them. */
  readonly nodes?: { readonly nodes: SimulatedNodes; readonly connector: SimulatedConnector };
}

/** A real TLS endpoint of a simulated cluster, on loopback, for `kubectl` and clients in any language. */
export async function openEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const { authority, issue, log, handle } = options;
  const serving = await issue('server', 'kube-apiserver', [], ['127.0.0.1']);
  const admin = await issue('client', 'admin', ['system:masters'], []);
  const kubelets = options.nodes && (await nodeConnections(options, options.nodes));
  const listener = await serve({
    host: '127.0.0.1',
    port: options.port ?? 0,
    // A cluster that is forgotten must not keep a test's process alive.
    keepAlive: false,
    tls: {
      certificatePem: serving.certificatePem,
      privateKeyPem: serving.key.privateKeyPem(),
      clientAuthoritiesPem: authority.certificatePem,
    },
    // Sockets live in the machine's time, whatever the cluster's is.
    clock: new RealClock(),
    random: options.random.fork('serve'),
    log: log.child('serve'),
    handle,
    ...(kubelets ? { upgrade: kubelets.connector.upgradeHook(handle) } : {}),
  });
  const url = `https://127.0.0.1:${listener.port}`;
  const user = { certificatePem: admin.certificatePem, privateKeyPem: admin.key.privateKeyPem() };
  return {
    url,
    kubeconfig: buildKubeconfig({ name: 'tutti-test', server: url, caPem: authority.certificatePem, user }),
    async close() {
      await listener.close(1000);
      await kubelets?.servers.stop();
    },
  };
}

async function nodeConnections(
  { authority, issue, log }: EndpointOptions,
  { nodes, connector }: NonNullable<EndpointOptions['nodes']>,
) {
  const client = await issue('client', 'kube-apiserver-kubelet-client', ['system:masters'], []);
  const servers = new KubeletServers(nodes, async ({ name, ip }) => {
    const own = await issue('server', `system:node:${name}`, ['system:nodes'], [ip]);
    return {
      certificatePem: own.certificatePem,
      privateKeyPem: own.key.privateKeyPem(),
      clientAuthoritiesPem: authority.certificatePem,
    };
  });
  const upgrades = new NodeConnector({
    kubeletClient: { certificatePem: client.certificatePem, privateKeyPem: client.key.privateKeyPem() },
    kubeletAuthorityPem: authority.certificatePem,
    log: log.child('connector'),
    sockets: { connect: (target) => servers.connect(target as { host: string; port: number }) },
  });
  connector.upgrades = upgrades;
  return { connector: upgrades, servers };
}
