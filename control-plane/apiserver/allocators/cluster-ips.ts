import { ipAddresses, serviceCIDRs } from '../../../api/resources.ts';
import type { IPAddress, ServiceCIDR } from '../../../api/types/networking/v1.generated.ts';
import type { Random } from '../../../libs/base/random.ts';
import type { Live } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { addressAt, type Cidr, cidrSize, indexOf, parseCidrSloppy } from '../../../libs/machinery/cidr.ts';
import { isAlreadyExists, isNotFound } from '../../../libs/machinery/errors.ts';
import { formatIp, type IpVersion, parseIpSloppy } from '../../../libs/machinery/ip.ts';

export const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';
export const ALLOCATOR_NAME = 'ipallocator.k8s.io';
const FAMILY_LABEL = 'ipaddress.kubernetes.io/ip-family';
/** Addresses that are tried one after the other before a range counts as full. */
const TRIES_MAX = 65_536;

/** Why an address could not be given; the text stands in the answer. */
export class AllocationError extends Error {}

export interface Parent {
  readonly namespace: string;
  readonly name: string;
}

/**
 * Hands out the addresses of the ServiceCIDRs. An address is taken by making the IPAddress object of its name, which the
 * store lets only one writer do, however many API servers share it.
 */
export class ClusterIps {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The ranges that are ready, per family, the cluster's own first. */
  async ranges(registry: Registry): Promise<ReadonlyMap<IpVersion, readonly Cidr[]>> {
    const byFamily = new Map<IpVersion, Cidr[]>();
    const all = [...(await registry.list(serviceCIDRs, ''))].sort((a, b) => Number(isOwn(b)) - Number(isOwn(a)));
    for (const serviceCidr of all) {
      if (!isReady(serviceCidr)) continue;
      for (const text of serviceCidr.spec?.cidrs ?? []) {
        const network = parseCidrSloppy(text)?.network;
        if (!network) continue;
        byFamily.set(network.version, [...(byFamily.get(network.version) ?? []), network]);
      }
    }
    return byFamily;
  }

  /** Takes this very address. Throws `AllocationError` when it is outside of the ranges or taken. */
  async take(
    ctx: RequestContext,
    registry: Registry,
    ranges: readonly Cidr[],
    address: string,
    parent: Parent,
  ): Promise<void> {
    const ip = parseIpSloppy(address);
    const inside = ip && ranges.some((range) => isUsable(range, indexOf(range, ip)));
    if (!inside) throw new AllocationError('the provided network does not match the current range');
    if (!(await this.#make(ctx, registry, formatIp(ip), parent))) {
      throw new AllocationError('provided IP is already allocated');
    }
  }

  /** Takes any free address. Throws `AllocationError` when there is none. */
  async takeAny(ctx: RequestContext, registry: Registry, ranges: readonly Cidr[], parent: Parent): Promise<string> {
    for (const range of ranges) {
      for (const index of candidates(range, this.#random)) {
        const ip = addressAt(range, index);
        if (!ip) continue;
        const name = formatIp(ip);
        if (await registry.get(ipAddresses, '', name)) continue;
        if (await this.#make(ctx, registry, name, parent)) return name;
      }
    }
    throw new AllocationError('range is full');
  }

  async free(ctx: RequestContext, registry: Registry, address: string): Promise<void> {
    const ip = parseIpSloppy(address);
    if (!ip || ctx.dryRun) return;
    try {
      await registry.delete(ctx, ipAddresses, '', formatIp(ip));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async #make(
    ctx: RequestContext,
    registry: Registry,
    name: string,
    { namespace, name: of }: Parent,
  ): Promise<boolean> {
    const family = name.includes(':') ? 'IPv6' : 'IPv4';
    const object: IPAddress = {
      metadata: { name, labels: { [FAMILY_LABEL]: family, [MANAGED_BY]: ALLOCATOR_NAME } },
      spec: { parentRef: { resource: 'services', namespace, name: of } },
    };
    try {
      await registry.create({ ...ctx, fieldManager: 'kube-apiserver' }, ipAddresses, '', object);
      return true;
    } catch (error) {
      if (isAlreadyExists(error)) return false;
      throw error;
    }
  }
}

const isOwn = ({ metadata }: Live<ServiceCIDR>) => metadata.name === 'kubernetes';

function isReady({ metadata, status }: Live<ServiceCIDR>): boolean {
  if (metadata.deletionTimestamp) return false;
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

/** The network's own address is nobody's, and neither is IPv4's broadcast address. */
function isUsable(range: Cidr, index: bigint | undefined): boolean {
  if (index === undefined) return false;
  const size = cidrSize(range);
  if (size <= 2n) return true;
  return index > 0n && (range.version === 6 || index < size - 1n);
}

/**
 * Where to look: from somewhere in the upper part on, and only then in the lower one, so that the first addresses stay
 * for those who choose theirs.
 */
function* candidates(range: Cidr, random: Random): Generator<bigint> {
  const size = cidrSize(range);
  const first = size <= 2n ? 0n : 1n;
  const last = size <= 2n || range.version === 6 ? size - 1n : size - 2n;
  const sixteenth = size / 16n;
  const reserved = sixteenth < 16n ? 16n : sixteenth > 256n ? 256n : sixteenth;
  const upper = reserved < last ? reserved : first;
  const spread = last - upper + 1n;
  const span = Number(spread > BigInt(2 ** 31) ? BigInt(2 ** 31) : spread);
  const start = BigInt(random.int(span));
  let tries = 0;
  for (let i = 0n; i < spread && tries < TRIES_MAX; i++, tries++) yield upper + ((start + i) % spread);
  for (let index = first; index < upper && tries < TRIES_MAX; index++, tries++) yield index;
}
