// How a node on this machine talks to its cluster: into the server of the same process, or over the network.

import type { Timer } from '../../libs/base/clock.ts';
import type { Client } from '../../libs/kind/client.ts';
import type { MetricSet } from '../../libs/metrics/metrics.ts';
import type { KubeletTls } from '../../node/kubelet/server/server.ts';
import type { Machine } from './apiserver.ts';
import { componentMetrics } from './component-metrics.ts';
import { type Around, accountClient, clientOf } from './components.ts';
import { DNS_ACCOUNT, ensureDnsAccount, publishDns } from './dns.ts';
import { kubeletTls } from './kubelet-tls.ts';

export interface NodeAccess {
  readonly machine: Machine;
  /** As the node itself. */
  readonly kubelet: Client;
  /** For the pods' network and for Services. */
  readonly proxy: Client;
  /** What counts the requests of these clients, and takes what their owners count. */
  readonly metrics: Readonly<Record<'kubelet' | 'proxy', MetricSet>>;
  /** For the DNS server. */
  dns(): Promise<Client>;
  /** Tells the cluster that DNS answers here, at this port of the node's address. */
  tellDns(port: number): Promise<void>;
  /**
   * Hands over what the kubelet's server is to show: resolves once the first is used, rejects with what `use` throws then;
   * later ones come in time, until what it gives is disposed.
   */
  keepServing(use: (tls: KubeletTls) => Promise<void>): Promise<AsyncDisposable>;
}

const RENEWAL_MS = 240 * 86_400_000;
const RETRY_MS = 3_600_000;

/** The node of a machine that also runs the API server. */
export function localAccess(
  around: Around,
  node: { readonly nodeName: string; readonly nodeIp: string; readonly dnsIp: string },
): NodeAccess {
  const { machine, pki } = around;
  const [kubelet, proxy] = [countingOf(around), countingOf(around)];
  const admin = () => clientOf(around, () => pki.admin.certificatePem, 'tutti');
  return {
    machine,
    kubelet: clientOf(around, () => pki.kubelet!.certificatePem, 'kubelet', kubelet),
    proxy: clientOf(around, () => pki.kubeProxy.certificatePem, 'kube-proxy', proxy),
    metrics: { kubelet: kubelet.metrics, proxy: proxy.metrics },
    async dns() {
      await ensureDnsAccount(admin());
      return accountClient(around, DNS_ACCOUNT, 'tutti-dns');
    },
    tellDns: (port) => publishDns(admin(), { ...node, port }),
    keepServing: (use) => issueOwn(around, node, use),
  };
}

const countingOf = ({ machine, url }: Around) => componentMetrics(machine, url === undefined ? '' : new URL(url).host);

/** The authority is at hand: certificates are made here, a new one long before the last one ends. */
async function issueOwn(
  around: Around,
  { nodeName, nodeIp }: { readonly nodeName: string; readonly nodeIp: string },
  use: (tls: KubeletTls) => Promise<void>,
): Promise<AsyncDisposable> {
  const { clock, log } = around.machine;
  let timer: Timer | undefined;
  const again = (delayMs: number) => {
    timer = clock.setTimer(async () => {
      try {
        await use(await kubeletTls(around, nodeName, nodeIp));
        again(RENEWAL_MS);
      } catch (error) {
        log.error('the kubelet’s serving certificate could not be renewed', { error });
        again(RETRY_MS);
      }
    }, delayMs);
  };
  await use(await kubeletTls(around, nodeName, nodeIp));
  again(RENEWAL_MS);
  return { [Symbol.asyncDispose]: async () => timer?.cancel() };
}
