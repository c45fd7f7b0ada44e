import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain } from '../../../libs/machinery/names.ts';
import { mustParseQuantity, signOfQuantity, toCeil } from '../../../libs/machinery/quantity.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { internalForm } from '../../meta/internal-form.ts';
import { jsonDiff } from '../../meta/line-diff.ts';
import type { PersistentVolume, PersistentVolumeSpec } from '../../types/core/v1.generated.ts';
import { validateNodeSelector } from '../node/node-selector.ts';
import { SOURCES, validateSource } from './volume-sources.ts';

type Spec = DeepReadonly<PersistentVolumeSpec>;

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
const RECLAIM_POLICIES = ['Delete', 'Recycle', 'Retain'];
export const VOLUME_MODES = ['Block', 'Filesystem'];
export const STORAGE_CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';
export const MOUNT_OPTIONS_ANNOTATION = 'volume.beta.kubernetes.io/mount-options';
const INLINE = 'may not be specified in the context of inline volumes';

/** Volumes that are mounted by something that takes options. */
const TAKE_MOUNT_OPTIONS: readonly (keyof PersistentVolumeSpec)[] = [
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'nfs',
  'rbd',
  'quobyte',
  'iscsi',
  'cinder',
  'cephfs',
  'azureFile',
  'vsphereVolume',
  'azureDisk',
  'photonPersistentDisk',
];

/** The order in which the API server holds the sources; messages show them so. */
const INTERNAL_ORDER = {
  'core.v1.PersistentVolumeSpec':
    'gcePersistentDisk awsElasticBlockStore hostPath glusterfs nfs rbd quobyte iscsi flexVolume cinder cephfs fc flocker azureFile vsphereVolume azureDisk photonPersistentDisk portworxVolume scaleIO local storageos csi'.split(
      ' ',
    ),
};

export function validatePersistentVolume(volume: DeepReadonly<PersistentVolume>): field.ErrorList {
  return [
    ...validatePersistentVolumeSpec(volume.spec ?? {}, field.path('spec'), false),
    ...validateMountOptions(volume),
  ];
}

function validateMountOptions({ metadata, spec }: DeepReadonly<PersistentVolume>): field.ErrorList {
  const given = metadata?.annotations?.[MOUNT_OPTIONS_ANNOTATION] !== undefined;
  if (!given || TAKE_MOUNT_OPTIONS.some((name) => spec?.[name])) return [];
  const at = field.path('metadata', 'annotations', MOUNT_OPTIONS_ANNOTATION);
  return [field.forbidden(at, 'may not specify mount options for this volume type')];
}

export function validatePersistentVolumeUpdate(
  volume: DeepReadonly<PersistentVolume>,
  old: DeepReadonly<PersistentVolume>,
): field.ErrorList {
  // Upstream looks at the spec once as a volume's and once as a change, and says twice what is wrong with it.
  const found = validatePersistentVolumeSpec(volume.spec ?? {}, field.path('spec'), false);
  const errors = [...found, ...validateMountOptions(volume), ...found];
  const source = (spec: Spec | undefined) => Object.fromEntries(SOURCES.map((name) => [name, spec?.[name]]));
  if (!sameValue(source(withoutNewSecret(volume.spec, old.spec)), source(old.spec))) {
    const shown = (spec: Spec | undefined) => {
      const all = internalForm('core.v1.PersistentVolumeSpec', spec, INTERNAL_ORDER);
      return Object.fromEntries(Object.entries(all).slice(0, SOURCES.length));
    };
    const diff = jsonDiff(shown(old.spec), shown(volume.spec));
    const at = field.path('spec', 'persistentvolumesource');
    errors.push(field.forbidden(at, `spec.persistentvolumesource is immutable after creation\n${diff}`));
  }
  errors.push(...validateImmutable(volume.spec?.volumeMode, old.spec?.volumeMode, 'volumeMode'));
  const affinity = withGeneralLabels(volume.spec?.nodeAffinity, old.spec?.nodeAffinity);
  if (old.spec?.nodeAffinity && !sameValue(volume.spec?.nodeAffinity, affinity)) {
    const shown = field.verbatim(JSON.stringify(internalForm('core.v1.VolumeNodeAffinity', volume.spec?.nodeAffinity)));
    const why = 'field is immutable, except for updating from beta label to GA';
    errors.push(field.invalid('nodeAffinity', shown, why));
  }
  return errors;
}

/** A CSI volume may be given the secret for its growth later, once. */
function withoutNewSecret(spec: Spec | undefined, old: Spec | undefined): Spec | undefined {
  if (!spec?.csi?.controllerExpandSecretRef || !old?.csi || old.csi.controllerExpandSecretRef) return spec;
  const { controllerExpandSecretRef: _, ...csi } = spec.csi;
  return { ...spec, csi };
}

/** Labels of nodes by their names of the time before they were stable, and by those since. */
const GENERAL_LABELS: Readonly<Record<string, string>> = Object.freeze({
  'beta.kubernetes.io/os': 'kubernetes.io/os',
  'beta.kubernetes.io/arch': 'kubernetes.io/arch',
  'beta.kubernetes.io/instance-type': 'node.kubernetes.io/instance-type',
  'failure-domain.beta.kubernetes.io/zone': 'topology.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region': 'topology.kubernetes.io/region',
});

/** The old affinity, with the new names of labels where the new one has them. */
function withGeneralLabels(affinity: Spec['nodeAffinity'], old: Spec['nodeAffinity']): Spec['nodeAffinity'] {
  const terms = affinity?.required?.nodeSelectorTerms;
  const oldTerms = old?.required?.nodeSelectorTerms;
  if (!terms || !oldTerms || terms.length !== oldTerms.length) return old;
  const renamed = oldTerms.map((term, i) => {
    const { matchExpressions } = term;
    if (!matchExpressions) return term;
    const keys = terms[i]?.matchExpressions?.map(({ key }) => key) ?? [];
    const rename = (key: string, k: number) =>
      Object.hasOwn(GENERAL_LABELS, key) && keys[k] === GENERAL_LABELS[key] ? (keys[k] as string) : key;
    return { ...term, matchExpressions: matchExpressions.map((one, k) => ({ ...one, key: rename(one.key, k) })) };
  });
  return { ...old, required: { ...old.required, nodeSelectorTerms: renamed } };
}

/** `missing`: what is said where there is none. */
export function validateAccessModes(
  modes: readonly string[] | undefined,
  at: field.Path,
  missing = '',
): field.ErrorList {
  if (!modes?.length) return [field.required(at, missing)];
  const errors: field.ErrorList = modes
    .filter((mode) => !ACCESS_MODES.includes(mode))
    .map((mode) => field.notSupported(at, mode, ACCESS_MODES));
  if (
    modes.includes('ReadWriteOncePod') &&
    modes.some((mode) => mode !== 'ReadWriteOncePod' && ACCESS_MODES.includes(mode))
  ) {
    errors.push(field.forbidden(at, 'may not use ReadWriteOncePod with other access modes'));
  }
  return errors;
}

/** `inline`: the volume stands inside a VolumeAttachment and has no life of its own. */
export function validatePersistentVolumeSpec(spec: Spec, at: field.Path, inline: boolean): field.ErrorList {
  const errors: field.ErrorList = [];
  if (inline) {
    if (spec.claimRef) errors.push(field.forbidden(at.child('claimRef'), INLINE));
    if (Object.keys(spec.capacity ?? {}).length > 0) errors.push(field.forbidden(at.child('capacity'), INLINE));
    if (!spec.csi) errors.push(field.required(at.child('csi'), 'has to be specified in the context of inline volumes'));
  }
  errors.push(...validateAccessModes(spec.accessModes, at.child('accessModes')));
  if (!inline) errors.push(...validateCapacity(spec.capacity, at.child('capacity')));
  const policy = spec.persistentVolumeReclaimPolicy;
  if (policy) {
    if (inline) errors.push(field.forbidden(at.child('persistentVolumeReclaimPolicy'), INLINE));
    else if (!RECLAIM_POLICIES.includes(policy)) {
      errors.push(field.notSupported(at.child('persistentVolumeReclaimPolicy'), policy, RECLAIM_POLICIES));
    }
  }
  if (spec.nodeAffinity) {
    const affinity = at.child('nodeAffinity');
    if (inline) errors.push(field.forbidden(affinity, INLINE));
    else if (!spec.nodeAffinity.required) {
      errors.push(field.required(affinity.child('required'), 'must specify required node constraints'));
    } else errors.push(...validateNodeSelector(spec.nodeAffinity.required, affinity.child('required')));
  }
  errors.push(...validateSource(spec, at));
  if (spec.hostPath && policy === 'Recycle' && isRoot(spec.hostPath.path ?? '')) {
    const why = "may not be 'recycle' for a hostPath mount of '/'";
    errors.push(field.forbidden(at.child('persistentVolumeReclaimPolicy'), why));
  }
  const { storageClassName, volumeMode, volumeAttributesClassName } = spec;
  if (storageClassName) {
    if (inline) errors.push(field.forbidden(at.child('storageClassName'), INLINE));
    else errors.push(...validateClassName(storageClassName, at.child('storageClassName')));
  }
  if (volumeMode !== undefined) {
    const valid = inline ? ['Filesystem'] : VOLUME_MODES;
    if (!valid.includes(volumeMode)) errors.push(field.notSupported(at.child('volumeMode'), volumeMode, valid));
  }
  if (volumeAttributesClassName !== undefined) {
    const there = at.child('volumeAttributesClassName');
    if (volumeAttributesClassName === '') errors.push(field.required(there, 'an empty string is disallowed'));
    else errors.push(...validateClassName(volumeAttributesClassName, there));
    if (!spec.csi) {
      errors.push(field.required(at.child('csi'), 'has to be specified when using volumeAttributesClassName'));
    }
  }
  return errors;
}

/** Whether the path leads to `/`, by whatever way. */
function isRoot(path: string): boolean {
  if (!path.startsWith('/')) return false;
  let depth = 0;
  for (const step of path.split('/')) {
    if (step === '..') depth = Math.max(0, depth - 1);
    else if (step !== '' && step !== '.') depth++;
  }
  return depth === 0;
}

export function validateClassName(name: string, at: field.Path): field.ErrorList {
  return dns1123Subdomain(name).map((problem) => field.invalid(at, name, problem));
}

/** A volume has storage and nothing else. */
function validateCapacity(capacity: Spec['capacity'], at: field.Path): field.ErrorList {
  const entries = Object.entries(capacity ?? {});
  const errors: field.ErrorList = [];
  if (entries.length === 0) errors.push(field.required(at));
  if (entries.length !== 1 || entries[0]?.[0] !== 'storage') {
    const shown = capacity ? Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1))) : null;
    errors.push(field.notSupported(at, shown, ['storage']));
  }
  for (const [name, text] of entries) {
    const quantity = mustParseQuantity(text);
    if (signOfQuantity(quantity) < 0) {
      errors.push(field.invalid(at.key(name), toCeil(quantity), 'must be a valid resource quantity'));
    }
    if (signOfQuantity(quantity) <= 0) errors.push(field.invalid(at.key(name), text, 'must be greater than zero'));
  }
  return errors;
}
