import type { RequestAttributes } from '../../../libs/kind/request.ts';
import type { Caches } from '../cache/caches.ts';
import type { KindSet } from '../registry/kind-set.ts';

const OBJECTS_PER_SEAT = 100;
const SEATS_MAX = 10;

/** Seats that a list takes: one for each hundred of the objects that it may look at, up to ten. */
export function listWidth(
  kinds: KindSet,
  caches: Caches,
  { group, version, resource, name }: RequestAttributes,
  limit: string | null,
): number {
  const found = name === '' ? kinds.find(group, version, resource) : undefined;
  if (!found || found.kind.virtual) return 1;
  const { size } = caches.resource(found.kind);
  const most = Number(limit ?? 0);
  const objects = most > 0 ? Math.min(most, size) : size;
  return Math.max(1, Math.min(SEATS_MAX, Math.ceil(objects / OBJECTS_PER_SEAT)));
}
