// How a machine becomes a node of a cluster elsewhere: who the cluster is, a certificate of the node's own, what it must know.

import { configMaps, nodes } from '../../api/resources.ts';
import { formatTime } from '../../libs/base/clock.ts';
import { createClient } from '../../libs/client/client.ts';
import { type HttpsTransport, httpsTransport } from '../../libs/client/node/https-transport.ts';
import type { Transport } from '../../libs/client/transport.ts';
import { type Client, TransportError } from '../../libs/kind/client.ts';
import { ApiError, isForbidden, isNotFound, isUnauthorized } from '../../libs/machinery/errors.ts';
import { parseKubeconfig } from '../../libs/pki/kubeconfig.ts';
import { nodeSubject } from '../../node/kubelet/certificates/plan.ts';
import { CertificateRotation } from '../../node/kubelet/certificates/rotation.ts';
import type { KubeletTls } from '../../node/kubelet/server/server.ts';
import { CommandError } from '../errors.ts';
import { type JoinToken, pinOf } from '../join-token.ts';
import type { Machine } from './apiserver.ts';
import type { ClusterNetworks } from './cluster-network.ts';
import { componentMetrics } from './component-metrics.ts';
import { DNS_PORT_ANNOTATION, NODE_CONFIG, networksOfConfig } from './joined-nodes.ts';
import type { NodeAccess } from './node-access.ts';

export interface JoinSettings {
  /** `https://10.0.0.1:6443`. Undefined: as at the last start on this folder. */
  readonly server?: string;
  /** Undefined where the node has its certificate already. */
  readonly token?: JoinToken;
  readonly dataDir: string;
  readonly nodeName: string;
  readonly nodeIp: string;
  /** Gives up. */
  readonly signal: AbortSignal;
}

export interface Joined extends AsyncDisposable {
  readonly server: string;
  readonly networks: ClusterNetworks;
  readonly access: NodeAccess;
}

/** What is kept of a cluster that was joined, in `<data>/cluster.json`. */
interface KnownCluster {
  readonly server: string;
  readonly authorityPem: string;
  readonly nodeName: string;
}

/** A server that starts at the same time may take a while to know its own objects. */
const PATIENCE_MS = 30_000;
const RETRY_MS = 500;
const USER_AGENT = 'tutti-agent';

/**
 * Joins, or comes back. Resolves when this machine has a certificate of its own and knows the cluster's networks. The
 * server is believed only when the authority it names has the key that the token pins; later only when its certificate
 * is of that authority. Throws `CommandError` with what is wrong.
 */
export async function joinCluster(machine: Machine, settings: JoinSettings): Promise<Joined> {
  const { host, clock, random, keys, log } = machine;
  const { dataDir, nodeName } = settings;
  const file = `${dataDir}/cluster.json`;
  const known = knownOf(await host.files.readTextIfExists(file));
  if (known && known.nodeName !== nodeName) {
    throw new CommandError(
      `${dataDir} belongs to node ${known.nodeName}, and this one is ${nodeName}: give --node-name ${known.nodeName}, or another --data-dir.`,
    );
  }
  const server = settings.server ?? known?.server;
  if (server === undefined) {
    throw new CommandError(
      'This machine has joined no cluster yet; give --server and --token, as "tutti token create" prints them.',
      2,
    );
  }
  const { token } = settings;
  if (!known && !token) {
    throw new CommandError(
      'To join, a token is wanted: "tutti token create" on the server prints the whole command.',
      2,
    );
  }
  // A token says which cluster: with another one's, what is kept here is of no use.
  const authorityPem =
    known && (!token || pinOf(keys, known.authorityPem) === token.authorityPin)
      ? known.authorityPem
      : await learnAuthority(machine, server, token!);
  const resources = new AsyncDisposableStack();
  try {
    const bootstrap = transportOf(machine, server, authorityPem, { token: () => token?.bootstrapToken });
    resources.defer(() => bootstrap.close());
    const rotation = new CertificateRotation({
      purpose: 'client',
      client: (held) => clientOver(machine, held ? own : bootstrap, 'kubelet'),
      wanted: () => ({ subject: nodeSubject(nodeName), names: {} }),
      files: host.files,
      keys,
      clock,
      random: random.fork('client certificate'),
      log: log.child('certificates'),
      folder: `${dataDir}/pki`,
    });
    const own: HttpsTransport = transportOf(machine, server, authorityPem, { certificate: () => rotation.current });
    resources.defer(() => own.close());
    const isNew = !(await host.files.statIfExists(rotation.currentPath));
    if (isNew && token) await askedFor(machine, settings, clientOver(machine, bootstrap, USER_AGENT), server);
    if (isNew && !token) {
      throw new CommandError(`${dataDir} has no certificate of this node; join anew with --token.`, 2);
    }
    await rotation.start();
    resources.defer(() => rotation.stop());
    const overMs = rotation.current?.parsed.notAfterMs;
    if (!token && overMs !== undefined && overMs <= clock.now()) {
      throw new CommandError(
        `The certificate of node ${nodeName} has expired at ${formatTime(overMs)}; join anew with --token, or set this machine's clock, which says ${formatTime(clock.now())}.`,
      );
    }
    await obtained(machine, rotation, server, settings.signal);
    resources.use(rotation.on(() => own.renew()));
    const kubelet = clientOver(machine, own, 'kubelet');
    const networks = await networksOf(machine, kubelet, settings, server);
    const kept: KnownCluster = { server, authorityPem, nodeName };
    await host.files.write(file, `${JSON.stringify(kept)}\n`, { mode: 0o600 });
    const access = remoteAccess(machine, { own, server, authorityPem, settings });
    const disposables = resources.move();
    return { server, networks, access, [Symbol.asyncDispose]: () => disposables.disposeAsync() };
  } catch (error) {
    await resources.disposeAsync();
    throw explain(machine, server, error);
  }
}

function knownOf(text: string | undefined): KnownCluster | undefined {
  if (text === undefined) return undefined;
  try {
    const { server, authorityPem, nodeName } = JSON.parse(text) as Partial<KnownCluster>;
    return server && authorityPem && nodeName ? { server, authorityPem, nodeName } : undefined;
  } catch {
    return undefined;
  }
}

/** Asks a server that nobody vouches for yet who its authority is, and believes it only by the token's pin. */
async function learnAuthority(machine: Machine, server: string, token: JoinToken): Promise<string> {
  const transport = httpsTransport({ server, insecureSkipTlsVerify: true, clock: machine.clock });
  try {
    const client = clientOver(machine, transport, USER_AGENT);
    const info = await client.resource(configMaps).namespace('kube-public').get('cluster-info');
    const kubeconfig = parseClusterInfo(info.data?.['kubeconfig'] ?? '');
    if (kubeconfig === undefined) {
      throw new CommandError(
        `${server} does not say who its cluster is; is it a server of Tutti's, of the same version?`,
      );
    }
    if (pinOf(machine.keys, kubeconfig) !== token.authorityPin) {
      throw new CommandError(
        `${server} is not the cluster that the token is for: its authority has another key; look at --server, and make a new token there.`,
      );
    }
    return kubeconfig;
  } catch (error) {
    throw explain(machine, server, error);
  } finally {
    await transport.close();
  }
}

/** The authority in `cluster-info`, which names a cluster and no user. */
function parseClusterInfo(text: string): string | undefined {
  const entry = /certificate-authority-data: *([A-Za-z0-9+/=]+)/.exec(text)?.[1];
  if (entry === undefined) return undefined;
  const config = parseKubeconfig(
    JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: 'https://c', 'certificate-authority-data': entry } }],
      contexts: [{ name: 'c', context: { cluster: 'c' } }],
      'current-context': 'c',
    }),
  );
  const { ca } = config.connection();
  return ca && 'pem' in ca ? ca.pem : undefined;
}

/** Another machine's node must not be taken over by a mistake in a name. */
async function askedFor(machine: Machine, { nodeName }: JoinSettings, client: Client, server: string): Promise<void> {
  const found = await client
    .resource(nodes)
    .get(nodeName)
    .catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      if (isUnauthorized(error)) {
        throw new CommandError(
          `${server} does not know the token, or no longer: make a new one there with "tutti token create".`,
        );
      }
      throw explain(machine, server, error);
    });
  if (found?.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True') {
    throw new CommandError(
      `The cluster has a node ${nodeName} already, and it is ready; give this one another --node-name, or remove that one ("tutti node remove ${nodeName}").`,
    );
  }
}

async function obtained(
  { clock }: Machine,
  rotation: CertificateRotation,
  server: string,
  signal: AbortSignal,
): Promise<void> {
  const late = new AbortController();
  const timer = clock.setTimer(
    () =>
      late.abort(
        new CommandError(
          `Nobody at ${server} signed this node's certificate within ${PATIENCE_MS / 1000} s; do its controllers run? See "kubectl get csr".`,
        ),
      ),
    PATIENCE_MS,
  );
  try {
    await rotation.obtained(AbortSignal.any([late.signal, signal]));
  } finally {
    timer.cancel();
  }
}

async function networksOf(
  { clock }: Machine,
  client: Client,
  { nodeName, signal }: JoinSettings,
  server: string,
): Promise<ClusterNetworks> {
  const end = clock.monotonic() + PATIENCE_MS;
  for (;;) {
    try {
      const { data } = await client.resource(configMaps).namespace('kube-system').get(NODE_CONFIG);
      const networks = networksOfConfig(data);
      if (networks) return networks;
      throw new CommandError(`${server} does not tell its networks; is it a server of Tutti's, of the same version?`);
    } catch (error) {
      if (isUnauthorized(error)) {
        throw new CommandError(
          `${server} does not accept the certificate of node ${nodeName}; was the cluster made anew? Remove this machine's data ("tutti reset") and join again.`,
        );
      }
      const soon = isNotFound(error) || isForbidden(error) || error instanceof TransportError;
      if (!soon || clock.monotonic() > end) throw error;
      await clock.sleep(RETRY_MS, signal);
    }
  }
}

function remoteAccess(
  machine: Machine,
  at: {
    readonly own: HttpsTransport;
    readonly server: string;
    readonly authorityPem: string;
    readonly settings: JoinSettings;
  },
): NodeAccess {
  const { own, server, settings, authorityPem } = at;
  const { nodeName, nodeIp, dataDir, signal } = settings;
  const [counting, proxy] = [
    componentMetrics(machine, new URL(server).host),
    componentMetrics(machine, new URL(server).host),
  ];
  const kubelet = clientOver(machine, counting.observed(own), 'kubelet');
  return {
    machine,
    kubelet,
    proxy: clientOver(machine, proxy.observed(own), 'kube-proxy'),
    metrics: { kubelet: counting.metrics, proxy: proxy.metrics },
    dns: async () => clientOver(machine, own, 'tutti-dns'),
    async tellDns(port) {
      // The Node may not be there yet: the kubelet makes it, and neither waits for the other.
      const patch = { metadata: { annotations: { [DNS_PORT_ANNOTATION]: String(port) } } };
      const end = machine.clock.monotonic() + PATIENCE_MS;
      for (;;) {
        try {
          await kubelet.resource(nodes).patch(nodeName, patch, { type: 'merge' });
          return;
        } catch (error) {
          if (!isNotFound(error) || machine.clock.monotonic() > end) throw error;
          await machine.clock.sleep(RETRY_MS / 5, signal);
        }
      }
    },
    async keepServing(use) {
      const { host, clock, random, keys, log } = machine;
      const rotation = new CertificateRotation({
        purpose: 'serving',
        client: () => kubelet,
        wanted: () => ({ subject: nodeSubject(nodeName), names: { ip: [nodeIp], dns: [nodeName] } }),
        files: host.files,
        keys,
        clock,
        random: random.fork('serving certificate'),
        log: log.child('certificates'),
        folder: `${dataDir}/pki`,
      });
      await rotation.start();
      const tlsOf = ({
        certificatePem,
        privateKeyPem,
      }: {
        certificatePem: string;
        privateKeyPem: string;
      }): KubeletTls => ({
        certificatePem,
        privateKeyPem,
        clientAuthoritiesPem: authorityPem,
      });
      try {
        await obtained(machine, rotation, server, signal);
        await use(tlsOf(rotation.current!));
      } catch (error) {
        await rotation.stop();
        throw error;
      }
      rotation.on((pair) => {
        use(tlsOf(pair)).catch((error: unknown) => log.error('a new serving certificate is not used', { error }));
      });
      return { [Symbol.asyncDispose]: () => rotation.stop() };
    },
  };
}

function transportOf(
  { clock }: Machine,
  server: string,
  caPem: string,
  credentials: Pick<Parameters<typeof httpsTransport>[0], 'token' | 'certificate'>,
): HttpsTransport {
  return httpsTransport({ server, caPem, clock, ...credentials });
}

const clientOver = ({ clock }: Machine, transport: Transport, userAgent: string): Client =>
  createClient(transport, { userAgent, clock });

/** Makes a sentence of what can go wrong between two machines; other errors stay as they are. */
export function explain({ clock }: Pick<Machine, 'clock'>, server: string, error: unknown): unknown {
  if (error instanceof TransportError) {
    const { code, message } = (error.cause ?? error) as { code?: string; message: string };
    switch (code) {
      case 'ERR_TLS_CERT_ALTNAME_INVALID':
        return new CommandError(
          `The certificate of ${server} does not name that address; use another of the server's, or start the server with --tls-san ${new URL(server).hostname}.`,
        );
      case 'CERT_NOT_YET_VALID':
      case 'CERT_HAS_EXPIRED':
        return new CommandError(
          `The certificate of ${server} is not valid now, and this machine's clock says ${formatTime(clock.now())}; set the clocks of both machines.`,
        );
      case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      case 'SELF_SIGNED_CERT_IN_CHAIN':
      case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      case 'CERT_SIGNATURE_FAILURE':
        return new CommandError(
          `${server} is not the cluster that this machine joined: its certificate is of another authority; "tutti reset" forgets that cluster.`,
        );
      case 'ENOTFOUND':
      case 'EAI_AGAIN':
        return new CommandError(
          `${new URL(server).hostname} cannot be resolved; give the server's address, or mend DNS.`,
        );
      default:
        return new CommandError(
          `No API server answers at ${server} (${code ?? message}); does it run, does it listen on that address, and is its port open?`,
        );
    }
  }
  if (error instanceof ApiError && isUnauthorized(error)) {
    return new CommandError(`${server} does not accept this machine's credentials; join anew with a new --token.`);
  }
  return error;
}
