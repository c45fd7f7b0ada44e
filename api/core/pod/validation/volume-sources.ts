/** What each kind of volume asks for. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, rangeText } from '../../../../libs/machinery/names.ts';
import { mustParseQuantity, signOfQuantity } from '../../../../libs/machinery/quantity.ts';
import type { Volume } from '../../../types/core/v1.generated.ts';
import { validateClaimTemplate } from './claim-template.ts';
import { descendingPath, fileMode, noBacksteps } from './paths.ts';
import { validateDownwardItems, validateKeyPaths, validateProjected } from './projections.ts';

type Seen = DeepReadonly<Volume>;

/** In the order in which they are looked for: of several the first counts. */
export const VOLUME_SOURCES = [
  'emptyDir',
  'hostPath',
  'gitRepo',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'secret',
  'nfs',
  'iscsi',
  'glusterfs',
  'flocker',
  'persistentVolumeClaim',
  'rbd',
  'cinder',
  'cephfs',
  'quobyte',
  'downwardAPI',
  'fc',
  'flexVolume',
  'configMap',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'storageos',
  'projected',
  'scaleIO',
  'csi',
  'ephemeral',
  'image',
] as const satisfies readonly (keyof Volume)[];

export type VolumeSource = (typeof VOLUME_SOURCES)[number];

/** Sources of which nothing is asked but that these members are given, in this order. */
const REQUIRED: Partial<Record<VolumeSource, readonly string[]>> = {
  glusterfs: ['endpoints', 'path'],
  persistentVolumeClaim: ['claimName'],
  rbd: ['monitors', 'image'],
  cephfs: ['monitors'],
  vsphereVolume: ['volumePath'],
  photonPersistentDisk: ['pdID'],
  portworxVolume: ['volumeID'],
  azureFile: ['secretName', 'shareName'],
  scaleIO: ['gateway', 'system', 'volumeName'],
};

export function validateSource(volume: Seen, source: VolumeSource, at: field.Path): field.ErrorList {
  const here = at.child(source === 'gcePersistentDisk' ? 'persistentDisk' : source);
  const names = REQUIRED[source];
  if (names) return required(volume[source] as object, names, here);
  return (RULES[source] as Rule)(volume[source], here);
}

type Rule = (source: unknown, at: field.Path) => field.ErrorList;

function required(source: object, names: readonly string[], at: field.Path): field.ErrorList {
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

const rule = <S extends VolumeSource>(check: (source: NonNullable<Seen[S]>, at: field.Path) => field.ErrorList): Rule =>
  check as Rule;

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
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never'];

const RULES: Partial<Record<VolumeSource, Rule>> = {
  emptyDir: rule<'emptyDir'>(({ sizeLimit }, at) =>
    sizeLimit !== undefined && signOfQuantity(mustParseQuantity(sizeLimit)) < 0
      ? [field.forbidden(at.child('sizeLimit'), 'SizeLimit field must be a valid resource quantity')]
      : [],
  ),
  hostPath: rule<'hostPath'>(({ path, type }, at) => {
    if (!path) return [field.required(at.child('path'))];
    const errors = noBacksteps(path, at.child('path'));
    if (type !== undefined && !HOST_PATH_TYPES.includes(type)) {
      errors.push(field.notSupported(at.child('type'), type, HOST_PATH_TYPES));
    }
    return errors;
  }),
  gitRepo: rule<'gitRepo'>((source, at) => [
    ...required(source, ['repository'], at),
    ...descendingPath(source.directory ?? '', at.child('directory')),
  ]),
  gcePersistentDisk: rule<'gcePersistentDisk'>((source, at) => [
    ...required(source, ['pdName'], at),
    ...range(source.partition, 0, 255, at.child('partition'), 1),
  ]),
  awsElasticBlockStore: rule<'awsElasticBlockStore'>((source, at) => [
    ...required(source, ['volumeID'], at),
    ...range(source.partition, 0, 255, at.child('partition'), 1),
  ]),
  secret: rule<'secret'>((source, at) => [
    ...required(source, ['secretName'], at),
    ...fileMode(source.defaultMode, at.child('defaultMode')),
    ...validateKeyPaths(source.items ?? [], at.child('items')),
  ]),
  configMap: rule<'configMap'>((source, at) => [
    ...required(source, ['name'], at),
    ...fileMode(source.defaultMode, at.child('defaultMode')),
    ...validateKeyPaths(source.items ?? [], at.child('items')),
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
  cinder: rule<'cinder'>((source, at) => [
    ...required(source, ['volumeID'], at),
    ...(source.secretRef ? required(source.secretRef, ['name'], at.child('secretRef')) : []),
  ]),
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
  downwardAPI: rule<'downwardAPI'>((source, at) => [
    ...fileMode(source.defaultMode, at.child('defaultMode')),
    ...validateDownwardItems(source.items ?? [], at),
  ]),
  fc: rule<'fc'>(({ targetWWNs = [], wwids = [], lun }, at) => {
    const here = at.child('targetWWNs');
    if (targetWWNs.length === 0 && wwids.length === 0) {
      return [field.required(here, 'must specify either targetWWNs or wwids, but not both')];
    }
    if (targetWWNs.length > 0 && wwids.length > 0) {
      return [field.invalid(here, targetWWNs, 'targetWWNs and wwids can not be specified simultaneously')];
    }
    if (targetWWNs.length === 0) return [];
    if (lun === undefined) return [field.required(at.child('lun'), 'lun is required if targetWWNs is specified')];
    return range(lun, 0, 255, at.child('lun'));
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
  storageos: rule<'storageos'>((source, at) => {
    const errors: field.ErrorList = [];
    if (!source.volumeName) errors.push(field.required(at.child('volumeName')));
    if (source.secretRef) errors.push(...required(source.secretRef, ['name'], at.child('secretRef')));
    return errors;
  }),
  projected: rule<'projected'>((source, at) => [
    ...fileMode(source.defaultMode, at.child('defaultMode')),
    ...validateProjected(source.sources ?? [], at),
  ]),
  csi: rule<'csi'>(({ driver, nodePublishSecretRef }, at) => {
    const errors = validateDriver(driver ?? '', at.child('driver'));
    if (nodePublishSecretRef)
      errors.push(...required(nodePublishSecretRef, ['name'], at.child('nodePublishSecretRef')));
    return errors;
  }),
  ephemeral: rule<'ephemeral'>(({ volumeClaimTemplate }, at) =>
    volumeClaimTemplate
      ? validateClaimTemplate(volumeClaimTemplate, at.child('volumeClaimTemplate'))
      : [field.required(at.child('volumeClaimTemplate'))],
  ),
  image: rule<'image'>(({ reference, pullPolicy }, at) => {
    const errors = required({ reference }, ['reference'], at);
    if (pullPolicy && !PULL_POLICIES.includes(pullPolicy)) {
      errors.push(field.notSupported(at.child('pullPolicy'), pullPolicy, PULL_POLICIES));
    }
    return errors;
  }),
};

/** iSCSI qualified names, as RFC 3720 states their three forms. */
function qualifiedTarget(name: string, at: field.Path): field.ErrorList {
  if (!QUALIFIED_NAME_FORMS.some((form) => name.startsWith(form))) {
    return [field.invalid(at, name, 'must be valid format starting with iqn, eui, or naa')];
  }
  const forms = [/^iqn\.\d{4}-\d{2}\.[a-z0-9.-]+(:[^,;*&$|\s]+)$/i, /^eui\.[0-9a-f]{16}$/i, /^naa\.[0-9a-f]{32}$/i];
  return forms.some((form) => form.test(name)) ? [] : [field.invalid(at, name, 'must be valid format')];
}

const DRIVER_LENGTH_MAX = 63;

/** The name of a CSI driver. */
export function validateDriver(driver: string, at: field.Path): field.ErrorList {
  if (driver === '') return [field.required(at)];
  const errors: field.ErrorList = driver.length > DRIVER_LENGTH_MAX ? [field.tooLong(at, DRIVER_LENGTH_MAX)] : [];
  for (const text of dns1123Subdomain(driver.toLowerCase())) errors.push(field.invalid(at, driver, text));
  return errors;
}
