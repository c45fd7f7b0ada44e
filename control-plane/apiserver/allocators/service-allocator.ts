/** Gives Services their families, addresses and ports. */

import { validateAddressFields } from '../../../api/core/service/address-fields.ts';
import {
  addressesOf,
  mayHaveNodePort,
  NO_CLUSTER_IP,
  needsClusterIP,
  needsHealthCheckNodePort,
  needsNodePort,
} from '../../../api/core/service/forms.ts';
import type { Service, ServicePort } from '../../../api/types/core/v1.generated.ts';
import type { Random } from '../../../libs/base/random.ts';
import type { Allocator, Reservation } from '../../../libs/kind/allocator.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import type { Cidr } from '../../../libs/machinery/cidr.ts';
import { invalid, unclassified } from '../../../libs/machinery/errors.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { type IpVersion, ipVersion } from '../../../libs/machinery/ip.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { AllocationError, ClusterIps } from './cluster-ips.ts';
import { NodePorts, type StoredServices } from './node-ports.ts';

type Ranges = ReadonlyMap<IpVersion, readonly Cidr[]>;
type Old = DeepReadonly<Service> | undefined;

const SERVICE = { group: '', kind: 'Service' };
const ADDRESSES = field.path('spec', 'clusterIPs');

export function serviceAllocator(services: StoredServices, random: Random): Allocator<Service> {
  const clusterIps = new ClusterIps(random.fork('cluster-ips'));
  const nodePorts = new NodePorts(services, random.fork('node-ports'));
  return {
    handles: (kind) => kind.group === '' && kind.resource === 'services',
    async reserve(ctx, draft, old, registry) {
      const work = new ServiceReservation(ctx, registry, draft, old, clusterIps, nodePorts);
      try {
        await work.run();
      } catch (error) {
        await work.rollback();
        throw error;
      }
      return work;
    },
    async release(ctx, service, registry) {
      for (const ip of addressesOf(service)) await clusterIps.free(ctx, registry, ip);
    },
  };
}

class ServiceReservation implements Reservation {
  readonly #ctx: RequestContext;
  readonly #registry: Registry;
  readonly #service: Service;
  readonly #old: Old;
  readonly #clusterIps: ClusterIps;
  readonly #nodePorts: NodePorts;
  readonly #takenIps: string[] = [];
  readonly #heldPorts: number[] = [];

  constructor(
    ctx: RequestContext,
    registry: Registry,
    service: Service,
    old: Old,
    clusterIps: ClusterIps,
    nodePorts: NodePorts,
  ) {
    this.#ctx = ctx;
    this.#registry = registry;
    this.#service = service;
    this.#old = old;
    this.#clusterIps = clusterIps;
    this.#nodePorts = nodePorts;
  }

  async run(): Promise<void> {
    const ranges = await this.#clusterIps.ranges(this.#registry);
    fillFamilies(this.#service, this.#old, ranges);
    await this.#takeAddresses(ranges);
    if (mayHaveNodePort(this.#service)) this.#takePorts();
    if (needsHealthCheckNodePort(this.#service)) this.#takeHealthCheckPort();
  }

  async commit(): Promise<void> {
    this.#letPortsGo();
    const kept = new Set(addressesOf(this.#service));
    for (const ip of this.#old ? addressesOf(this.#old) : []) {
      if (!kept.has(ip)) await this.#clusterIps.free(this.#ctx, this.#registry, ip);
    }
  }

  async rollback(): Promise<void> {
    this.#letPortsGo();
    for (const ip of this.#takenIps.splice(0)) await this.#clusterIps.free(this.#ctx, this.#registry, ip);
  }

  #letPortsGo(): void {
    for (const port of this.#heldPorts.splice(0)) this.#nodePorts.letGo(port);
  }

  async #takeAddresses(ranges: Ranges): Promise<void> {
    const spec = this.#service.spec;
    if (!spec || !needsClusterIP(this.#service) || spec.clusterIP === NO_CLUSTER_IP) return;
    const had = new Set(this.#old ? addressesOf(this.#old) : []);
    const { name = '', namespace = '' } = this.#service.metadata ?? {};
    const parent = { name, namespace };
    const result: string[] = [];
    for (const [i, family] of (spec.ipFamilies ?? []).entries()) {
      const inFamily = ranges.get(family === 'IPv6' ? 6 : 4) ?? [];
      const wanted = spec.clusterIPs?.[i];
      if (wanted && had.has(wanted)) {
        result.push(wanted);
        continue;
      }
      // What the old Service has and the new one changes is for validation to refuse.
      if (wanted && had.size > i) {
        result.push(wanted);
        continue;
      }
      try {
        if (wanted) await this.#clusterIps.take(this.#ctx, this.#registry, inFamily, wanted, parent);
        const ip = wanted || (await this.#clusterIps.takeAny(this.#ctx, this.#registry, inFamily, parent));
        this.#takenIps.push(ip);
        result.push(ip);
      } catch (error) {
        if (!(error instanceof AllocationError)) throw error;
        const why = `failed to allocate IP ${wanted ?? ''}: ${error.message}`;
        throw invalid(SERVICE, name, [field.invalid(ADDRESSES, spec.clusterIPs ?? null, why)]);
      }
    }
    if (result.length === 0) return;
    spec.clusterIPs = result;
    spec.clusterIP = result[0] as string;
  }

  #takePorts(): void {
    const ports = this.#service.spec?.ports ?? [];
    const had = new Set((this.#old?.spec?.ports ?? []).map(({ nodePort }) => nodePort ?? 0));
    const byPort = new Map<number, number>();
    const seen = new Set<string>();
    ports.forEach((port, i) => {
      if (!port.nodePort && !needsNodePort(this.#service)) return;
      // The same port under another protocol gets the same port of the node.
      const shared = byPort.get(port.port) ?? (this.#old ? undefined : requestedFor(port.port, ports));
      const wanted = port.nodePort || shared;
      if (wanted && (had.has(wanted) || this.#heldPorts.includes(wanted))) port.nodePort = wanted;
      else port.nodePort = this.#takePort(wanted, i);
      byPort.set(port.port, port.nodePort);
      if (this.#old) {
        const pair = `${port.protocol} ${port.nodePort}`;
        if (seen.has(pair)) throw unclassified(`duplicate nodePort: {${pair}}`);
        seen.add(pair);
      }
    });
  }

  #takePort(wanted: number | undefined, i: number): number {
    try {
      if (wanted) this.#nodePorts.take(wanted);
      const port = wanted || this.#nodePorts.takeAny();
      this.#heldPorts.push(port);
      return port;
    } catch (error) {
      if (!(error instanceof AllocationError)) throw error;
      if (!wanted) throw unclassified(`failed to allocate a nodePort: ${error.message}`);
      const at = field.path('spec', 'ports').index(i).child('nodePort');
      throw invalid(SERVICE, this.#service.metadata?.name ?? '', [field.invalid(at, wanted, error.message)]);
    }
  }

  #takeHealthCheckPort(): void {
    const { spec } = this.#service;
    if (!spec) return;
    const wanted = spec.healthCheckNodePort;
    if (wanted && wanted === this.#old?.spec?.healthCheckNodePort) return;
    try {
      if (wanted) this.#nodePorts.take(wanted);
      spec.healthCheckNodePort = wanted || this.#nodePorts.takeAny();
      this.#heldPorts.push(spec.healthCheckNodePort);
    } catch (error) {
      if (!(error instanceof AllocationError)) throw error;
      const what = wanted ? `requested HealthCheck NodePort ${wanted}` : 'a HealthCheck NodePort';
      throw unclassified(`failed to allocate ${what}: ${error.message}`);
    }
  }
}

const requestedFor = (port: number, ports: readonly ServicePort[]) =>
  ports.find((one) => one.port === port && one.nodePort)?.nodePort;

/** Says of which families the service is, from what the client said and what the cluster has. Throws 422. */
function fillFamilies(service: Service, old: Old, ranges: Ranges): void {
  const { spec } = service;
  if (!spec || !needsClusterIP(service)) return;
  if (old && isUnchanged(service, old)) return;
  const refuse = (errors: field.ErrorList) => {
    if (errors.length > 0) throw invalid(SERVICE, service.metadata?.name ?? '', errors);
  };
  refuse(validateAddressFields(service, old));
  const configured = [...ranges.keys()].map((version) => `IPv${version}`);
  const families = [...(spec.ipFamilies ?? [])];
  const headless = spec.clusterIPs?.[0] === NO_CLUSTER_IP;
  (headless ? [] : (spec.clusterIPs ?? [])).forEach((ip, i) => {
    if (families[i] !== undefined) return;
    const family = `IPv${ipVersion(ip) ?? 4}`;
    if (!configured.includes(family)) {
      refuse([field.invalid(ADDRESSES.index(i), spec.clusterIPs, `${family} is not configured on this cluster`)]);
    }
    families.push(family);
  });
  const both = spec.ipFamilyPolicy === 'RequireDualStack' || spec.ipFamilyPolicy === 'PreferDualStack';
  if (headless && Object.keys(spec.selector ?? {}).length === 0) {
    // Nobody but its owner says where such a service leads, so it may lead anywhere.
    if (families.length === 0) families.push(configured[0] ?? 'IPv4');
    if (families.length < 2 && spec.ipFamilyPolicy !== 'SingleStack') families.push(otherFamily(families[0]));
    spec.ipFamilies = families;
    spec.ipFamilyPolicy ??= families.length === 2 ? 'RequireDualStack' : 'SingleStack';
    return;
  }
  const two = families.length === 2 || spec.clusterIPs?.length === 2;
  spec.ipFamilyPolicy ??= two ? 'RequireDualStack' : 'SingleStack';
  const errors: field.ErrorList = [];
  families.forEach((family, i) => {
    if (configured.includes(family)) return;
    errors.push(field.invalid(field.path('spec', 'ipFamilies').index(i), family, 'not configured on this cluster'));
  });
  if (spec.ipFamilyPolicy === 'SingleStack' && two) {
    errors.push(
      field.invalid(
        'spec.ipFamilyPolicy',
        spec.ipFamilyPolicy,
        'may only be set to PreferDualStack or RequireDualStack when multiple IP families or addresses are specified',
      ),
    );
  }
  if (spec.ipFamilyPolicy === 'RequireDualStack' && configured.length < 2) {
    const why = 'this cluster is not configured for dual-stack services';
    errors.push(field.invalid('spec.ipFamilyPolicy', spec.ipFamilyPolicy, why));
  }
  refuse(errors);
  if (families.length === 0) families.push(configured[0] ?? 'IPv4');
  if (both && families.length === 1 && configured.length === 2) families.push(otherFamily(families[0]));
  spec.ipFamilies = families;
}

const otherFamily = (family: string | undefined) => (family === 'IPv6' ? 'IPv4' : 'IPv6');

/** A change that leaves these alone also leaves the number of addresses alone, whatever the cluster has become. */
function isUnchanged({ spec }: Service, old: DeepReadonly<Service>): boolean {
  const names = ['type', 'ipFamilyPolicy', 'ipFamilies', 'clusterIPs'] as const;
  return needsClusterIP(old) && names.every((name) => sameValue(spec?.[name], old.spec?.[name]));
}
