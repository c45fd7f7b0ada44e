import { ownKey, type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
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

export interface Observed {
  readonly volume: Volume;
  /** Since when it has been seen without its finalizer. */
  readonly bareSinceMs: number | undefined;
}

/** Who takes a finalizer away is often about to delete: that long they have for it. */
const BARE_MS = 500;

/** A volume that is deleted stays as long as a claim is bound to it. */
export function plan({ volume, bareSinceMs }: Observed, nowMs: number): Plan<Action> {
  const has = hasFinalizer(volume, PV_PROTECTION);
  if (!isDeleting(volume)) {
    if (has) return { actions: [] };
    const leftMs = (bareSinceMs ?? nowMs) + BARE_MS - nowMs;
    if (leftMs > 0) return { actions: [], againAfterMs: leftMs };
    const finalizers = withFinalizer(volume, PV_PROTECTION);
    return { actions: [{ type: 'finalizers', finalizers, reason: 'it is not protected' }] };
  }
  if (!has || volume.status?.phase === 'Bound') return { actions: [] };
  const finalizers = withoutFinalizer(volume, PV_PROTECTION);
  return { actions: [{ type: 'finalizers', finalizers, reason: 'nobody has it any more' }] };
}

/** Keeps volumes that are bound from going. */
export function pvProtectionController(): Reconciler<Observed, Action> {
  const bareSinceMs = new Map<string, number>();
  return {
    name: 'persistentvolume-protection-controller',
    watches: [watching(persistentVolumes, ownKey)],
    observe({ informers, clock }, name) {
      const volume = informers.informer(persistentVolumes).get(name);
      if (!volume || hasFinalizer(volume, PV_PROTECTION)) bareSinceMs.delete(name);
      else if (!bareSinceMs.has(name)) bareSinceMs.set(name, clock.now());
      return volume && { volume, bareSinceMs: bareSinceMs.get(name) };
    },
    plan,
    async apply({ client }, { finalizers }, { volume }) {
      const changed = { ...volume, metadata: { ...volume.metadata, finalizers } } as unknown as PersistentVolume;
      const { metadata } = await client.resource(persistentVolumes).update(changed);
      return [{ ref: persistentVolumes, resourceVersion: metadata.resourceVersion }];
    },
  };
}
