import type { RequestContext } from '../../../libs/kind/request.ts';
import type { Pod } from '../../types/core/v1.generated.ts';

const DEFAULT_GRACE_SECONDS = 30;

/**
 * How long a pod stays while its node ends it: as asked for, else what its spec says. One that no node runs, or that has
 * finished, goes at once. A grace below zero counts as one second.
 */
export function beginPodDeletion(_ctx: RequestContext, pod: Pod, requested: number | undefined): number {
  let grace = requested ?? Number(pod.spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS);
  if (!pod.spec?.nodeName) grace = 0;
  if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') grace = 0;
  return grace < 0 ? 1 : grace;
}
