import type { StatusSubresource } from '../../../libs/kind/kind.ts';
import { keepAllButStatus, keepStatus } from '../../../libs/kind/status.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../types/core/v1.generated.ts';
import {
  type DataSource,
  validatePersistentVolumeClaim,
  validatePersistentVolumeClaimStatus,
  validatePersistentVolumeClaimUpdate,
} from './validation.ts';
import { claimWarnings } from './warnings.ts';

export const strategy: Strategy<PersistentVolumeClaim> = {
  resetFields: ['status'],
  defaults: ({ spec }) => {
    if (spec) spec.volumeMode ??= 'Filesystem';
  },
  prepareForCreate(_ctx, draft) {
    draft.status = { phase: 'Pending' };
    if (draft.spec) normalizeDataSources(draft.spec);
  },
  prepareForUpdate(_ctx, draft, old) {
    keepStatus(draft, old);
    // Only what an older server stored lacks one of the two.
    if (draft.spec && !old.spec?.dataSource && !old.spec?.dataSourceRef) return;
    if (draft.spec) copyDataSource(draft.spec);
  },
  validate: validatePersistentVolumeClaim,
  validateUpdate: validatePersistentVolumeClaimUpdate,
  warnings: claimWarnings,
};

/**
 * `dataSource` is the older of two fields that say the same: it takes claims and snapshots alone and drops anything else in
 * silence, `dataSourceRef` takes any kind. A source in another namespace is behind a gate that is off.
 */
export function normalizeDataSources(spec: PersistentVolumeClaimSpec): void {
  if (spec.dataSource && !spec.dataSourceRef && !isClaimOrSnapshot(spec.dataSource)) delete spec.dataSource;
  if (spec.dataSourceRef?.namespace) delete spec.dataSourceRef;
  copyDataSource(spec);
}

function copyDataSource(spec: PersistentVolumeClaimSpec): void {
  if (spec.dataSource && !spec.dataSourceRef) spec.dataSourceRef = { ...spec.dataSource };
  else if (spec.dataSourceRef && !spec.dataSource) {
    const { apiGroup, kind, name } = spec.dataSourceRef;
    spec.dataSource = { ...(apiGroup === undefined ? {} : { apiGroup }), kind, name };
  }
}

function isClaimOrSnapshot({ apiGroup, kind }: DataSource): boolean {
  if (!apiGroup) return kind === 'PersistentVolumeClaim';
  return apiGroup === 'snapshot.storage.k8s.io' && kind === 'VolumeSnapshot';
}

export const statusStrategy: StatusSubresource<PersistentVolumeClaim>['strategy'] = {
  resetFields: ['spec'],
  prepareForUpdate: (_ctx, draft, old) => keepAllButStatus(draft, old, ['labels', 'annotations']),
  validateUpdate: validatePersistentVolumeClaimStatus,
};
