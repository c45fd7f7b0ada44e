import { formatTime } from '../../../../libs/base/clock.ts';
import type { ClusterObjects, ResourceClaim } from '../../cache/cluster-objects.ts';
import { anyTermMatches } from '../../cache/node-selector.ts';
import type { PodInfo } from '../../cache/pod-info.ts';
import type { BindApi, CycleContext, Plugin } from '../../framework/plugin.ts';
import { type Status, status, unresolvable, unschedulable } from '../../framework/status.ts';
import { type Allocated, AllocationError, allocate } from './allocator.ts';
import { DeviceSelectors } from './device-selector.ts';

export const NAME = 'DynamicResources';
const CANNOT = unresolvable(NAME, 'cannot allocate all claims');
const ELSEWHERE = unschedulable(NAME, 'resourceclaim not available on the node');
const FINALIZER = 'resource.kubernetes.io/delete-protection';
/** As many pods may share a claim. */
const CONSUMERS_MAX = 256;

/** The claims of a pod by key; undefined for one that has not been made from its template yet. */
export function resourceClaimsOf({ pod, namespace }: PodInfo): readonly (string | undefined)[] {
  return (pod.spec?.resourceClaims ?? []).flatMap(({ name, resourceClaimName }) => {
    if (resourceClaimName) return [`${namespace}/${resourceClaimName}`];
    const made = pod.status?.resourceClaimStatuses?.find((one) => one.name === name);
    if (!made) return [undefined];
    // A template may say that no claim is needed.
    return made.resourceClaimName ? [`${namespace}/${made.resourceClaimName}`] : [];
  });
}

/**
 * Devices: a pod waits for its claims to exist, and goes where their devices are or can be allocated. Devices that share
 * counters or are handed out in parts are left alone.
 */
export function dynamicResources(): Plugin {
  const selectors = new DeviceSelectors();
  return {
    name: NAME,
    scope: 'cluster',
    interests: [
      { kind: 'ResourceClaim', actions: ['add', 'update', 'delete'] },
      { kind: 'ResourceSlice', actions: ['add', 'update'] },
      { kind: 'DeviceClass', actions: ['add', 'update'] },
      { kind: 'Pod', actions: ['self'] },
      { kind: 'Node', actions: ['add', 'update'] },
    ],
    preEnqueue: (pod, objects) => missing(pod, objects),
    preFilter: (context) => {
      const claims = claimsOf(context.pod, context.objects);
      if (claims.length === 0) return undefined;
      const full = claims.find(({ status: now }) => (now?.reservedFor?.length ?? 0) >= CONSUMERS_MAX);
      if (full) return unschedulable(NAME, 'resourceclaim in use');
      return { filter: (node) => refusalOf(context, claims, node, selectors) };
    },
    postFilter: ({ pod }) => ({
      message:
        (pod.pod.spec?.resourceClaims?.length ?? 0) > 0 ? 'still not schedulable' : 'no new claims to deallocate',
    }),
    reserve: (context, node) => {
      const claims = claimsOf(context.pod, context.objects);
      if (claims.length === 0) return undefined;
      const { state, objects } = context;
      const name = state.names[node] as string;
      const wanted = claims.filter(({ status: now }) => !now?.allocation);
      const found = allocate(wanted, { name, labels: state.labels[node] as never }, objects, selectors);
      if (!found) return CANNOT;
      for (const claim of claims) {
        const wish = reserved(claim, context.pod, found.get(claim), name);
        objects.assume('ResourceClaim', wish, (told) => Boolean(told.status?.allocation));
      }
      return undefined;
    },
    unreserve: ({ pod, objects }) => {
      for (const key of resourceClaimsOf(pod)) if (key) objects.forget('ResourceClaim', key);
    },
    preBind: (context, _, api) => writeClaims(context, api),
  };
}

function missing(pod: PodInfo, objects: ClusterObjects): Status | undefined {
  for (const key of resourceClaimsOf(pod)) {
    if (key === undefined) return unresolvable(NAME, `pod "${pod.key}": ResourceClaim not created yet`);
    if (!objects.get('ResourceClaim', key)) {
      return unresolvable(NAME, `resourceclaim "${key.slice(key.indexOf('/') + 1)}" not found`);
    }
  }
  return undefined;
}

const claimsOf = (pod: PodInfo, objects: ClusterObjects): readonly ResourceClaim[] =>
  resourceClaimsOf(pod).flatMap((key) => (key ? (objects.get('ResourceClaim', key) ?? []) : []));

function refusalOf(
  { state, objects }: CycleContext,
  claims: readonly ResourceClaim[],
  node: number,
  selectors: DeviceSelectors,
): Status | undefined {
  const name = state.names[node] as string;
  const labels = state.labels[node] as (typeof state.labels)[number];
  const wanted: ResourceClaim[] = [];
  for (const claim of claims) {
    const allocation = claim.status?.allocation;
    if (!allocation) wanted.push(claim);
    else if (allocation.nodeSelector && !anyTermMatches(allocation.nodeSelector.nodeSelectorTerms, name, labels)) {
      return ELSEWHERE;
    }
  }
  if (wanted.length === 0) return undefined;
  try {
    return allocate(wanted, { name, labels }, objects, selectors) ? undefined : CANNOT;
  } catch (error) {
    if (!(error instanceof AllocationError)) throw error;
    return status('Error', NAME, `running "${NAME}" filter plugin: ${error.message}`);
  }
}

/** The claim as it is to be: allocated, protected from deletion, reserved for the pod. */
function reserved(
  claim: ResourceClaim,
  pod: PodInfo,
  results: readonly Allocated[] | undefined,
  node: string,
): ResourceClaim {
  const consumers = claim.status?.reservedFor ?? [];
  const known = consumers.some(({ uid }) => uid === pod.uid);
  const reservedFor = known ? consumers : [...consumers, { resource: 'pods', name: pod.name, uid: pod.uid }];
  const allocation = results
    ? {
        devices: { results },
        nodeSelector: {
          nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [node] }] }],
        },
      }
    : claim.status?.allocation;
  return { ...claim, status: { ...claim.status, allocation, reservedFor } } as ResourceClaim;
}

async function writeClaims({ pod, objects }: CycleContext, api: BindApi): Promise<undefined> {
  for (const claim of claimsOf(pod, objects)) {
    const { metadata, status: wanted } = claim;
    let live: object = claim;
    if (!metadata?.finalizers?.includes(FINALIZER)) {
      const finalizers = [...(metadata?.finalizers ?? []), FINALIZER];
      live = await api.update('ResourceClaim', { ...claim, metadata: { ...metadata, finalizers } });
    }
    const allocation = wanted?.allocation;
    const stamped =
      allocation && !allocation.allocationTimestamp
        ? { ...allocation, allocationTimestamp: formatTime(api.nowMs()) }
        : allocation;
    await api.updateStatus('ResourceClaim', { ...live, status: { ...wanted, allocation: stamped } });
  }
  return undefined;
}
