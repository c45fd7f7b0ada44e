import type { Plugin } from '../../framework/plugin.ts';
import { unresolvable } from '../../framework/status.ts';

export const NAME = 'SchedulingGates';
const GATED = unresolvable(NAME, 'Scheduling is blocked due to non-empty scheduling gates');

/** Keeps pods with gates out of the queue until the last gate is lifted. */
export function schedulingGates(): Plugin {
  return {
    name: NAME,
    scope: 'cluster',
    interests: [{ kind: 'Pod', actions: ['self'] }],
    preEnqueue: (pod) => ((pod.pod.spec?.schedulingGates?.length ?? 0) > 0 ? GATED : undefined),
  };
}
