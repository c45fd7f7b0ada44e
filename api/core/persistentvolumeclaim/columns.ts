import type { Column } from '../../../libs/kind/column.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented, UNSET } from '../../meta/columns.ts';
import type { PersistentVolumeClaim } from '../../types/core/v1.generated.ts';
import { classText, modesText, phaseText } from '../persistentvolume/columns.ts';

const spec = (name: string) => documented('core.v1.PersistentVolumeClaimSpec', name);
const status = (name: string) => documented('core.v1.PersistentVolumeClaimStatus', name);

export const columns: readonly Column<PersistentVolumeClaim>[] = [
  nameColumn as Column<PersistentVolumeClaim>,
  { name: 'Status', type: 'string', description: status('phase'), value: phaseText },
  { name: 'Volume', type: 'string', description: spec('volumeName'), value: (o) => o.spec?.volumeName ?? '' },
  {
    name: 'Capacity',
    type: 'string',
    description: status('capacity'),
    value: (o) => (o.spec?.volumeName ? (o.status?.capacity?.storage ?? '0') : ''),
  },
  {
    name: 'Access Modes',
    type: 'string',
    description: status('accessModes'),
    value: (o) => (o.spec?.volumeName ? modesText(o.status?.accessModes) : ''),
  },
  { name: 'StorageClass', type: 'string', description: 'The class that was asked for', value: classText },
  {
    name: 'VolumeAttributesClass',
    type: 'string',
    description: 'The class that says how the volume shall be tuned',
    value: (o) => o.spec?.volumeAttributesClassName ?? UNSET,
  },
  ageColumn as Column<PersistentVolumeClaim>,
  {
    name: 'VolumeMode',
    type: 'string',
    priority: 1,
    description: spec('volumeMode'),
    value: (o) => o.spec?.volumeMode ?? UNSET,
  },
];
