// The components that are clients of the API server, each as its own user, over the transport of the same process.

import { ACCOUNT as LOCAL_PATH_ACCOUNT } from '../../addons/local-path/names.ts';
import { startLocalPath } from '../../addons/local-path/provisioner.ts';
import { type HeldTokens, serviceAccountUser } from '../../control-plane/apiserver/authn/held-tokens.ts';
import { inProcessTransport } from '../../control-plane/apiserver/in-process.ts';
import type { ApiServer } from '../../control-plane/apiserver/server.ts';
import { startControllerManager } from '../../control-plane/controller-manager/controller-manager.ts';
import { runScheduler } from '../../control-plane/scheduler/run-scheduler.ts';
import type { RunningScheduler } from '../../control-plane/scheduler/start-scheduler.ts';
import { decodePem } from '../../libs/base/x509/pem.ts';
import { createClient } from '../../libs/client/client.ts';
import { createInformers } from '../../libs/client/informers.ts';
import type { Client } from '../../libs/kind/client.ts';
import type { ClusterPki } from '../../libs/pki/cluster-pki.ts';
import type { Machine } from './apiserver.ts';
import type { ClusterNetworks } from './cluster-network.ts';
import { type ComponentMetrics, componentMetrics, featureGates } from './component-metrics.ts';
import { type ServeBeside, serveComponent } from './component-server.ts';
import { whileLeading } from './leading.ts';

/** The names that `--only` takes; each can be left to its upstream counterpart. */
export const COMPONENTS = ['apiserver', 'controller-manager', 'scheduler', 'kubelet', 'kube-proxy', 'dns'] as const;
export type ComponentName = (typeof COMPONENTS)[number];

/** What a control plane's own components may be told. */
export interface ControlSettings {
  readonly networks: ClusterNetworks;
  /** How long a node may be silent; default: upstream's. */
  readonly nodeMonitorGraceMs?: number;
  /** This server among several that share a store: components work only while it leads. Undefined: there is one. */
  readonly identity?: string;
}

export interface Around {
  readonly machine: Machine;
  readonly server: ApiServer;
  readonly pki: ClusterPki;
  readonly heldTokens: HeldTokens;
  /** Where the API server is reached, `https://127.0.0.1:6443`; undefined: only in this process. */
  readonly url?: string;
  /** How components are asked how they are; undefined: nobody asks. */
  readonly serveBeside?: ServeBeside;
}

/** A client of the server in this process, with a certificate as on the wire; `certificate` says which it is now, in PEM. */
export function clientOf(
  { machine, server }: Around,
  certificate: () => string,
  userAgent: string,
  counting?: ComponentMetrics,
): Client {
  let known = { pem: '', der: undefined as Uint8Array | undefined };
  // Looked up each time: it is renewed while the process runs.
  const certificateDer = () => {
    const pem = certificate();
    if (pem !== known.pem) known = { pem, der: decodePem(pem)[0]?.der };
    return known.der;
  };
  const transport = inProcessTransport({
    handle: (request) => server.handle(request),
    credentials: {
      get certificateDer() {
        return certificateDer();
      },
    },
    userAgent,
  });
  return createClient(counting?.observed(transport) ?? transport, { userAgent, clock: machine.clock });
}

/** A client as a service account of `kube-system`, which may do what its own role says, and no more. */
export function accountClient(
  { machine, server, heldTokens }: Around,
  account: string,
  userAgent = 'kube-controller-manager',
  counting?: ComponentMetrics,
): Client {
  const token = heldTokens.issue(serviceAccountUser('kube-system', account));
  const transport = inProcessTransport({
    handle: (request) => server.handle(request),
    credentials: { token },
    userAgent,
  });
  return createClient(counting?.observed(transport) ?? transport, { userAgent, clock: machine.clock });
}

/** What a component counts, told at its own port and beside what the API server tells. */
function countingOf({ machine, server, url }: Around): ComponentMetrics {
  return componentMetrics(machine, url === undefined ? '' : new URL(url).host, server.metrics?.part());
}

/** Both, and the one that was started last ends first. */
function together(...all: readonly (AsyncDisposable | undefined)[]): AsyncDisposable {
  const stack = new AsyncDisposableStack();
  for (const one of all) stack.use(one);
  return stack;
}

/** Starts the controllers of all kinds. Disposing it waits for those at work. */
export async function startControllers(around: Around, settings: ControlSettings): Promise<AsyncDisposable> {
  const counting = countingOf(around);
  const client = clientOf(
    around,
    () => around.pki.controllerManager.certificatePem,
    'kube-controller-manager',
    counting,
  );
  const run = () => runControllers(around, client, counting, settings);
  const { identity } = settings;
  const { metrics } = counting;
  const running =
    identity === undefined
      ? await run()
      : whileLeading(around.machine, { client, name: 'kube-controller-manager', identity, metrics }, run);
  return together(
    running,
    await serveComponent(around, 'kube-controller-manager', 10_257, { '/metrics': () => metrics.text() }),
  );
}

async function runControllers(
  around: Around,
  client: Client,
  counting: ComponentMetrics,
  { networks, nodeMonitorGraceMs }: ControlSettings,
): Promise<AsyncDisposable> {
  const metrics = counting.metrics.part();
  const { clock, random, keys, log } = around.machine;
  const informers = createInformers({ client, clock, random, log: log.child('controller-manager') });
  const running = startControllerManager({
    client,
    informers,
    clock,
    random,
    keys,
    log: log.child('controller-manager'),
    featureGates,
    metrics,
    clientOf: (account) => accountClient(around, account, undefined, counting),
    settings: {
      rootAuthorityPem: around.pki.ca.certificatePem,
      ...(nodeMonitorGraceMs !== undefined && { nodeMonitorGraceMs }),
      balanceOnNodes: true,
      nodeIpam: { clusterCidrs: networks.podCidrs, reservedCidrs: networks.serviceCidrs },
      signing: { authority: around.pki.ca },
      serviceAccountTokens: {
        signingKey: around.pki.serviceAccountKey,
        rootAuthorityPem: around.pki.ca.certificatePem,
      },
      servingApproval: { reservedCidrs: [...networks.serviceCidrs, ...networks.podCidrs] },
    },
  });
  // Without it only claims without a volume of their own wait: no reason to stop here.
  const localPath = await startLocalPath({
    client: accountClient(around, LOCAL_PATH_ACCOUNT, LOCAL_PATH_ACCOUNT),
    informers,
    clock,
    random: random.fork('local-path'),
    keys,
    log: log.child('local-path'),
    directory: '/var/lib/tutti/volumes',
  }).catch((error: unknown) => {
    log.warn('claims get no volumes: the provisioner did not start', { error });
    return undefined;
  });
  return {
    async [Symbol.asyncDispose]() {
      await localPath?.stop();
      await running.stop();
      await informers.stop();
      counting.metrics.remove(metrics);
    },
  };
}

/** Starts the scheduler. */
export async function startSchedulerComponent(
  around: Around,
  { identity }: Pick<ControlSettings, 'identity'> = {},
): Promise<AsyncDisposable> {
  const { clock, random, log, host } = around.machine;
  const counting = countingOf(around);
  let leading: RunningScheduler | undefined;
  const client = clientOf(around, () => around.pki.scheduler.certificatePem, 'kube-scheduler', counting);
  const run = async (): Promise<AsyncDisposable> => {
    const metrics = counting.metrics.part();
    const running = await runScheduler({
      client,
      clock,
      random,
      log: log.child('scheduler'),
      featureGates,
      host: host.facts.hostname,
      metrics,
    });
    leading = running;
    return {
      async [Symbol.asyncDispose]() {
        leading = undefined;
        await running.stop();
        counting.metrics.remove(metrics);
      },
    };
  };
  const { metrics } = counting;
  const running =
    identity === undefined
      ? await run()
      : whileLeading(around.machine, { client, name: 'kube-scheduler', identity, metrics }, run);
  return together(
    running,
    await serveComponent(around, 'kube-scheduler', 10_259, {
      '/metrics': () => metrics.text(),
      '/metrics/resources': () => leading?.resourceMetrics() ?? '',
    }),
  );
}
