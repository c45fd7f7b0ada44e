import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { PodSpec } from '../../types/core/v1.generated.ts';

/** The action of a restart rule after which every container of the pod begins anew (KEP-5532). */
export const RESTART_ALL_CONTAINERS = 'RestartAllContainers';

/** Whether the end of a container may be the new beginning of all. */
export const couldRestartAllContainers = (spec: DeepReadonly<PodSpec> | undefined): boolean =>
  [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])].some(({ restartPolicyRules }) =>
    restartPolicyRules?.some(({ action }) => action === RESTART_ALL_CONTAINERS),
  );
