import type { Plugin } from '../../framework/plugin.ts';
import { unresolvable } from '../../framework/status.ts';
import type { PodInfo } from '../../cache/pod-info.ts';
import type { ClusterObjects, ResourceClaim } from '../../cache/cluster-objects.ts';

export const NAME = 'DynamicResources';

/** The claims of a pod by name; undefined for one that its template has not been made into yet. */
export function resourceClaimsOf({ pod, namespace }: PodInfo): readonly (string | undefined)[] {
  return (pod.spec?.resourceClaims ?? []).flatMap(({ name, resourceClaimName }) => {
    if (resourceClaimName) return [`${namespace}/${resourceClaimName}`];
    const made = pod.status?.resourceClaimStatuses?.find((status) => status.name === name);
    if (!made) return [undefined];
    // A template may say that no claim is needed.
    return made.resourceClaimName ? [`${namespace}/${made.resourceClaimName}`] : [];
  });
}

/** Devices: a pod waits for its claims to exist, and runs where their devices are. */
export function dynamicResources(): Plugin {
  return {
    name: NAME,
    scope: 'cluster',
    interests: [
      { kind: 'ResourceClaim', actions: ['add', 'update', 'delete'] },
      { kind: 'ResourceSlice', actions: ['add', 'update'] },
      { kind: 'DeviceClass', actions: ['add', 'update'] },
      { kind: 'Pod', actions: ['self'] },
    ],
    preEnqueue: (pod, objects) => missing(pod, objects),
    postFilter: ({ pod }) => ({
      message: (pod.pod.spec?.resourceClaims?.length ?? 0) > 0 ? 'still not schedulable' : 'no new claims to deallocate',
    }),
  };
}

function missing(pod: PodInfo, objects: ClusterObjects) {
  for (const key of resourceClaimsOf(pod)) {
    if (key === undefined) return unresolvable(NAME, `pod "${pod.key}": ResourceClaim not created yet`);
    const claim: ResourceClaim | undefined = objects.get('ResourceClaim', key);
    if (!claim) return unresolvable(NAME, `resourceclaim "${key.slice(key.indexOf('/') + 1)}" not found`);
  }
  return undefined;
}
