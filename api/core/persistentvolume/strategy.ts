import { formatTime } from '../../../libs/base/clock.ts';
import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import type { PersistentVolume } from '../../types/core/v1.generated.ts';
import { nodeSelectorWarnings } from '../node/node-selector.ts';
import { defaultPersistentVolume } from './defaults.ts';
import {
  MOUNT_OPTIONS_ANNOTATION,
  STORAGE_CLASS_ANNOTATION,
  validatePersistentVolume,
  validatePersistentVolumeUpdate,
} from './validation.ts';
import { sourceWarnings } from './volume-sources.ts';

const RECYCLE =
  'The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.';

export const strategy: Strategy<PersistentVolume> = {
  resetFields: ['status'],
  defaults: defaultPersistentVolume,
  prepareForCreate(ctx, draft) {
    draft.status = { phase: 'Pending', lastPhaseTransitionTime: formatTime(ctx.nowMs) };
  },
  prepareForUpdate: (_ctx, draft, old) => keepStatus(draft, old),
  validate: validatePersistentVolume,
  validateUpdate: validatePersistentVolumeUpdate,
  warnings,
};

export const statusStrategy: StatusSubresource<PersistentVolume>['strategy'] = {
  resetFields: ['spec'],
  prepareForUpdate(ctx, draft, old) {
    keepAllButStatus(draft, old, ['labels', 'annotations']);
    if (!draft.status || draft.status.phase === old.status?.phase) return;
    // Whoever changes the phase may say when; a time that was there before is of the phase before.
    const told = draft.status.lastPhaseTransitionTime;
    if (!told || told === old.status?.lastPhaseTransitionTime) {
      draft.status.lastPhaseTransitionTime = formatTime(ctx.nowMs);
    }
  },
};

function warnings({ metadata, spec }: DeepReadonly<PersistentVolume>): string[] {
  const out: string[] = [];
  const annotated = (name: string) => metadata?.annotations?.[name] !== undefined;
  if (annotated(STORAGE_CLASS_ANNOTATION)) {
    out.push(
      `metadata.annotations[${STORAGE_CLASS_ANNOTATION}]: deprecated since v1.8; use "storageClassName" attribute instead`,
    );
  }
  if (annotated(MOUNT_OPTIONS_ANNOTATION)) {
    out.push(
      `metadata.annotations[${MOUNT_OPTIONS_ANNOTATION}]: deprecated since v1.31; use "mountOptions" attribute instead`,
    );
  }
  if (spec?.persistentVolumeReclaimPolicy === 'Recycle') out.push(`spec.persistentVolumeReclaimPolicy: ${RECYCLE}`);
  out.push(...nodeSelectorWarnings(spec?.nodeAffinity?.required, field.path('spec', 'nodeAffinity', 'required')));
  return [...out, ...sourceWarnings(spec)];
}
