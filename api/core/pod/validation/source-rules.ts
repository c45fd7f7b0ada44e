/** What volumes ask for that stand in pods and in PersistentVolumes alike. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { dns1123Label, namespaceName, rangeText } from '../../../../libs/machinery/names.ts';
import type { PersistentVolumeSpec } from '../../../types/core/v1.generated.ts';
import { noBacksteps } from './paths.ts';

/** What is wrong with one source, which stands at `at`. */
export type SourceRule = (source: unknown, at: field.Path) => field.ErrorList;

export function required(source: object, names: readonly string[], at: field.Path): field.ErrorList {
  const missing = names.filter((name) => {
    const value = (source as Readonly<Record<string, unknown>>)[name];
    return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);
  });
  return missing.map((name) => field.required(at.child(name)));
}

function range(value: number | undefined, least: number, most: number, at: field.Path, from = least): field.ErrorList {
  if (value === undefined || (value >= least && value <= most)) return [];
  return [field.invalid(at, value, rangeText(from, most))];
}

/** A source of which nothing is asked but that these members are given. */
export const needs =
  (...names: readonly string[]): SourceRule =>
  (source, at) =>
    required(source as object, names, at);

/** Volumes of StorageOS have names of their own; the namespace is the pod's where none is said. */
export function storageosNames(
  { volumeName, volumeNamespace }: { readonly volumeName?: string; readonly volumeNamespace?: string },
  at: field.Path,
): field.ErrorList {
  const errors = volumeName ? [] : [field.required(at.child('volumeName'))];
  for (const [name, text] of Object.entries({ volumeName, volumeNamespace })) {
    if (!text) continue;
    errors.push(...dns1123Label(text).map((problem) => field.invalid(at.child(name), text, problem)));
  }
  return errors;
}

const rule = <S extends keyof PersistentVolumeSpec>(
  check: (source: NonNullable<DeepReadonly<PersistentVolumeSpec>[S]>, at: field.Path) => field.ErrorList,
): SourceRule => check as SourceRule;

const HOST_PATH_TYPES = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];
const DISK_URI = 'https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd';
const MANAGED_DISK_URI =
  '/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}';
const QUALIFIED_NAME_FORMS = ['iqn', 'eui', 'naa'];
const QUALIFIED_NAMES = [
  /^iqn\.\d{4}-\d{2}\.[a-z0-9.-]+(:[^,;*&$|\s]+)$/i,
  /^eui\.[0-9a-z]{16}$/i,
  /^naa\.[0-9a-z]{32}$/i,
];

export const SHARED_RULES = {
  hostPath: rule<'hostPath'>(({ path, type }, at) => {
    if (!path) return [field.required(at.child('path'))];
    const errors = noBacksteps(path, at.child('path'));
    if (type !== undefined && !HOST_PATH_TYPES.includes(type)) {
      errors.push(field.notSupported(at.child('type'), type, HOST_PATH_TYPES));
    }
    return errors;
  }),
  gcePersistentDisk: rule<'gcePersistentDisk'>((source, at) => [
    ...required(source, ['pdName'], at),
    ...range(source.partition, 0, 255, at.child('partition'), 1),
  ]),
  awsElasticBlockStore: rule<'awsElasticBlockStore'>((source, at) => [
    ...required(source, ['volumeID'], at),
    ...range(source.partition, 0, 255, at.child('partition'), 1),
  ]),
  nfs: rule<'nfs'>((source, at) => {
    const errors = required(source, ['server', 'path'], at);
    if (source.path?.startsWith('/')) return errors;
    return [...errors, field.invalid(at.child('path'), source.path ?? '', 'must be an absolute path')];
  }),
  iscsi: rule<'iscsi'>((source, at) => {
    const { iqn, lun, secretRef, chapAuthDiscovery, chapAuthSession, initiatorName } = source;
    const errors = required(source, ['targetPortal', 'iqn'], at);
    if (iqn) errors.push(...qualifiedTarget(iqn, at.child('iqn')));
    errors.push(...range(lun, 0, 255, at.child('lun')));
    if ((chapAuthDiscovery || chapAuthSession) && !secretRef) errors.push(field.required(at.child('secretRef')));
    if (initiatorName !== undefined) errors.push(...qualifiedTarget(initiatorName, at.child('initiatorname')));
    return errors;
  }),
  flocker: rule<'flocker'>(({ datasetName, datasetUUID }, at) => {
    if (!datasetName && !datasetUUID) return [field.required(at, 'one of datasetName and datasetUUID is required')];
    const errors: field.ErrorList = [];
    if (datasetName && datasetUUID) {
      errors.push(field.invalid(at, 'resource', 'datasetName and datasetUUID can not be specified simultaneously'));
    }
    if (datasetName?.includes('/')) {
      errors.push(field.invalid(at.child('datasetName'), datasetName, "must not contain '/'"));
    }
    return errors;
  }),
  quobyte: rule<'quobyte'>(({ registry, volume, tenant }, at) => {
    const errors: field.ErrorList = [];
    if (!registry) {
      const detail = 'must be a host:port pair or multiple pairs separated by commas';
      errors.push(field.required(at.child('registry'), detail));
    } else if ((tenant?.length ?? 0) >= 65) {
      errors.push(field.required(at.child('tenant'), 'must be a UUID and may not exceed a length of 64 characters'));
    } else if (!registry.split(',').every((pair) => /^[^:]*:[^:]*$/.test(pair))) {
      const detail = 'must be a host:port pair or multiple pairs separated by commas';
      errors.push(field.invalid(at.child('registry'), registry, detail));
    }
    if (!volume) errors.push(field.required(at.child('volume')));
    return errors;
  }),
  fc: rule<'fc'>(({ targetWWNs = [], wwids = [], lun }, at) => {
    const here = at.child('targetWWNs');
    if (targetWWNs.length === 0 && wwids.length === 0) {
      return [field.required(here, 'must specify either targetWWNs or wwids, but not both')];
    }
    if (targetWWNs.length === 0) return [];
    const errors: field.ErrorList = [];
    if (wwids.length > 0) {
      errors.push(field.invalid(here, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'));
    }
    if (lun === undefined) errors.push(field.required(at.child('lun'), 'lun is required if targetWWNs is specified'));
    return [...errors, ...range(lun, 0, 255, at.child('lun'))];
  }),
  flexVolume: rule<'flexVolume'>((source, at) => {
    const errors = required(source, ['driver'], at);
    for (const key of Object.keys(source.options ?? {})) {
      const host = key.includes('/') ? (key.split('/')[0] as string) : '';
      if (host !== 'kubernetes.io' && !host.endsWith('.kubernetes.io')) continue;
      errors.push(field.invalid(at.child('options').key(key), key, 'kubernetes.io namespace is reserved'));
    }
    return errors;
  }),
  azureDisk: rule<'azureDisk'>(({ diskName, diskURI, cachingMode, kind }, at) => {
    const errors = required({ diskName, diskURI }, ['diskName', 'diskURI'], at);
    const modes = ['None', 'ReadOnly', 'ReadWrite'];
    if (cachingMode !== undefined && !modes.includes(cachingMode)) {
      errors.push(field.notSupported(at.child('cachingMode'), cachingMode, modes));
    }
    const kinds = ['Dedicated', 'Managed', 'Shared'];
    if (kind !== undefined && !kinds.includes(kind)) errors.push(field.notSupported(at.child('kind'), kind, kinds));
    const uri = diskURI ?? '';
    if (kind === 'Managed' && !uri.startsWith('/')) {
      errors.push(field.notSupported(at.child('diskURI'), uri, [MANAGED_DISK_URI]));
    }
    if (kind !== 'Managed' && !uri.startsWith('https://') && !uri.startsWith('http://')) {
      errors.push(field.notSupported(at.child('diskURI'), uri, [DISK_URI]));
    }
    return errors;
  }),
  // The namespace is there in PersistentVolumes alone.
  glusterfs: rule<'glusterfs'>((source, at) => {
    const errors = required(source, ['endpoints', 'path'], at);
    const { endpointsNamespace: namespace } = source;
    if (namespace === undefined) return errors;
    const problems =
      namespace === ''
        ? ['if the endpointnamespace is set, it must be a valid namespace name']
        : namespaceName(namespace);
    return [...errors, ...problems.map((text) => field.invalid(at.child('endpointsNamespace'), namespace, text))];
  }),
  rbd: needs('monitors', 'image'),
  cephfs: needs('monitors'),
  vsphereVolume: needs('volumePath'),
  photonPersistentDisk: needs('pdID'),
  portworxVolume: needs('volumeID'),
  scaleIO: needs('gateway', 'system', 'volumeName'),
} as const satisfies Partial<Record<keyof PersistentVolumeSpec, SourceRule>>;

/** iSCSI qualified names, as RFC 3720 states their three forms. */
function qualifiedTarget(name: string, at: field.Path): field.ErrorList {
  if (!QUALIFIED_NAME_FORMS.some((form) => name.startsWith(form))) {
    return [field.invalid(at, name, 'must be valid format starting with iqn, eui, or naa')];
  }
  return QUALIFIED_NAMES.some((form) => form.test(name)) ? [] : [field.invalid(at, name, 'must be valid format')];
}
