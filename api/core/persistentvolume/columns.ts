import type { Column } from '../../../libs/kind/column.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { documented, UNSET } from '../../meta/columns.ts';
import type { PersistentVolume } from '../../types/core/v1.generated.ts';

type Seen = DeepReadonly<PersistentVolume>;
const spec = (name: string) => documented('core.v1.PersistentVolumeSpec', name);
const status = (name: string) => documented('core.v1.PersistentVolumeStatus', name);

const SHORT_MODES = [
  ['ReadWriteOnce', 'RWO'],
  ['ReadOnlyMany', 'ROX'],
  ['ReadWriteMany', 'RWX'],
  ['ReadWriteOncePod', 'RWOP'],
] as const;

/** `RWO,ROX`: always in the same order. */
export function modesText(modes: readonly string[] | undefined): string {
  return SHORT_MODES.filter(([mode]) => modes?.includes(mode))
    .map(([, short]) => short)
    .join(',');
}

/** Whoever is being deleted is shown as going, whatever else it is. */
export const phaseText = (object: {
  readonly metadata?: { readonly deletionTimestamp?: string };
  readonly status?: { readonly phase?: string };
}) => (object.metadata?.deletionTimestamp ? 'Terminating' : (object.status?.phase ?? ''));

/** The class may also stand in an annotation, where it stood first. */
export function classText(object: {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: { readonly storageClassName?: string };
}): string {
  return (
    object.metadata?.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? object.spec?.storageClassName ?? ''
  );
}

const claimText = ({ spec: { claimRef } = {} }: Seen) => (claimRef ? `${claimRef.namespace}/${claimRef.name}` : '');

export const columns: readonly Column<PersistentVolume>[] = [
  nameColumn as Column<PersistentVolume>,
  { name: 'Capacity', type: 'string', description: spec('capacity'), value: (o) => o.spec?.capacity?.storage ?? '0' },
  {
    name: 'Access Modes',
    type: 'string',
    description: spec('accessModes'),
    value: (o) => modesText(o.spec?.accessModes),
  },
  {
    name: 'Reclaim Policy',
    type: 'string',
    description: spec('persistentVolumeReclaimPolicy'),
    value: (o) => o.spec?.persistentVolumeReclaimPolicy ?? '',
  },
  { name: 'Status', type: 'string', description: status('phase'), value: phaseText },
  { name: 'Claim', type: 'string', description: spec('claimRef'), value: claimText },
  { name: 'StorageClass', type: 'string', description: 'The class that the volume belongs to', value: classText },
  {
    name: 'VolumeAttributesClass',
    type: 'string',
    description: 'The class that says how the volume is tuned',
    value: (o) => o.spec?.volumeAttributesClassName ?? UNSET,
  },
  { name: 'Reason', type: 'string', description: status('reason'), value: (o) => o.status?.reason ?? '' },
  ageColumn as Column<PersistentVolume>,
  {
    name: 'VolumeMode',
    type: 'string',
    priority: 1,
    description: spec('volumeMode'),
    value: (o) => o.spec?.volumeMode ?? UNSET,
  },
];
