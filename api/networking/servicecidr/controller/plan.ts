import type { Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import { type Cidr, cidrContains, cidrCovers, parseCidrSloppy } from '../../../../libs/machinery/cidr.ts';
import { type Ip, parseIpSloppy } from '../../../../libs/machinery/ip.ts';
import { hasFinalizer, isDeleting } from '../../../../libs/machinery/meta.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import type { IPAddress, ServiceCIDR } from '../../../types/networking/v1.generated.ts';

export const SERVICE_CIDR_PROTECTION = 'networking.k8s.io/service-cidr-finalizer';
const MANAGED_BY = 'ipaddress.kubernetes.io/managed-by';
const ALLOCATOR = 'ipallocator.k8s.io';

/** All API servers must have heard that a range is going before it goes: they give out its addresses until then. */
const HEARD_MS = 10_000;

export interface Observed {
  readonly range: Live<ServiceCIDR>;
  /** All others. */
  readonly others: readonly Live<ServiceCIDR>[];
  readonly addresses: readonly Live<IPAddress>[];
}

export type Action =
  | { readonly type: 'protect' | 'release'; readonly reason: string }
  | { readonly type: 'ready'; readonly reason: string; readonly condition: ReadyCondition };

export interface ReadyCondition {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

const READY: ReadyCondition = { status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' };
const TERMINATING: ReadyCondition = {
  status: 'False',
  reason: 'Terminating',
  message: 'There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR',
};

/** A range is ready once it is protected; one that is deleted stays as long as an address is in no other. */
export function plan({ range, others, addresses }: Observed, nowMs: number): Plan<Action> {
  const is = range.status?.conditions?.find(({ type }) => type === 'Ready');
  const protectedNow = hasFinalizer(range, SERVICE_CIDR_PROTECTION);
  if (!isDeleting(range)) {
    const actions: Action[] = protectedNow ? [] : [{ type: 'protect', reason: 'it is not protected' }];
    if (is?.status !== 'True') actions.push({ type: 'ready', condition: READY, reason: 'it may be used' });
    return { actions };
  }
  if (!protectedNow) return { actions: [] };
  if (wouldOrphan(range, others, addresses)) {
    const told = is?.status === 'False' && is.reason === TERMINATING.reason;
    return { actions: told ? [] : [{ type: 'ready', condition: TERMINATING, reason: 'addresses are in use' }] };
  }
  const leftMs = (epochMs(range.metadata.deletionTimestamp) ?? 0) + HEARD_MS - nowMs;
  if (leftMs > 0) return { actions: [], againAfterMs: leftMs };
  return { actions: [{ type: 'release', reason: 'no address is in it alone' }] };
}

export const networksOf = ({ spec }: Live<ServiceCIDR>): Cidr[] =>
  (spec?.cidrs ?? []).flatMap((text) => parseCidrSloppy(text)?.network ?? []);

/** The address that API servers have given to a Service; undefined for one that somebody else made. */
export function addressOf({ metadata }: Live<IPAddress>): Ip | undefined {
  return metadata.labels?.[MANAGED_BY] === ALLOCATOR ? parseIpSloppy(metadata.name) : undefined;
}

function wouldOrphan(
  range: Live<ServiceCIDR>,
  others: readonly Live<ServiceCIDR>[],
  addresses: readonly Live<IPAddress>[],
): boolean {
  const rest = others.flatMap(networksOf);
  const own = networksOf(range);
  if (own.every((network) => rest.some((other) => cidrCovers(other, network)))) return false;
  return addresses.some((address) => {
    const ip = addressOf(address);
    return ip && own.some((one) => cidrContains(one, ip)) && !rest.some((one) => cidrContains(one, ip));
  });
}
