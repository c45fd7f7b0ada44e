import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Subdomain, qualifiedName } from '../../../libs/machinery/names.ts';
import {
  compareQuantity,
  mustParseQuantity,
  sameQuantity,
  signOfQuantity,
  toCeil,
} from '../../../libs/machinery/quantity.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validateImmutable } from '../../meta/immutable.ts';
import { internalForm } from '../../meta/internal-form.ts';
import { validateLabelSelector } from '../../meta/label-selector.ts';
import { jsonDiff } from '../../meta/line-diff.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../types/core/v1.generated.ts';
import {
  STORAGE_CLASS_ANNOTATION,
  VOLUME_MODES,
  validateAccessModes,
  validateClassName,
} from '../persistentvolume/validation.ts';
import { isNativeResource } from '../pod/validation/resources.ts';

type Spec = DeepReadonly<PersistentVolumeClaimSpec>;

const IMMUTABLE_SPEC =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

export const validatePersistentVolumeClaim = ({ spec }: DeepReadonly<PersistentVolumeClaim>): field.ErrorList =>
  validatePersistentVolumeClaimSpec(spec ?? {}, field.path('spec'));

/** Also of claim templates (ephemeral volumes, StatefulSets). */
export function validatePersistentVolumeClaimSpec(spec: Spec, at: field.Path): field.ErrorList {
  const errors = [
    ...validateLabelSelector(spec.selector, at.child('selector')),
    ...validateAccessModes(spec.accessModes, at.child('accessModes'), 'at least 1 access mode is required'),
  ];
  const storage = spec.resources?.requests?.storage;
  const there = at.child('resources').key('storage');
  if (storage === undefined) errors.push(field.required(there));
  else {
    if (signOfQuantity(mustParseQuantity(storage)) <= 0) {
      errors.push(field.invalid(there, storage, 'must be greater than zero'));
    }
  }
  const { storageClassName, volumeMode, dataSource, dataSourceRef, volumeAttributesClassName } = spec;
  if (storageClassName) errors.push(...validateClassName(storageClassName, at.child('storageClassName')));
  if (volumeMode !== undefined && !VOLUME_MODES.includes(volumeMode)) {
    errors.push(field.notSupported(at.child('volumeMode'), volumeMode, VOLUME_MODES));
  }
  if (dataSource) errors.push(...validateDataSource(dataSource, at.child('dataSource')));
  if (dataSourceRef) errors.push(...validateDataSource(dataSourceRef, at.child('dataSourceRef')));
  if (dataSource && dataSourceRef && !dataSourceRef.namespace) {
    const identity = ({ apiGroup, kind, name }: DataSource) => ({ apiGroup: apiGroup ?? '', kind, name });
    if (!sameValue(identity(dataSource), identity(dataSourceRef))) {
      errors.push(field.invalid(at, field.verbatim('{}'), 'must match dataSourceRef'));
    }
  }
  if (volumeAttributesClassName) {
    errors.push(...validateClassName(volumeAttributesClassName, at.child('volumeAttributesClassName')));
  }
  return errors;
}

export interface DataSource {
  readonly apiGroup?: string | null;
  readonly kind?: string;
  readonly name?: string;
}

function validateDataSource({ apiGroup, kind = '', name = '' }: DataSource, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  if (name === '') errors.push(field.required(at.child('name')));
  if (kind === '') errors.push(field.required(at.child('kind')));
  if (!apiGroup) {
    if (kind !== 'PersistentVolumeClaim') {
      errors.push(field.invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
    }
  } else
    for (const problem of dns1123Subdomain(apiGroup))
      errors.push(field.invalid(at.child('apiGroup'), apiGroup, problem));
  return errors;
}

const RESIZE_STATUSES = [
  'ControllerResizeInProgress',
  'ControllerResizeInfeasible',
  'NodeResizePending',
  'NodeResizeInProgress',
  'NodeResizeInfeasible',
].sort();

/** Of what has plain names only storage is ever resized; providers may have more under names of their own. */
function validateResizableName(name: string, at: field.Path): field.ErrorList {
  const problems = qualifiedName(name);
  if (problems.length > 0) return problems.map((text) => field.invalid(at, name, text));
  return !isNativeResource(name) || name === 'storage' ? [] : [field.notSupported(at, name, ['storage'])];
}

export function validatePersistentVolumeClaimStatus({ status }: DeepReadonly<PersistentVolumeClaim>): field.ErrorList {
  const at = field.path('status');
  const errors: field.ErrorList = [];
  for (const [name, text] of Object.entries(status?.capacity ?? {})) {
    const quantity = mustParseQuantity(text);
    if (signOfQuantity(quantity) >= 0) continue;
    errors.push(field.invalid(at.child('capacity').key(name), toCeil(quantity), 'must be a valid resource quantity'));
  }
  for (const [name, text] of Object.entries(status?.allocatedResources ?? {})) {
    const there = at.child('allocatedResources');
    const problems = validateResizableName(name, there);
    errors.push(...problems);
    if (problems.length === 0 && signOfQuantity(mustParseQuantity(text)) < 0) {
      const detail = 'must be a valid resource quantity';
      errors.push(field.invalid(there.key(name), toCeil(mustParseQuantity(text)), detail));
    }
  }
  for (const [name, state] of Object.entries(status?.allocatedResourceStatuses ?? {})) {
    const there = at.child('allocatedResourceStatuses');
    errors.push(...validateResizableName(name, there));
    if (!RESIZE_STATUSES.includes(state)) errors.push(field.notSupported(there, name, RESIZE_STATUSES));
  }
  return errors;
}

/** A bound claim may grow and change its attributes; all else of what was asked for is fixed. */
export function validatePersistentVolumeClaimUpdate(
  claim: DeepReadonly<PersistentVolumeClaim>,
  old: DeepReadonly<PersistentVolumeClaim>,
): field.ErrorList {
  const errors = [...validatePersistentVolumeClaim(claim), ...validateClassAnnotation(claim, old)];
  const [spec, was] = [claim.spec ?? {}, old.spec ?? {}] as [Spec, Spec];
  const bound = claim.status?.phase === 'Bound';
  const fixed: Record<string, unknown> = { ...was };
  if (!was.volumeName && spec.volumeName) fixed.volumeName = spec.volumeName;
  // A class that was not said yet may be said now; where an annotation said it, it must be that one.
  const annotated = old.metadata?.annotations?.[STORAGE_CLASS_ANNOTATION];
  const sayable = was.storageClassName === undefined && (annotated ?? spec.storageClassName) === spec.storageClassName;
  if (sayable && spec.storageClassName !== undefined) fixed.storageClassName = spec.storageClassName;
  const sameSize = sameQuantity(storageOf(spec), storageOf(was));
  if (bound || sameSize) {
    const requests = spec.resources?.requests;
    fixed.resources = { ...was.resources, requests: { ...was.resources?.requests, storage: requests?.storage } };
  }
  if (bound) fixed.volumeAttributesClassName = spec.volumeAttributesClassName;
  if (!sameValue(spec, fixed)) {
    const shown = (value: unknown) => internalForm('core.v1.PersistentVolumeClaimSpec', value);
    errors.push(field.forbidden('spec', `${IMMUTABLE_SPEC}\n${jsonDiff(shown(fixed), shown(spec))}`));
  }
  const capacity = claim.status?.capacity?.storage;
  if (capacity !== undefined && less(storageOf(spec), storageOf(was)) && !less(capacity, storageOf(spec))) {
    const at = field.path('spec', 'resources', 'requests', 'storage');
    errors.push(field.forbidden(at, 'field can not be less than status.capacity'));
  }
  errors.push(...validateImmutable(spec.volumeMode, was.volumeMode, 'volumeMode'));
  if (was.volumeAttributesClassName !== undefined && spec.volumeAttributesClassName === undefined) {
    const at = field.path('spec', 'volumeAttributesClassName');
    const current = 'status.currentVolumeAttributesClassName';
    if (claim.status?.currentVolumeAttributesClassName !== undefined) {
      errors.push(field.forbidden(at, `update to nil is forbidden when ${current} is not nil`));
    }
  }
  return errors;
}

/** The class as it was said of old is as fixed as the field is; it may move into the field. */
function validateClassAnnotation(
  claim: DeepReadonly<PersistentVolumeClaim>,
  old: DeepReadonly<PersistentVolumeClaim>,
): field.ErrorList {
  const was = old.metadata?.annotations?.[STORAGE_CLASS_ANNOTATION] ?? '';
  const now = claim.metadata?.annotations?.[STORAGE_CLASS_ANNOTATION] ?? '';
  const moved = now === '' && old.spec?.storageClassName === undefined && claim.spec?.storageClassName === was;
  if (moved) return [];
  return validateImmutable(now, was, field.path('metadata', 'annotations', STORAGE_CLASS_ANNOTATION));
}

const storageOf = (spec: Spec) => spec.resources?.requests?.storage ?? '0';
const less = (a: string, b: string) => compareQuantity(mustParseQuantity(a), mustParseQuantity(b)) < 0;
