/** The kinds of volume that a PersistentVolume can be: which parts each must have. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { validateCSIDriverName } from '../../storage/parameters.ts';
import type {
  CSIPersistentVolumeSource,
  FCVolumeSource,
  FlockerVolumeSource,
  HostPathVolumeSource,
  ISCSIPersistentVolumeSource,
  PersistentVolumeSpec,
} from '../../types/core/v1.generated.ts';

type Spec = DeepReadonly<PersistentVolumeSpec>;
type Validate<K extends keyof PersistentVolumeSpec> = (source: NonNullable<Spec[K]>, at: field.Path) => field.ErrorList;

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
const IN_A_BYTE = 'must be between 0 and 255, inclusive';

/** Parts that must not be empty. */
const needs =
  (...parts: string[]) =>
  (source: object, at: field.Path): field.ErrorList =>
    parts.flatMap((part) => {
      const value = (source as Readonly<Record<string, unknown>>)[part];
      const missing = value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
      return missing ? [field.required(at.child(part))] : [];
    });

function partition(source: { readonly partition?: number }, at: field.Path): field.ErrorList {
  const { partition: number = 0 } = source;
  return number < 0 || number > 255 ? [field.invalid(at.child('partition'), number, IN_A_BYTE)] : [];
}

/** A path that leads nowhere above where it starts. */
export function pathWithoutBacksteps(path: string, at: field.Path): field.ErrorList {
  return path.split('/').includes('..') ? [field.invalid(at, path, "must not contain '..'")] : [];
}

/** In the order in which they are looked at: of several the first counts. */
const validators: { readonly [K in keyof PersistentVolumeSpec]?: Validate<K> } = {
  hostPath,
  gcePersistentDisk: (source, at) => [...needs('pdName')(source, at), ...partition(source, at)],
  awsElasticBlockStore: (source, at) => [...needs('volumeID')(source, at), ...partition(source, at)],
  glusterfs: needs('endpoints', 'path'),
  flocker,
  nfs: (source, at) => [
    ...needs('server', 'path')(source, at),
    ...(source.path && !source.path.startsWith('/')
      ? [field.invalid(at.child('path'), source.path, 'must be an absolute path')]
      : []),
  ],
  rbd: needs('monitors', 'image'),
  quobyte: needs('registry', 'volume'),
  cephfs: needs('monitors'),
  iscsi,
  cinder: needs('volumeID'),
  fc,
  flexVolume: needs('driver'),
  azureFile: (source, at) => [
    ...needs('secretName', 'shareName')(source, at),
    ...(source.secretNamespace === '' ? [field.required(at.child('secretNamespace'))] : []),
  ],
  vsphereVolume: needs('volumePath'),
  photonPersistentDisk: needs('pdID'),
  portworxVolume: needs('volumeID'),
  azureDisk: needs('diskName', 'diskURI'),
  scaleIO: needs('gateway', 'system', 'volumeName'),
  local: (source, at) => [
    ...needs('path')(source, at),
    ...(source.path ? pathWithoutBacksteps(source.path, at.child('path')) : []),
  ],
  storageos: () => [],
  csi,
};

export const SOURCES = Object.freeze(Object.keys(validators)) as readonly (keyof PersistentVolumeSpec)[];

/** Exactly one source, and that one complete. */
export function validateSource(spec: Spec, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  let found = 0;
  for (const name of SOURCES) {
    const source = spec[name];
    if (source === undefined || source === null) continue;
    if (found++ > 0) errors.push(field.forbidden(at.child(name), 'may not specify more than 1 volume type'));
    else errors.push(...(validators[name] as Validate<typeof name>)(source as never, at.child(name)));
  }
  if (found === 0) errors.push(field.required(at, 'must specify a volume type'));
  if (spec.local && !spec.nodeAffinity) {
    errors.push(field.required(at.child('nodeAffinity'), 'Local volume requires node affinity'));
  }
  return errors;
}

function hostPath(source: DeepReadonly<HostPathVolumeSource>, at: field.Path): field.ErrorList {
  if (!source.path) return [field.required(at.child('path'))];
  const errors = pathWithoutBacksteps(source.path, at.child('path'));
  const { type } = source;
  if (type === undefined || HOST_PATH_TYPES.includes(type)) return errors;
  return [...errors, field.notSupported(at.child('type'), type, HOST_PATH_TYPES)];
}

function flocker({ datasetName = '', datasetUUID = '' }: DeepReadonly<FlockerVolumeSource>, at: field.Path) {
  if (datasetName === '' && datasetUUID === '') {
    return [field.required(at, 'one of datasetName and datasetUUID is required')];
  }
  if (datasetName !== '' && datasetUUID !== '') {
    return [field.invalid(at, 'resource', 'datasetName and datasetUUID can not be specified simultaneously')];
  }
  return datasetName.includes('/') ? [field.invalid(at.child('datasetName'), datasetName, "must not contain '/'")] : [];
}

function iscsi(source: DeepReadonly<ISCSIPersistentVolumeSource>, at: field.Path): field.ErrorList {
  const errors = needs('targetPortal', 'iqn')(source, at);
  const { iqn = '', lun = 0, chapAuthDiscovery, chapAuthSession, secretRef } = source;
  if (iqn !== '' && !/^(iqn|eui|naa)/.test(iqn)) {
    errors.push(field.invalid(at.child('iqn'), iqn, 'must be valid format starting with iqn, eui, or naa'));
  }
  if (lun < 0 || lun > 255) errors.push(field.invalid(at.child('lun'), lun, IN_A_BYTE));
  if ((chapAuthDiscovery || chapAuthSession) && !secretRef) errors.push(field.required(at.child('secretRef')));
  if (secretRef && !secretRef.name) errors.push(field.required(at.child('secretRef', 'name')));
  return errors;
}

function fc({ targetWWNs, wwids, lun }: DeepReadonly<FCVolumeSource>, at: field.Path): field.ErrorList {
  const [targets, ids] = [targetWWNs?.length ?? 0, wwids?.length ?? 0];
  if (targets === 0 && ids === 0) {
    return [field.required(at.child('targetWWNs'), 'must specify either targetWWNs or wwids, but not both')];
  }
  if (targets > 0 && ids > 0) {
    return [
      field.invalid(at.child('targetWWNs'), targetWWNs, 'targetWWNs and wwids can not be specified simultaneously'),
    ];
  }
  if (targets === 0) return [];
  if (lun === undefined) return [field.required(at.child('lun'), 'lun is required if targetWWNs is specified')];
  return lun < 0 || lun > 255 ? [field.invalid(at.child('lun'), lun, IN_A_BYTE)] : [];
}

function csi(source: DeepReadonly<CSIPersistentVolumeSource>, at: field.Path): field.ErrorList {
  const errors = [
    ...validateCSIDriverName(source.driver ?? '', at.child('driver')),
    ...needs('volumeHandle')(source, at),
  ];
  const secrets = [
    'controllerPublishSecretRef',
    'controllerExpandSecretRef',
    'nodePublishSecretRef',
    'nodeExpandSecretRef',
  ] as const;
  for (const secret of secrets) {
    if (source[secret]) errors.push(...needs('name', 'namespace')(source[secret], at.child(secret)));
  }
  return errors;
}

/** Sources that are gone or going, for warnings. */
const retired: Readonly<Record<string, string>> = Object.freeze({
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
});

export function sourceWarnings(spec: Spec | undefined): string[] {
  return Object.entries(retired)
    .filter(([name]) => spec?.[name as keyof Spec] !== undefined)
    .map(([name, message]) => `spec.${name}: ${message}`);
}
