import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type { VolumeAttachment } from '../../types/storage/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const volumeAttachment = defineKind<VolumeAttachment>({
  group: 'storage.k8s.io',
  kind: 'VolumeAttachment',
  resource: 'volumeattachments',
  namespaced: false,
  versions: [{ version: 'v1', type: 'storage.v1.VolumeAttachment' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [nameColumn, ageColumn],
});
