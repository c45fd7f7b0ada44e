import { formatTime } from '../../../libs/base/clock.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { CustomResourceDefinition } from '../../types/apiextensions/v1.generated.ts';
import { defaults } from './defaults.ts';
import { validate, validateStatusUpdate, validateUpdate } from './validation.ts';
import { warnings } from './warnings.ts';

/** Holds a definition until the last instance of what it defines has gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

type Draft = CustomResourceDefinition;

export const strategy: Strategy<CustomResourceDefinition> = {
  // Its own finalizer has no domain.
  plainFinalizers: true,
  defaults,
  generation: 'count',
  allowUnconditionalUpdate: false,
  resetFields: ['status'],
  prepareForCreate(_ctx, draft) {
    const stored = draft.spec.versions?.find((version) => version.storage)?.name;
    draft.status = {
      conditions: null,
      acceptedNames: { plural: '', kind: '' },
      storedVersions: stored ? [stored] : null,
    };
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    const stored = draft.spec.versions?.find((version) => version.storage)?.name;
    const known = draft.status?.storedVersions ?? [];
    if (draft.status && stored && !known.includes(stored))
      draft.status = { ...draft.status, storedVersions: [...known, stored] };
  },
  validate: (draft) => validate(draft),
  validateUpdate: (draft, old) => validateUpdate(draft, old),
  warnings: (draft) => warnings(draft),
  gracefulDelete: {
    keepsGeneration: true,
    begin(ctx, draft) {
      if (!draft.metadata.deletionTimestamp) announceDeletion(draft, formatTime(ctx.nowMs));
      return 'unbounded';
    },
  },
};

function announceDeletion(draft: Draft, now: string): void {
  draft.metadata.finalizers = [
    ...(draft.metadata.finalizers ?? []).filter((one) => one !== CLEANUP_FINALIZER),
    CLEANUP_FINALIZER,
  ];
  const announcement = {
    type: 'Terminating',
    status: 'True',
    lastTransitionTime: now,
    reason: 'InstanceDeletionPending',
    message: 'CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon',
  };
  draft.status = { ...draft.status, conditions: [...(draft.status?.conditions ?? []), announcement] };
}

export const statusStrategy: StatusSubresource<CustomResourceDefinition>['strategy'] = {
  resetFields: ['spec'],
  allowUnconditionalUpdate: false,
  defaults,
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old),
  validateUpdate: (draft) => validateStatusUpdate(draft),
};
