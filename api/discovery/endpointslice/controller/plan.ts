import { formatTime } from '../../../../libs/base/clock.ts';
import type { ApiObject, Live } from '../../../../libs/kind/object.ts';
import type { Plan } from '../../../../libs/kind/reconciler.ts';
import { valueIn } from '../../../../libs/machinery/meta.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../../../types/discovery/v1.generated.ts';

export const SERVICE_NAME = 'kubernetes.io/service-name';
export const MANAGED_BY = 'endpointslice.kubernetes.io/managed-by';
export const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';
const ENDPOINTS_MAX = 100;

/** As few slices as so many endpoints of one kind fit into; a Service without any has an empty one. */
export const slicesFor = (endpoints: number): number => Math.max(1, Math.ceil(endpoints / ENDPOINTS_MAX));

/** Endpoints that share their ports and the family of their addresses. */
export interface EndpointGroup {
  readonly addressType: string;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
}

export interface Observed {
  /** A Service, or the Endpoints that are mirrored. */
  readonly owner: Live<ApiObject>;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** What the slices shall hold. */
  readonly groups: readonly EndpointGroup[];
  readonly slices: readonly Live<EndpointSlice>[];
  /** When what is new in them came about, for measuring how late they are; empty: not told. */
  readonly changesMs: readonly number[];
}

export type Action = { readonly reason: string } & (
  | { readonly type: 'create' | 'update'; readonly slice: EndpointSlice }
  | { readonly type: 'delete'; readonly name: string }
);

/** Brings the slices to what they shall hold, leaving each endpoint in the slice that has it. */
export function plan(observed: Observed): Plan<Action> {
  const actions: Action[] = [];
  const unused = new Set(observed.slices.filter(({ metadata }) => !metadata.deletionTimestamp));
  for (const group of observed.groups) {
    const own = [...unused].filter((slice) => isOf(slice, group));
    const filled = fill(own, group);
    for (const [slice, endpoints] of filled.kept) {
      if (endpoints.length === 0 && filled.kept.size + filled.fresh.length > 1) continue;
      unused.delete(slice);
      const updated = changed(observed, slice, endpoints);
      if (updated) actions.push({ type: 'update', slice: updated, reason: 'endpoints changed' });
    }
    for (const endpoints of filled.fresh)
      actions.push({ type: 'create', slice: fresh(observed, group, endpoints), reason: 'new slice' });
  }
  for (const { metadata } of unused) actions.push({ type: 'delete', name: metadata.name, reason: 'empty slice' });
  return { actions };
}

const isOf = (slice: Live<EndpointSlice>, group: EndpointGroup): boolean =>
  slice.addressType === group.addressType && sameValue(slice.ports ?? [], group.ports);

const idOf = (endpoint: {
  readonly addresses: readonly string[];
  readonly targetRef?: { readonly uid?: string };
}): string => `${endpoint.targetRef?.uid ?? ''} ${endpoint.addresses.join()}`;

function fill(slices: readonly Live<EndpointSlice>[], group: EndpointGroup) {
  const left = new Map(group.endpoints.map((endpoint) => [idOf(endpoint), endpoint]));
  const kept = new Map<Live<EndpointSlice>, Endpoint[]>();
  for (const slice of slices) {
    const here: Endpoint[] = [];
    for (const endpoint of slice.endpoints ?? []) {
      const id = idOf(endpoint);
      const wanted = left.get(id);
      if (!wanted) continue;
      here.push(wanted);
      left.delete(id);
    }
    kept.set(slice, here);
  }
  const rest = [...left.values()];
  for (const endpoints of kept.values())
    endpoints.push(...rest.splice(0, Math.max(0, ENDPOINTS_MAX - endpoints.length)));
  const fresh: Endpoint[][] = [];
  while (rest.length > 0) fresh.push(rest.splice(0, ENDPOINTS_MAX));
  if (kept.size === 0 && fresh.length === 0) fresh.push([]);
  return { kept, fresh };
}

function fresh(observed: Observed, group: EndpointGroup, endpoints: readonly Endpoint[]): EndpointSlice {
  const { name, namespace = '' } = observed.owner.metadata;
  const told = observed.changesMs.length > 0 ? formatTime(Math.min(...observed.changesMs)) : undefined;
  const annotations: Record<string, string> = { ...observed.annotations, ...(told ? { [TRIGGER_TIME]: told } : {}) };
  return {
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: { ...observed.labels },
      ...(Object.keys(annotations).length > 0 ? { annotations } : {}),
    },
    addressType: group.addressType,
    endpoints: [...endpoints],
    ports: [...group.ports],
  };
}

/** The slice with these endpoints and today's labels; undefined where that is what it is. */
function changed(
  observed: Observed,
  slice: Live<EndpointSlice>,
  endpoints: readonly Endpoint[],
): EndpointSlice | undefined {
  const { annotations = {} } = slice.metadata;
  const { [TRIGGER_TIME]: _, ...others } = annotations as Record<string, string>;
  const same =
    sameValue(slice.endpoints ?? [], endpoints) &&
    sameValue(slice.metadata.labels, observed.labels) &&
    sameValue(others, observed.annotations);
  if (same) return undefined;
  const news = observed.changesMs;
  const trigger = news.length > 0 ? { [TRIGGER_TIME]: formatTime(Math.min(...news)) } : {};
  const metadata = {
    ...slice.metadata,
    labels: { ...observed.labels },
    annotations: { ...observed.annotations, ...trigger },
  };
  return { ...slice, metadata, endpoints: [...endpoints] } as unknown as EndpointSlice;
}

/** Whether `manager` keeps the slice. */
export const isManagedBy = (slice: Live<EndpointSlice>, manager: string): boolean =>
  valueIn(slice.metadata.labels as Record<string, string> | undefined, MANAGED_BY) === manager;
