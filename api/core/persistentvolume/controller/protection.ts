import { type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { hasFinalizer, isDeleting, withFinalizer, withoutFinalizer } from '../../../../libs/machinery/meta.ts';
import { persistentVolumes } from '../../../resources.ts';
import type { PersistentVolume } from '../../../types/core/v1.generated.ts';
import type { Volume } from './match.ts';

export const PV_PROTECTION = 'kubernetes.io/pv-protection';

export interface Action {
  readonly type: 'finalizers';
  readonly reason: string;
  readonly finalizers: readonly string[];
}

/** A volume that is deleted stays as long as a claim is bound to it. */
export function plan(volume: Volume): Plan<Action> {
  const has = hasFinalizer(volume, PV_PROTECTION);
  if (!isDeleting(volume)) {
    if (has) return { actions: [] };
    const finalizers = withFinalizer(volume, PV_PROTECTION);
    return { actions: [{ type: 'finalizers', finalizers, reason: 'it is not protected' }] };
  }
  if (!has || volume.status?.phase === 'Bound') return { actions: [] };
  const finalizers = withoutFinalizer(volume, PV_PROTECTION);
  return { actions: [{ type: 'finalizers', finalizers, reason: 'nobody has it any more' }] };
}

/** Keeps volumes that are bound from going. */
export const pvProtectionController: Reconciler<Volume, Action> = {
  name: 'persistentvolume-protection-controller',
  watches: [watching(persistentVolumes, ({ metadata }) => [metadata.name])],
  observe: ({ informers }, name) => informers.informer(persistentVolumes).get(name),
  plan,
  async apply({ client }, { finalizers }, volume) {
    const changed = { ...volume, metadata: { ...volume.metadata, finalizers } } as unknown as PersistentVolume;
    const { metadata } = await client.resource(persistentVolumes).update(changed);
    return [{ ref: persistentVolumes, resourceVersion: metadata.resourceVersion }];
  },
};
