import type { Clock } from '../../libs/base/clock.ts';
import {
  newAuditAnnotations,
  newWarnings,
  nonResourceAttributes,
  type RequestContext,
} from '../../libs/kind/request.ts';

/** The context of what the API server does by itself: as `system:apiserver`, without a deadline. */
export function systemContext(clock: Clock, step: string): RequestContext {
  return {
    user: { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'], extra: {} },
    attributes: nonResourceAttributes('update', ''),
    deadlineMs: clock.monotonic() + 60_000,
    ends: new AbortController(),
    warnings: newWarnings(),
    audit: newAuditAnnotations(),
    cause: { component: 'apiserver', step },
    trace: 'apiserver',
    dryRun: false,
    nowMs: clock.now(),
    fieldManager: 'kube-apiserver',
    fieldValidation: 'Ignore',
  };
}
