import type { Labels } from '../../../../libs/machinery/labels.ts';
import type { ClusterObjects, ResourceClaim, ResourceSlice } from '../../cache/cluster-objects.ts';
import { anyTermMatches } from '../../cache/node-selector.ts';
import { type Toleration, tolerates } from '../../cache/tolerations.ts';
import { type Device, type DeviceSelectors, EvaluationError, qualified } from './device-selector.ts';

export interface Allocated {
  readonly request: string;
  readonly driver: string;
  readonly pool: string;
  readonly device: string;
}

interface Offer {
  readonly driver: string;
  readonly pool: string;
  readonly device: Device;
  /** Of an incomplete pool: more slices of it are about to be published. */
  readonly incomplete: boolean;
}

type Request = NonNullable<NonNullable<NonNullable<ResourceClaim['spec']>['devices']>['requests']>[number];
type Wish = NonNullable<Request['exactly']>;

/** The allocation cannot even be tried. */
export class AllocationError extends Error {
  override readonly name = 'AllocationError';
}

const idOf = ({ driver, pool, device }: { driver: string; pool: string; device: string }) =>
  `${driver}/${pool}/${device}`;

/** Devices that other claims have. */
export function devicesInUse(objects: ClusterObjects): Set<string> {
  const used = new Set<string>();
  for (const { status } of objects.list('ResourceClaim')) {
    for (const result of status?.allocation?.devices?.results ?? []) if (!result.adminAccess) used.add(idOf(result));
  }
  return used;
}

/** The devices that the node can reach, of the newest generation of each pool, in the order of their slices. */
function offers(node: { name: string; labels: Labels }, slices: readonly ResourceSlice[]): readonly Offer[] {
  const pools = new Map<string, { generation: bigint; slices: ResourceSlice[] }>();
  for (const slice of slices) {
    const { driver, pool } = slice.spec ?? {};
    if (!driver || !pool) continue;
    const key = `${driver}/${pool.name}`;
    const generation = BigInt(pool.generation);
    const known = pools.get(key);
    if (!known || known.generation < generation) pools.set(key, { generation, slices: [slice] });
    else if (known.generation === generation) known.slices.push(slice);
  }
  const found: Offer[] = [];
  for (const { slices: own } of pools.values()) {
    for (const { spec } of own) {
      if (!spec) continue;
      const incomplete = BigInt(own.length) < BigInt(spec.pool.resourceSliceCount);
      for (const device of spec.devices ?? []) {
        // Devices that share counters are handed out by nobody here: they could be promised twice.
        if (device.consumesCounters || device.allowMultipleAllocations) continue;
        const place = spec.perDeviceNodeSelection ? device : spec;
        const here =
          place.allNodes ||
          place.nodeName === node.name ||
          (place.nodeSelector && anyTermMatches(place.nodeSelector.nodeSelectorTerms, node.name, node.labels));
        if (here) found.push({ driver: spec.driver, pool: spec.pool.name, device, incomplete });
      }
    }
  }
  return found;
}

/**
 * Devices of the node for every claim, or undefined where there are not enough. Searches depth first, in the order of
 * claims, requests and devices, going back where a later wish cannot be met.
 *
 * @throws AllocationError
 */
export function allocate(
  claims: readonly ResourceClaim[],
  node: { name: string; labels: Labels },
  objects: ClusterObjects,
  selectors: DeviceSelectors,
): ReadonlyMap<ResourceClaim, readonly Allocated[]> | undefined {
  const there = offers(node, objects.list('ResourceSlice'));
  const used = devicesInUse(objects);
  const chosen = new Map<ResourceClaim, { request: string; offer: Offer }[]>(claims.map((claim) => [claim, []]));
  const matches = (
    claim: ResourceClaim,
    { deviceClassName, selectors: own, tolerations }: Wish,
    offer: Offer,
  ): boolean => {
    const { namespace, name } = claim.metadata ?? {};
    const all = [...(objects.get('DeviceClass', deviceClassName)?.spec?.selectors ?? []), ...(own ?? [])];
    const classCount = all.length - (own?.length ?? 0);
    for (const [index, { cel }] of all.entries()) {
      try {
        if (cel && !selectors.matches(cel.expression, offer.driver, offer.device)) return false;
      } catch (error) {
        const who =
          index < classCount ? `class ${deviceClassName}: selector #${index}` : `selector #${index - classCount}`;
        const kind = error instanceof EvaluationError ? 'CEL runtime error' : 'CEL compile error';
        throw new AllocationError(`claim ${namespace}/${name}: ${who}: ${kind}: ${(error as Error).message}`);
      }
    }
    return (offer.device.taints ?? []).every(
      (taint) =>
        (taint.effect !== 'NoSchedule' && taint.effect !== 'NoExecute') ||
        (tolerations ?? []).some((toleration) => tolerates(toleration as Toleration, taint)),
    );
  };
  const wishes = claims.flatMap((claim) =>
    (claim.spec?.devices?.requests ?? []).map((request) => ({ claim, request })),
  );

  const meet = (at: number): boolean => {
    const wish = wishes[at];
    if (!wish) return true;
    const { claim, request } = wish;
    const ways: readonly { name: string; wish: Wish }[] = request.exactly
      ? [{ name: request.name, wish: request.exactly }]
      : (request.firstAvailable ?? []).map((sub) => ({ name: `${request.name}/${sub.name}`, wish: sub as Wish }));
    for (const way of ways) {
      if (!objects.get('DeviceClass', way.wish.deviceClassName)) continue;
      const usable = there.filter((offer) => matches(claim, way.wish, offer));
      let count = Number(way.wish.count ?? 1);
      if (way.wish.allocationMode === 'All') {
        const incomplete = usable.find((offer) => offer.incomplete);
        if (incomplete) {
          const { namespace, name } = claim.metadata ?? {};
          throw new AllocationError(
            `claim ${namespace}/${name}, request ${way.name}: asks for all devices, but resource pool ${incomplete.driver}/${incomplete.pool} is currently being updated`,
          );
        }
        count = usable.length;
        if (count === 0) continue;
      }
      if (take(claim, way.name, usable, count, 0, () => meet(at + 1))) return true;
    }
    return false;
  };
  const take = (
    claim: ResourceClaim,
    request: string,
    usable: readonly Offer[],
    count: number,
    from: number,
    next: () => boolean,
  ): boolean => {
    if (count === 0) return next();
    for (let i = from; i < usable.length; i++) {
      const offer = usable[i] as Offer;
      const id = idOf({ ...offer, device: offer.device.name });
      const own = chosen.get(claim) as { request: string; offer: Offer }[];
      if (used.has(id) || offer.incomplete) continue;
      own.push({ request, offer });
      used.add(id);
      if (meetsConstraints(claim, own) && take(claim, request, usable, count - 1, i + 1, next)) return true;
      own.pop();
      used.delete(id);
    }
    return false;
  };
  if (!meet(0)) return undefined;
  return new Map(
    Array.from(chosen, ([claim, list]) => [
      claim,
      list.map(({ request, offer: { driver, pool, device } }) => ({ request, driver, pool, device: device.name })),
    ]),
  );
}

/** All devices of the requests that a constraint names have one value of an attribute (or all different ones). */
function meetsConstraints(claim: ResourceClaim, chosen: readonly { request: string; offer: Offer }[]): boolean {
  for (const { requests = [], matchAttribute, distinctAttribute } of claim.spec?.devices?.constraints ?? []) {
    const attribute = matchAttribute ?? distinctAttribute;
    if (!attribute) continue;
    const values = new Set<string>();
    let count = 0;
    for (const { request, offer } of chosen) {
      const [main = request] = request.split('/');
      if (requests.length > 0 && !requests.includes(request) && !requests.includes(main)) continue;
      const value = attributeOf(offer, attribute);
      if (value === undefined) return false;
      values.add(value);
      count++;
    }
    if (matchAttribute ? values.size > 1 : values.size < count) return false;
  }
  return true;
}

function attributeOf({ driver, device }: Offer, wanted: string): string | undefined {
  for (const [name, value] of Object.entries(device.attributes ?? {})) {
    const { domain, id } = qualified(driver, name);
    if (`${domain}/${id}` === wanted)
      return JSON.stringify(value, (_, one) => (typeof one === 'bigint' ? `${one}` : one));
  }
  return undefined;
}
