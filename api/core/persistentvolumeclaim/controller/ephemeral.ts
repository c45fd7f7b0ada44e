import type { DeepReadonly, Live } from '../../../../libs/kind/object.ts';
import { keyOf } from '../../../../libs/kind/object.ts';
import { type Plan, type Reconciler, type Written, watching } from '../../../../libs/kind/reconciler.ts';
import { isAlreadyExists } from '../../../../libs/machinery/errors.ts';
import { controllerOf, controllerReference, isDeleting } from '../../../../libs/machinery/meta.ts';
import { persistentVolumeClaims, pods } from '../../../resources.ts';
import type { PersistentVolumeClaim, Pod, Volume } from '../../../types/core/v1.generated.ts';

export interface Observed {
  readonly pod: Live<Pod>;
  /** By name: the claims that are there already. */
  readonly claims: ReadonlyMap<string, Live<PersistentVolumeClaim>>;
}

export type Action = { readonly reason: string; readonly volume: string } & (
  | { readonly type: 'create'; readonly claim: PersistentVolumeClaim }
  | { readonly type: 'refuse'; readonly message: string }
);

/** Each ephemeral volume of a pod has a claim, named after both, which belongs to the pod and goes with it. */
export function plan({ pod, claims }: Observed): Plan<Action> {
  const actions: Action[] = [];
  if (isDeleting(pod)) return { actions };
  for (const volume of pod.spec?.volumes ?? []) {
    if (!volume.ephemeral?.volumeClaimTemplate) continue;
    const name = `${pod.metadata.name}-${volume.name}`;
    const there = claims.get(name);
    if (!there) {
      actions.push({
        type: 'create',
        volume: volume.name,
        claim: claimFor(pod, volume),
        reason: 'a pod without its claim',
      });
    } else if (controllerOf(there)?.uid !== pod.metadata.uid) {
      const { namespace } = pod.metadata;
      const message = `PVC ${namespace}/${name} was not created for pod ${namespace}/${pod.metadata.name} (pod is not owner)`;
      actions.push({ type: 'refuse', volume: volume.name, message, reason: 'the name is taken' });
    }
  }
  return { actions };
}

function claimFor(pod: Live<Pod>, volume: DeepReadonly<Volume>): PersistentVolumeClaim {
  const { metadata, spec } = volume.ephemeral?.volumeClaimTemplate ?? {};
  const { labels, annotations } = metadata ?? {};
  return {
    metadata: {
      name: `${pod.metadata.name}-${volume.name}`,
      namespace: pod.metadata.namespace,
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ownerReferences: [controllerReference(pod, { apiVersion: 'v1', kind: 'Pod' })],
    },
    spec,
  } as unknown as PersistentVolumeClaim;
}

/** Makes the claims of pods' ephemeral volumes. */
export const ephemeralVolumeController: Reconciler<Observed, Action> = {
  name: 'ephemeral-volume-controller',
  watches: [
    watching(pods, (pod) => (pod.spec?.volumes?.some(({ ephemeral }) => ephemeral) ? [keyOf(pod)] : [])),
    watching(persistentVolumeClaims, (claim) => {
      const owner = controllerOf(claim);
      return owner?.kind === 'Pod' ? [`${claim.metadata.namespace}/${owner.name}`] : [];
    }),
  ],
  observe({ informers }, key) {
    const pod = informers.informer(pods).get(key);
    if (!pod) return undefined;
    const lister = informers.informer(persistentVolumeClaims);
    const claims = new Map<string, Live<PersistentVolumeClaim>>();
    for (const { name } of pod.spec?.volumes ?? []) {
      const claim = lister.get(`${pod.metadata.namespace}/${pod.metadata.name}-${name}`);
      if (claim) claims.set(claim.metadata.name, claim);
    }
    return { pod, claims };
  },
  plan,
  async apply({ client, events }, action, { pod }): Promise<readonly Written[]> {
    const refuse = (why: string) =>
      events.event(pod, 'Warning', 'FailedBinding', `ephemeral volume ${action.volume}: ${why}`);
    if (action.type === 'refuse') {
      refuse(action.message);
      return [];
    }
    try {
      const { namespace = '' } = pod.metadata;
      const made = await client.resource(persistentVolumeClaims).namespace(namespace).create(action.claim);
      return [{ ref: persistentVolumeClaims, resourceVersion: made.metadata.resourceVersion }];
    } catch (error) {
      // Made by somebody meanwhile: whose it is shows when it has been seen.
      if (isAlreadyExists(error)) return [];
      refuse(`create PVC ${action.claim.metadata.name}: ${(error as Error).message}`);
      throw error;
    }
  },
};
