import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented } from '../../meta/columns.ts';
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
  columns: [
    nameColumn,
    {
      name: 'Attacher',
      type: 'string',
      format: 'name',
      description: documented('storage.v1.VolumeAttachmentSpec', 'attacher'),
      value: ({ spec }) => spec?.attacher ?? '',
    },
    {
      name: 'PV',
      type: 'string',
      description: documented('storage.v1.VolumeAttachmentSource', 'persistentVolumeName'),
      value: ({ spec }) => spec?.source?.persistentVolumeName ?? '',
    },
    {
      name: 'Node',
      type: 'string',
      description: documented('storage.v1.VolumeAttachmentSpec', 'nodeName'),
      value: ({ spec }) => spec?.nodeName ?? '',
    },
    {
      name: 'Attached',
      type: 'boolean',
      description: documented('storage.v1.VolumeAttachmentStatus', 'attached'),
      value: ({ status }) => status?.attached ?? false,
    },
    ageColumn,
  ],
});
