// Puts the API server together: store, credentials, the server, its sockets.

import process from 'node:process';
import { HeldTokens } from '../../control-plane/apiserver/authn/held-tokens.ts';
import { httpsAggregation } from '../../control-plane/apiserver/connect/aggregation-transport.ts';
import { NodeConnector } from '../../control-plane/apiserver/connect/node-connector.ts';
import { httpsWebhooks } from '../../control-plane/apiserver/connect/webhook-transport.ts';
import { createDefaultServer } from '../../control-plane/apiserver/default-server.ts';
import type { Connector } from '../../control-plane/apiserver/registry/engine.ts';
import { type ServeOptions, type Serving, serve, type TlsMaterial } from '../../control-plane/apiserver/serve/serve.ts';
import type { ApiServer } from '../../control-plane/apiserver/server.ts';
import type { ServiceRouting } from '../../control-plane/apiserver/service-resolver.ts';
import type { StoreWithHistory } from '../../control-plane/store/kept-history.ts';
import type { Store } from '../../control-plane/store/store.ts';
import type { Clock } from '../../libs/base/clock.ts';
import type { Host, Sockets } from '../../libs/base/host.ts';
import type { Keys } from '../../libs/base/keys.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Random } from '../../libs/base/random.ts';
import { parseIp } from '../../libs/machinery/ip.ts';
import { type ClusterPki, type ClusterPkiOptions, ensureClusterPki } from '../../libs/pki/cluster-pki.ts';
import { keepRenewed } from '../../libs/pki/keep-renewed.ts';
import { buildKubeconfig } from '../../libs/pki/kubeconfig.ts';
import { CommandError } from '../errors.ts';
import {
  type ClusterNetworks,
  clusterNetworks,
  DEFAULT_POD_CIDR,
  DEFAULT_SERVICE_CIDR,
  ownAddress,
} from './cluster-network.ts';
import { componentFacts } from './component-metrics.ts';
import { publishedDescriptions } from './descriptions.ts';
import type { HistoryEndpoint } from './history.ts';
import { requireSameCluster } from './shared-store.ts';

/** The machine, as the command hands it to everything it starts. */
export interface Machine {
  readonly host: Host;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
}

export interface ApiServerSettings {
  readonly dataDir: string;
  /** `lmdb`, `memory`, or `etcd://host:port,…`. */
  readonly store: string;
  /** How to reach an etcd that speaks TLS: PEM files. */
  readonly etcdTls?: { readonly caFile: string; readonly certFile: string; readonly keyFile: string };
  readonly listenHost: string;
  readonly port: number;
  /** Default: `DEFAULT_POD_CIDR` and `DEFAULT_SERVICE_CIDR`. */
  readonly networks?: ClusterNetworks;
  /** The node of this machine, which gets a certificate. */
  readonly nodeName?: string;
  /** The address at which nodes and pods reach this machine; default: its own. */
  readonly advertiseAddress?: string;
  /** Further names and addresses by which it is reached. */
  readonly tlsSans?: readonly string[];
  /** Where connections to nodes are made; default: this machine's network. */
  readonly nodeSockets?: Pick<Sockets, 'connect'>;
  /** How webhooks and extension servers are reached; default `clusterIP`: a kube-proxy runs on this machine. */
  readonly serviceRouting?: ServiceRouting;
  /** What reaches nodes, pods and services, over what carries their streams; default: that alone. */
  readonly connectorOver?: (upgrades: Connector) => Connector;
  /** How much of what was is kept, in bytes, to be looked at below `/history`; default: what watches need, and no times. */
  readonly historyBytes?: number;
  /** Which requests are told of, by an audit policy in YAML, and in which file. */
  readonly audit?: { readonly policyFile: string; readonly logPath: string };
  /** Whether a part of the control plane beside it works in this process, for `kubectl get componentstatuses`. */
  readonly works?: (component: 'controller-manager' | 'scheduler') => boolean;
}

/**
 * Who may run is for priority and fairness to say, which lets requests wait; these bound what waits with its body in
 * memory.
 */
const LIMITS = { mutatingInFlightMax: 1000, readingInFlightMax: 4000 };

/** How long answers about components may still take once they end. */
const LAST_ANSWERS_MS = 1000;

export interface RunningApiServer extends AsyncDisposable {
  readonly server: ApiServer;
  readonly serving: Serving;
  readonly pki: ClusterPki;
  /** For components of this process that are service accounts. */
  readonly heldTokens: HeldTokens;
  readonly url: string;
  /** The administrator's, 0600. */
  readonly kubeconfigPath: string;
  /** Serves something of this process's own on a port of the loopback, with the same certificate, until it is disposed. */
  serveBeside(port: number, handle: ServeOptions['handle']): Promise<AsyncDisposable>;
}

/** Starts it; resolves when it answers. Disposing stops it: watches end, requests finish, the store closes. */
export async function startApiServer(machine: Machine, settings: ApiServerSettings): Promise<RunningApiServer> {
  const { host, clock, random, keys, log } = machine;
  const { tlsSans: sans = [], networks = clusterNetworks(DEFAULT_POD_CIDR, DEFAULT_SERVICE_CIDR) } = settings;
  await host.files.makeDirectory(settings.dataDir);
  const port = settings.port || (await freePort(host, settings.listenHost));
  const addresses = [...new Set(host.facts.addresses().map(({ address }) => address))].filter((a) => !a.includes('%'));
  const wanted: ClusterPkiOptions = {
    dir: settings.dataDir,
    names: {
      dns: [host.facts.hostname, ...sans.filter((text) => !parseIp(text))],
      ip: [...new Set([...addresses, ...sans.filter((text) => parseIp(text))])],
    },
    serviceIps: [networks.apiServerIp],
    ...(settings.nodeName ? { nodeName: settings.nodeName } : {}),
  };
  const [pki, store] = await Promise.all([
    ensureClusterPki(host.files, keys, clock, wanted),
    openStore(machine, settings),
  ]);
  if (settings.store.startsWith('etcd://')) await requireSameCluster(store, keys, pki.ca.key);
  const everywhere = settings.listenHost === '0.0.0.0';
  const advertised = everywhere ? '127.0.0.1' : settings.listenHost;
  const advertiseAddress = settings.advertiseAddress ?? ownAddress(host.facts);
  const heldTokens = new HeldTokens(keys);
  const connector = new NodeConnector({
    kubeletClient: {
      // Asked for at each connection: it is renewed while the process runs.
      get certificatePem() {
        return pki.apiserverKubeletClient.certificatePem;
      },
      get privateKeyPem() {
        return pki.apiserverKubeletClient.key.privateKeyPem();
      },
    },
    kubeletAuthorityPem: pki.ca.certificatePem,
    log: log.child('connect'),
    ...(settings.nodeSockets && { sockets: settings.nodeSockets }),
  });
  const { audit } = settings;
  let history: HistoryEndpoint | undefined;
  if (hasHistory(store) && settings.historyBytes !== undefined) {
    // Loaded where it is asked for: it brings what a cluster of the past is made of.
    const { HistoryEndpoint } = await import('./history.ts');
    history = new HistoryEndpoint(store, clock);
  }
  const audited = audit && (await openAudit(machine, audit));
  const facts = componentFacts(machine);
  const server = createDefaultServer({
    ...(audited && { audit: audited.hook }),
    store,
    ...(history && { endpoints: [history] }),
    clock,
    random,
    keys,
    log: log.child('apiserver'),
    clientAuthorityPem: pki.ca.certificatePem,
    requestHeader: { authorityPem: pki.frontProxyCa.certificatePem, allowedNames: ['front-proxy-client'] },
    serviceAccountKey: pki.serviceAccountKey,
    authenticators: [heldTokens.authenticator()],
    // Who is told it may be a pod, to which this machine's loopback is its own.
    serverAddress: `${(everywhere && advertiseAddress) || advertised}:${port}`,
    advertiseAddress,
    serviceCidrs: networks.serviceCidrs,
    platform: `${host.facts.platform}/${host.facts.architecture}`,
    runtime: process.version,
    flags: {
      'advertise-address': settings.advertiseAddress ?? ownAddress(host.facts) ?? '',
      'bind-address': settings.listenHost,
      'data-dir': settings.dataDir,
      'secure-port': String(port),
      'service-cluster-ip-range': networks.serviceCidrs.join(','),
      store: settings.store,
      ...(settings.historyBytes !== undefined && { history: String(settings.historyBytes) }),
      ...(settings.audit && {
        'audit-policy-file': settings.audit.policyFile,
        'audit-log-path': settings.audit.logPath,
      }),
    },
    servingNotAfterMs: () => keys.parseCertificate(pki.apiserver.certificatePem).notAfterMs,
    identity: {
      name: `apiserver-${hexOf(keys.digest('sha256', `${host.facts.hostname}:${port}`)).slice(0, 26)}`,
      holder: `apiserver_${random.uuid()}`,
      hostname: host.facts.hostname,
    },
    process: facts.process,
    features: facts.features,
    componentChecks: (['scheduler', 'controller-manager'] as const).map((name) => ({
      name,
      check() {
        if (!settings.works?.(name)) throw new Error('it does not run in this process');
      },
    })),
    describe: publishedDescriptions(),
    connector: settings.connectorOver?.(connector) ?? connector,
    webhooks: httpsWebhooks(host.sockets),
    serviceRouting: settings.serviceRouting ?? 'clusterIP',
    aggregation: httpsAggregation({
      sockets: host.sockets,
      upgrades: connector.upgrades,
      identity: () => ({
        certificatePem: pki.frontProxyClient.certificatePem,
        privateKeyPem: pki.frontProxyClient.key.privateKeyPem(),
      }),
    }),
  });
  await server.start();
  const handle = server.handle.bind(server);
  const serving = await serve({
    host: settings.listenHost,
    port,
    tls: tlsOf(pki),
    clock,
    random,
    log: log.child('serve'),
    limits: LIMITS,
    handle,
    upgrade: connector.upgradeHook(handle, (path) => server.isElsewhere(path)),
  });
  const beside = new Set<Serving>();
  const url = `https://${advertised}:${serving.port}`;
  const kubeconfigPath = `${settings.dataDir}/admin.kubeconfig`;
  const writeKubeconfig = () => {
    const user = { certificatePem: pki.admin.certificatePem, privateKeyPem: pki.admin.key.privateKeyPem() };
    const text = buildKubeconfig({ name: 'tutti', server: url, caPem: pki.ca.certificatePem, user });
    return host.files.write(kubeconfigPath, text);
  };
  await writeKubeconfig();
  const keeping = keepRenewed({
    files: host.files,
    keys,
    clock,
    log: log.child('pki'),
    pki: wanted,
    current: pki,
    async renewed(now) {
      // Whoever holds the PKI of this server has the new certificates with it.
      Object.assign(pki, now);
      for (const one of [serving, ...beside]) one.renew(tlsOf(pki));
      await writeKubeconfig();
    },
  });
  return {
    server,
    serving,
    pki,
    heldTokens,
    url,
    kubeconfigPath,
    async serveBeside(besidePort, handleBeside) {
      const one = await serve({
        host: '127.0.0.1',
        port: besidePort,
        tls: tlsOf(pki),
        clock,
        random,
        log: log.child('serve'),
        limits: LIMITS,
        handle: handleBeside,
      });
      beside.add(one);
      return {
        async [Symbol.asyncDispose]() {
          beside.delete(one);
          await one.close(LAST_ANSWERS_MS);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      keeping[Symbol.dispose]();
      server.shutDown();
      await serving.close(5000);
      await history?.[Symbol.asyncDispose]();
      await server.stop();
      await audited?.log.close();
      await store.close();
    },
  };
}

const hexOf = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

function tlsOf({ apiserver, ca, frontProxyCa }: ClusterPki): TlsMaterial {
  return {
    certificatePem: apiserver.certificatePem,
    privateKeyPem: apiserver.key.privateKeyPem(),
    clientAuthoritiesPem: `${ca.certificatePem}${frontProxyCa.certificatePem}`,
  };
}

/** A port that nobody listens on: the cluster's own objects tell it, so it must be known before the listener is up. */
async function freePort(host: Host, address: string): Promise<number> {
  await using listener = await host.sockets.listen({ host: address, port: 0 }, (connection) => connection.destroy());
  return listener.port;
}

async function openStore(machine: Machine, settings: ApiServerSettings): Promise<Store> {
  const { host, clock, random } = machine;
  if (settings.store === 'memory') {
    const { MemoryStore } = await import('../../control-plane/store/drivers/memory/memory-store.ts');
    const store = new MemoryStore({ clock, random });
    return store;
  }
  if (settings.store.startsWith('etcd://')) {
    const [{ EtcdStore }, { dialEtcd }] = await Promise.all([
      import('../../control-plane/store/drivers/etcd/etcd-store.ts'),
      import('../../control-plane/store/drivers/etcd/dial/dial.ts'),
    ]);
    const { etcdTls } = settings;
    const read = (path: string) => host.files.readText(path);
    const tls = etcdTls && {
      ca: await read(etcdTls.caFile),
      cert: await read(etcdTls.certFile),
      key: await read(etcdTls.keyFile),
    };
    const endpoints = settings.store
      .slice('etcd://'.length)
      .split(',')
      .map((endpoint) => `${tls ? 'https' : 'http'}://${endpoint}`);
    return EtcdStore.open({ channels: dialEtcd(endpoints, { clock, ...(tls ? { tls } : {}) }), clock, random });
  }
  const { LmdbStore } = await import('../../control-plane/store/drivers/lmdb/lmdb-store.ts');
  const { historyBytes } = settings;
  const history = historyBytes !== undefined && {
    historyBytesMax: historyBytes,
    historyEventsMax: Number.POSITIVE_INFINITY,
    keepTimes: true,
  };
  return LmdbStore.open({ host, clock, random, directory: `${settings.dataDir}/store`, ...history });
}

const hasHistory = (store: Store): store is StoreWithHistory => 'history' in store;

/** What audits is loaded where it is asked for. */
async function openAudit({ host: { files }, log }: Machine, audit: NonNullable<ApiServerSettings['audit']>) {
  const { AuditLog } = await import('../../control-plane/apiserver/audit/audit-log.ts');
  const { auditLines } = await import('../../control-plane/apiserver/audit/events.ts');
  const { parseAuditPolicy } = await import('../../control-plane/apiserver/audit/policy.ts');
  try {
    const policy = parseAuditPolicy(await files.readText(audit.policyFile));
    const auditLog = new AuditLog(files, audit.logPath, log.child('audit'));
    return { hook: auditLines(policy, (line) => auditLog.write(line)), log: auditLog };
  } catch (error) {
    throw new CommandError(
      `--audit-policy-file ${audit.policyFile} cannot be used: ${(error as Error).message.split('\n')[0]}.`,
    );
  }
}
