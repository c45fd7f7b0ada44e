/** The kinds of volume that a PersistentVolume can be: which parts each must have. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { validateCSIDriverName } from '../../storage/parameters.ts';
import type { CSIPersistentVolumeSource, PersistentVolumeSpec } from '../../types/core/v1.generated.ts';
import { required, SHARED_RULES, storageosNames } from '../pod/validation/source-rules.ts';

type Spec = DeepReadonly<PersistentVolumeSpec>;
type Validate<K extends keyof PersistentVolumeSpec> = (source: NonNullable<Spec[K]>, at: field.Path) => field.ErrorList;

/** A path that leads nowhere above where it starts. */
export function pathWithoutBacksteps(path: string, at: field.Path): field.ErrorList {
  return path.split('/').includes('..') ? [field.invalid(at, path, "must not contain '..'")] : [];
}

const shared = SHARED_RULES;

/** In the order in which they are looked at: of several the first counts. */
const validators: { readonly [K in keyof PersistentVolumeSpec]?: Validate<K> } = {
  hostPath: shared.hostPath,
  gcePersistentDisk: shared.gcePersistentDisk,
  awsElasticBlockStore: shared.awsElasticBlockStore,
  glusterfs: shared.glusterfs,
  flocker: shared.flocker,
  nfs: shared.nfs,
  rbd: shared.rbd,
  quobyte: shared.quobyte,
  cephfs: shared.cephfs,
  iscsi: (source, at) => [
    ...shared.iscsi(source, at),
    ...(source.secretRef ? required(source.secretRef, ['name'], at.child('secretRef')) : []),
  ],
  cinder: (source, at) => [...required(source, ['volumeID'], at), ...validateSecretRef(source.secretRef, at)],
  fc: shared.fc,
  flexVolume: shared.flexVolume,
  azureFile: (source, at) => [
    ...required(source, ['secretName', 'shareName'], at),
    ...(source.secretNamespace === '' ? [field.required(at.child('secretNamespace'))] : []),
  ],
  vsphereVolume: shared.vsphereVolume,
  photonPersistentDisk: shared.photonPersistentDisk,
  portworxVolume: shared.portworxVolume,
  azureDisk: shared.azureDisk,
  scaleIO: shared.scaleIO,
  local: (source, at) => [
    ...required(source, ['path'], at),
    ...(source.path ? pathWithoutBacksteps(source.path, at.child('path')) : []),
  ],
  storageos: (source, at) => [...storageosNames(source, at), ...validateSecretRef(source.secretRef, at)],
  csi,
};

function validateSecretRef(ref: object | undefined, at: field.Path): field.ErrorList {
  return ref ? required(ref, ['name', 'namespace'], at.child('secretRef')) : [];
}

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

function csi(source: DeepReadonly<CSIPersistentVolumeSource>, at: field.Path): field.ErrorList {
  const errors = [
    ...validateCSIDriverName(source.driver ?? '', at.child('driver')),
    ...required(source, ['volumeHandle'], at),
  ];
  const secrets = [
    'controllerPublishSecretRef',
    'controllerExpandSecretRef',
    'nodePublishSecretRef',
    'nodeExpandSecretRef',
  ] as const;
  for (const secret of secrets) {
    if (source[secret]) errors.push(...required(source[secret], ['name', 'namespace'], at.child(secret)));
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
