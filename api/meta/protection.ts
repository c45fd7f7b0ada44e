import type { Plan } from '../../libs/kind/reconciler.ts';
import { type HasMeta, hasFinalizer, isDeleting, withFinalizer, withoutFinalizer } from '../../libs/machinery/meta.ts';

export interface ProtectionAction {
  readonly type: 'protect' | 'release';
  readonly reason: string;
  readonly finalizers: readonly string[];
}

/** What is deleted stays, by `finalizer`, as long as somebody uses it; `isUsed` is asked only where that decides. */
export function planProtection(object: HasMeta, finalizer: string, isUsed: () => boolean): Plan<ProtectionAction> {
  const has = hasFinalizer(object, finalizer);
  if (!isDeleting(object)) {
    if (has) return { actions: [] };
    const finalizers = withFinalizer(object, finalizer);
    return { actions: [{ type: 'protect', finalizers, reason: 'it is not protected' }] };
  }
  if (!has || isUsed()) return { actions: [] };
  const finalizers = withoutFinalizer(object, finalizer);
  return { actions: [{ type: 'release', finalizers, reason: 'nobody uses it any more' }] };
}
