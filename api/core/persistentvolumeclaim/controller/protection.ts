import type { Live } from '../../../../libs/kind/object.ts';
import { ownKey, type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { controllerOf, isDeleting } from '../../../../libs/machinery/meta.ts';
import { type ProtectionAction, planProtection } from '../../../meta/protection.ts';
import { persistentVolumeClaims, pods } from '../../../resources.ts';
import type { PersistentVolumeClaim, Pod } from '../../../types/core/v1.generated.ts';

const PVC_PROTECTION = 'kubernetes.io/pvc-protection';

export interface Observed {
  readonly claim: Live<PersistentVolumeClaim>;
  /** Pods of the claim's namespace that name it. */
  readonly pods: readonly Live<Pod>[];
}

/** The claims that a pod's volumes name: those it was given, and those that are made for it. */
export function claimNamesOf({ metadata, spec }: Live<Pod>): string[] {
  return (spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) =>
    persistentVolumeClaim ? [persistentVolumeClaim.claimName] : ephemeral ? [`${metadata.name}-${name}`] : [],
  );
}

/**
 * Whether the pod uses the claim: it has a node (before that no kubelet would start it, as the claim goes), and names the
 * claim, or has it made for itself.
 */
export function uses(pod: Live<Pod>, claim: Live<PersistentVolumeClaim>): boolean {
  if (!pod.spec?.nodeName) return false;
  const { name } = claim.metadata;
  return (pod.spec.volumes ?? []).some((volume) => {
    if (volume.persistentVolumeClaim) return volume.persistentVolumeClaim.claimName === name;
    if (!volume.ephemeral || `${pod.metadata.name}-${volume.name}` !== name) return false;
    return controllerOf(claim)?.uid === pod.metadata.uid;
  });
}

/** A claim that is deleted stays as long as a pod uses it. */
export function plan({ claim, pods }: Observed): Plan<ProtectionAction> {
  return planProtection(claim, PVC_PROTECTION, () => pods.some((pod) => uses(pod, claim)));
}

/** Keeps claims that pods use from going. */
export const pvcProtectionController: Reconciler<Observed, ProtectionAction> = {
  name: 'persistentvolumeclaim-protection-controller',
  watches: [
    watching(persistentVolumeClaims, ownKey),
    watching(pods, (pod) => claimNamesOf(pod).map((name) => `${pod.metadata.namespace}/${name}`)),
  ],
  observe({ informers }, key) {
    const claim = informers.informer(persistentVolumeClaims).get(key);
    if (!claim) return undefined;
    const { namespace = '', name } = claim.metadata;
    const inNamespace = isDeleting(claim) ? informers.informer(pods).list(namespace) : [];
    return { claim, pods: inNamespace.filter((pod) => claimNamesOf(pod).includes(name)) };
  },
  plan,
  async apply({ client }, { type, finalizers }, { claim }) {
    const { namespace = '' } = claim.metadata;
    // What is released cannot be taken back: the server is asked, as the informer may be behind.
    if (type === 'release') {
      const { items } = await client.resource(pods).namespace(namespace).list();
      if (items.some((pod) => uses(pod, claim))) return [];
    }
    const changed = { ...claim, metadata: { ...claim.metadata, finalizers } } as unknown as PersistentVolumeClaim;
    const { metadata } = await client.resource(persistentVolumeClaims).namespace(namespace).update(changed);
    return [{ ref: persistentVolumeClaims, resourceVersion: metadata.resourceVersion }];
  },
};
