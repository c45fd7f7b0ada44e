import { answer, type DnsZone } from '../../addons/dns/answer.ts';
import { type ClusterView, viewOf } from '../../addons/dns/view.ts';
import { nodes, pods, services } from '../../api/resources.ts';
import type { Service } from '../../api/types/core/v1.generated.ts';
import type { Random } from '../../libs/base/random.ts';
import type { Informers } from '../../libs/kind/client.ts';
import type { Live } from '../../libs/kind/object.ts';
import { ipVersion } from '../../libs/machinery/ip.ts';
import { SimulatedNetworkError } from '../../node/cri/fake/network.ts';
import { destinationsOf } from '../../node/kube-proxy/plan.ts';

const ZONE: DnsZone = { domain: 'cluster.local', serverAddresses: [], ttlSeconds: 30 };
/** Names with fewer dots are tried with the search path first, as in pods' resolv.conf. */
const NDOTS = 5;
const AFFINITY_SECONDS = 10_800;

export interface Destination {
  readonly ip: string;
  readonly port: number;
}

/** Names and Services of a simulated network: the cluster's own DNS answers, and its own proxy's choices. */
export interface Names {
  /** As seen from the address `from`. `undefined`: a plain address. Throws `SimulatedNetworkError` for a refusal. */
  resolve(host: string, port: number, from: string): Destination | undefined;
}

export function clusterNames(informers: Informers, random: Random, nowMs: () => number): Names {
  return new ClusterNames(informers, random, nowMs);
}

class ClusterNames implements Names {
  readonly #informers: Informers;
  readonly #random: Random;
  readonly #nowMs: () => number;
  readonly #view: ClusterView;
  /** Which endpoint a client was led to last, for Services that keep their clients. */
  readonly #affinity = new Map<string, Destination & { readonly untilMs: number }>();

  constructor(informers: Informers, random: Random, nowMs: () => number) {
    this.#informers = informers;
    this.#random = random;
    this.#nowMs = nowMs;
    this.#view = viewOf(informers);
    informers.informer(pods).index('address', (pod) => (pod.status?.podIP ? [pod.status.podIP] : []));
    informers.informer(nodes).index('address', (node) => (node.status?.addresses ?? []).map(({ address }) => address));
  }

  resolve(host: string, port: number, from: string): Destination | undefined {
    const ip = ipVersion(host) ? host : this.#lookUp(host, from);
    if (ip === undefined) return undefined;
    return this.#throughService(ip, port, from) ?? { ip, port };
  }

  #lookUp(host: string, from: string): string | undefined {
    const name = host.replace(/\.$/, '').toLowerCase();
    const namespace = this.#podAt(from)?.metadata.namespace ?? 'default';
    const path = [`${namespace}.svc.${ZONE.domain}`, `svc.${ZONE.domain}`, ZONE.domain];
    const searched = path.map((suffix) => `${name}.${suffix}`);
    const absolute = host.endsWith('.') || name.split('.').length > NDOTS;
    for (const one of absolute ? [name, ...searched] : [...searched, name]) {
      const address = this.#addressOf(one);
      if (address !== undefined) return address;
    }
    return undefined;
  }

  #addressOf(name: string, depth = 0): string | undefined {
    for (const type of ['A', 'AAAA']) {
      const answered = answer({ name, type }, this.#view, ZONE);
      if (answered.rcode === 'ELSEWHERE') continue;
      const found = answered.answers.filter((record) => record.type === type).map(({ data }) => String(data));
      if (found.length > 0) return found[this.#random.int(found.length)];
      if (answered.chase && depth < 8) {
        const chased = ipVersion(answered.chase) ? answered.chase : this.#addressOf(answered.chase, depth + 1);
        if (chased !== undefined) return chased;
      }
    }
    return undefined;
  }

  #throughService(ip: string, port: number, from: string): Destination | undefined {
    const service = this.#serviceAt(ip, port);
    if (!service) return undefined;
    const { name, namespace = '' } = service.service.metadata;
    const destinations = destinationsOf(
      service.service,
      this.#view.slicesOf(namespace, name),
      { port: service.port, protocol: 'TCP', family: ipVersion(ip) === 6 ? 6 : 4, external: service.external },
      { nodeName: this.#podAt(from)?.spec?.nodeName ?? '', clusterCidrs: [], serviceCidrs: [] },
    );
    if (destinations?.to !== 'endpoints') {
      const code = destinations?.to === 'void' ? 'EHOSTUNREACH' : 'ECONNREFUSED';
      const words = code === 'ECONNREFUSED' ? 'connection refused' : 'i/o timeout';
      throw new SimulatedNetworkError(code, `dial tcp ${ip}:${port}: connect: ${words}`);
    }
    return this.#choose(service.service, `${namespace}/${name}:${port} ${from}`, destinations.endpoints);
  }

  #choose(
    { spec }: Live<Service>,
    key: string,
    endpoints: readonly { readonly address: string; readonly port: number }[],
  ): Destination {
    const keeps = spec?.sessionAffinity === 'ClientIP';
    const known = keeps ? this.#affinity.get(key) : undefined;
    const nowMs = this.#nowMs();
    const same = endpoints.find((one) => one.address === known?.ip && one.port === known.port);
    const stays = same && known && known.untilMs > nowMs;
    const chosen = stays ? same : endpoints[this.#random.int(endpoints.length)];
    const to = { ip: chosen?.address ?? '', port: chosen?.port ?? 0 };
    if (keeps) {
      const seconds = Number(spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? AFFINITY_SECONDS);
      this.#affinity.set(key, { ...to, untilMs: nowMs + seconds * 1000 });
    }
    return to;
  }

  /** The Service that takes connections at an address and port: its cluster IP, an outer address, or a node port. */
  #serviceAt(
    ip: string,
    port: number,
  ): { readonly service: Live<Service>; readonly port: number; readonly external: boolean } | undefined {
    const [own] = this.#view.servicesAt(ip) as readonly Live<Service>[];
    if (own) return { service: own, port, external: false };
    const all = this.#informers.informer(services).list();
    const isNode = this.#informers.informer(nodes).by('address', ip).length > 0;
    for (const service of all) {
      const { spec, status } = service;
      if (isNode) {
        const found = spec?.ports?.find(({ nodePort }) => nodePort === port);
        if (found) return { service, port: found.port, external: true };
      }
      const balanced = status?.loadBalancer?.ingress?.some((one) => one.ip === ip);
      if (balanced || spec?.externalIPs?.includes(ip)) return { service, port, external: true };
    }
    return undefined;
  }

  #podAt(ip: string) {
    return this.#informers.informer(pods).by('address', ip)[0];
  }
}
