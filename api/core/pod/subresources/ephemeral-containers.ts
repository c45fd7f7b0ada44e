import type { StatusSubresource } from '../../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { quote } from '../../../../libs/machinery/quote.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';
import { internalForm } from '../../../meta/internal-form.ts';
import { jsonDiff } from '../../../meta/line-diff.ts';
import type { Pod } from '../../../types/core/v1.generated.ts';
import { defaultPod } from '../defaults.ts';
import { validatePodAndAnnotations } from '../validation/pod.ts';
import { restoreAllBut } from './restore.ts';

/** Containers for looking into a running pod: they can be added, never changed or taken away. */
export const ephemeralContainers: StatusSubresource<Pod> = {
  form: 'status',
  strategy: {
    resetFields: ['status'],
    defaults: defaultPod,
    prepareForUpdate(_ctx, draft, old) {
      const wanted = draft.spec.ephemeralContainers;
      restoreAllBut(draft, old);
      if (wanted && wanted.length > 0) draft.spec.ephemeralContainers = wanted;
      else delete draft.spec.ephemeralContainers;
    },
    validateUpdate: (pod, old) => [...validatePodAndAnnotations(pod), ...keptErrors(pod, old)],
  },
};

function keptErrors(pod: DeepReadonly<Pod>, old: DeepReadonly<Pod>): field.ErrorList {
  const at = field.path('spec', 'ephemeralContainers');
  const now = new Map((pod.spec.ephemeralContainers ?? []).map((one) => [one.name, one]));
  return (old.spec.ephemeralContainers ?? []).flatMap((was) => {
    const one = now.get(was.name);
    const which = `existing ephemeral containers ${quote(was.name)}`;
    if (!one) return [field.forbidden(at, `${which} may not be removed\n`)];
    if (sameValue(one, was)) return [];
    const shown = (container: unknown) => internalForm('core.v1.EphemeralContainer', container);
    return [field.forbidden(at, `${which} may not be changed\n${jsonDiff(shown(was), shown(one))}`)];
  });
}
