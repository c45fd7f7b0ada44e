/**
 * The part of an object that is the same for every kind: what the server fills into metadata, what it takes over from
 * the old object, and what it checks (API concept "Object metadata").
 */
import { formatTime } from '../../../libs/base/clock.ts';
import type { Random } from '../../../libs/base/random.ts';
import type { Kind } from '../../../libs/kind/kind.ts';
import type { ApiObject, DeepReadonly, ObjectMeta, OwnerReference } from '../../../libs/kind/object.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import type { Strategy } from '../../../libs/kind/strategy.ts';
import { validateAnnotations } from '../../../libs/machinery/annotations.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { parseApiVersion } from '../../../libs/machinery/gvk.ts';
import {
  dns1123Subdomain,
  generateName,
  labelValue,
  namespaceName,
  qualifiedName,
} from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';

export type Draft = ApiObject & { metadata: ObjectMeta };

const METADATA = field.path('metadata');
const FINALIZER_ORPHAN = 'orphan';
const FINALIZER_FOREGROUND = 'foregroundDeletion';
const STANDARD_FINALIZERS: readonly string[] = ['kubernetes', FINALIZER_ORPHAN, FINALIZER_FOREGROUND];

/** Forgets what only the server may say of a new object, before anybody looks at it. */
export function wipeCreateMetadata({ metadata }: Draft): void {
  for (let i = 0; i < NOT_SENT.length; i++) {
    const name = NOT_SENT[i] as (typeof NOT_SENT)[number];
    if (metadata[name] !== undefined) delete metadata[name];
  }
}

const NOT_SENT = ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'selfLink'] as const;

/** Fills what only the server says. */
export function fillCreateMetadata(draft: Draft, strategy: Strategy, nowMs: number, random: Random): void {
  const { metadata } = draft;
  wipeCreateMetadata(draft);
  if (metadata.resourceVersion !== undefined) delete metadata.resourceVersion;
  metadata.uid = random.uuid();
  metadata.creationTimestamp = formatTime(nowMs);
  if (strategy.generation === 'count') metadata.generation = 1;
  if (!metadata.name && metadata.generateName) metadata.name = generateName(metadata.generateName, random);
}

/** Takes over from `old` what no update may change; what was said of it and is wrong is caught by validation. */
export function fillUpdateMetadata(
  draft: Draft,
  old: DeepReadonly<ApiObject>,
  strategy: Strategy,
  changed: () => boolean,
): void {
  const { metadata } = draft;
  const was = old.metadata ?? {};
  setOrDelete(metadata, 'generateName', metadata.generateName);
  if (!metadata.deletionTimestamp) setOrDelete(metadata, 'deletionTimestamp', was.deletionTimestamp);
  if (metadata.deletionGracePeriodSeconds === undefined)
    setOrDelete(metadata, 'deletionGracePeriodSeconds', was.deletionGracePeriodSeconds);
  setOrDelete(metadata, 'selfLink', undefined);
  if (!metadata.uid) setOrDelete(metadata, 'uid', was.uid);
  setOrDelete(metadata, 'creationTimestamp', was.creationTimestamp);
  setOrDelete(metadata, 'generation', was.generation);
  if ((strategy.generation ?? 'keep') !== 'keep' && changed()) metadata.generation = Number(was.generation ?? 0) + 1;
}

function setOrDelete<K extends keyof ObjectMeta>(metadata: ObjectMeta, key: K, value: ObjectMeta[K] | undefined): void {
  if (value !== undefined) metadata[key] = value;
  else if (metadata[key] !== undefined) delete metadata[key];
}

/** Everything that must hold of a new object's metadata. `custom`: of a custom resource. */
export function validateCreateMetadata(kind: Kind, draft: DeepReadonly<ApiObject>, custom = false): field.ErrorList {
  const at = METADATA;
  const metadata = draft.metadata ?? {};
  const validateName = kind.strategy.validateName ?? dns1123Subdomain;
  const errors: field.ErrorList = [];
  if (metadata.generateName) {
    for (const problem of validateName(metadata.generateName, true)) {
      errors.push(field.invalid(at.child('generateName'), metadata.generateName, problem));
    }
  }
  if (!metadata.name) errors.push(field.required(at.child('name'), 'name or generateName is required'));
  else {
    for (const problem of validateName(metadata.name, false)) {
      errors.push(field.invalid(at.child('name'), metadata.name, problem));
    }
  }
  if (kind.namespaced) {
    if (!metadata.namespace) errors.push(field.required(at.child('namespace')));
    else {
      for (const problem of namespaceName(metadata.namespace, false)) {
        errors.push(field.invalid(at.child('namespace'), metadata.namespace, problem));
      }
    }
  } else if (metadata.namespace) {
    errors.push(field.forbidden(at.child('namespace'), 'not allowed on this type'));
  }
  errors.push(...validateCommonMetadata(metadata, at));
  if (!custom && !kind.strategy.plainFinalizers) errors.push(...validateFinalizerNames(metadata, at));
  return errors;
}

/** Finalizers of built-in kinds need a domain; the standard ones have none. */
function validateFinalizerNames({ finalizers }: DeepReadonly<ObjectMeta>, at: field.Path): field.ErrorList {
  if (!finalizers) return [];
  return finalizers.flatMap((name, i) =>
    name.includes('/') || STANDARD_FINALIZERS.includes(name)
      ? []
      : [
          field.invalid(
            at.child('finalizers').index(i),
            name,
            'name is neither a standard finalizer name nor is it fully qualified',
          ),
        ],
  );
}

/** Parts that are the very ones of the stored object, `was`, were looked at when that was written. */
function validateCommonMetadata(
  metadata: DeepReadonly<ObjectMeta>,
  at: field.Path,
  was: DeepReadonly<ObjectMeta> = {},
): field.ErrorList {
  const errors: field.ErrorList = [];
  if (Number(metadata.generation ?? 0) < 0) {
    errors.push(field.invalid(at.child('generation'), metadata.generation, 'must be greater than or equal to 0'));
  }
  const { labels, annotations, ownerReferences, finalizers, managedFields } = metadata;
  // Most objects have few of these, and most writes change none.
  if (labels && labels !== was.labels) errors.push(...validateLabels(labels, at.child('labels')));
  if (annotations && annotations !== was.annotations)
    errors.push(...validateAnnotations(annotations, at.child('annotations')));
  if (ownerReferences && ownerReferences !== was.ownerReferences)
    errors.push(...validateOwnerReferences(ownerReferences, at.child('ownerReferences')));
  if (finalizers && finalizers !== was.finalizers)
    errors.push(...validateFinalizers(finalizers, at.child('finalizers')));
  if (managedFields && managedFields !== was.managedFields)
    errors.push(...validateManagedFields(managedFields, at.child('managedFields')));
  return errors;
}

/** Labels of an object, or of anything that is labelled (pod templates, selectors' matchLabels). */
export function validateLabels(labels: Readonly<Record<string, string>>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  for (const key of Object.keys(labels)) {
    const value = labels[key] as string;
    for (const problem of qualifiedName(key)) errors.push(field.invalid(at, key, problem));
    for (const problem of labelValue(value)) errors.push(field.invalid(at, value, problem));
  }
  return errors;
}

function validateOwnerReferences(references: DeepReadonly<OwnerReference[]>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  let controller: DeepReadonly<OwnerReference> | undefined;
  for (const reference of references) {
    // Which of them it is, upstream's errors do not say.
    const here = at;
    const { group, version } = parseOrEmpty(reference.apiVersion ?? '');
    if (version === '')
      errors.push(field.invalid(here.child('apiVersion'), reference.apiVersion ?? '', 'version must not be empty'));
    if (!reference.kind) errors.push(field.invalid(here.child('kind'), '', 'must not be empty'));
    if (!reference.name) errors.push(field.invalid(here.child('name'), '', 'must not be empty'));
    if (!reference.uid) errors.push(field.invalid(here.child('uid'), '', 'must not be empty'));
    if (group === '' && version === 'v1' && reference.kind === 'Event') {
      errors.push(field.invalid(here, reference, '/v1, Kind=Event is disallowed from being an owner'));
    }
    if (!reference.controller) continue;
    if (controller === undefined) controller = reference;
    else {
      errors.push(
        field.invalid(
          at,
          references,
          `Only one reference can have Controller set to true. Found "true" in references for ${controller.kind}/${controller.name} and ${reference.kind}/${reference.name}`,
        ),
      );
    }
  }
  return errors;
}

function parseOrEmpty(apiVersion: string): { group: string; version: string } {
  try {
    return parseApiVersion(apiVersion);
  } catch {
    return { group: '', version: '' };
  }
}

/** Finalizers of metadata: qualified names, and not both of the two that decide about dependents. */
export function validateFinalizers(finalizers: readonly string[], at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  for (const finalizer of finalizers) {
    for (const problem of qualifiedName(finalizer)) errors.push(field.invalid(at, finalizer, problem));
  }
  if (finalizers.includes(FINALIZER_ORPHAN) && finalizers.includes(FINALIZER_FOREGROUND)) {
    errors.push(
      field.invalid(at, finalizers, `finalizer ${FINALIZER_ORPHAN} and ${FINALIZER_FOREGROUND} cannot be both set`),
    );
  }
  return errors;
}

const ASCII = /^[ -~]*$/;

function validateManagedFields(
  entries: DeepReadonly<NonNullable<ObjectMeta['managedFields']>>,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  entries.forEach((entry, i) => {
    if (entry.operation !== 'Apply' && entry.operation !== 'Update') {
      const here = at.index(i).child('operation');
      errors.push(field.invalid(here, entry.operation ?? '', 'must be `Apply` or `Update`'));
    }
    if (entry.fieldsType && entry.fieldsType !== 'FieldsV1') {
      errors.push(field.invalid(at.index(i).child('fieldsType'), entry.fieldsType, 'must be `FieldsV1`'));
    }
    const manager = entry.manager ?? '';
    const bytes = ASCII.test(manager) ? manager.length : new TextEncoder().encode(manager).length;
    if (bytes > 128) errors.push(field.tooLong(at.index(i).child('manager'), 128));
  });
  return errors;
}

/** An owner that is named twice in the same words is named once, and the client told. */
export function dropRepeatedOwners(ctx: RequestContext, { metadata }: Draft): void {
  const owners = metadata.ownerReferences ?? [];
  if (owners.length < 2) return;
  const repeated = owners.filter((owner, i) => owners.slice(0, i).some((other) => sameValue(other, owner)));
  if (repeated.length === 0) return;
  metadata.ownerReferences = owners.filter((owner) => !repeated.includes(owner));
  const uids = repeated.map(({ uid }) => uid).join(', ');
  ctx.warnings.add(
    '.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject ' +
      `such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${uids}`,
  );
}

/**
 * What must hold when an object changes: the fixed parts stay, and a dying object gains no finalizers. Clients see causes
 * as often as upstream finds them: the engine checks once, each kind checks again what changed and what is.
 */
export function validateUpdateMetadata(
  draft: DeepReadonly<ApiObject>,
  old: DeepReadonly<ApiObject>,
  custom = false,
  plainFinalizers = false,
): field.ErrorList {
  const at = METADATA;
  const metadata = draft.metadata ?? {};
  const common = validateCommonMetadata(metadata, at, old.metadata);
  const changed = field.together(validateMetadataChange(draft, old), common);
  // Custom resources are checked by their own strategy once more.
  if (custom) return field.together(common, changed);
  const names = plainFinalizers ? [] : validateFinalizerNames(metadata, at);
  return field.together(common, changed, changed, names, common, names);
}

/** What no update changes. */
const FIXED = [
  'name',
  'namespace',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
] as const;

function validateMetadataChange(draft: DeepReadonly<ApiObject>, old: DeepReadonly<ApiObject>): field.ErrorList {
  const at = METADATA;
  const metadata = draft.metadata ?? {};
  const was = old.metadata ?? {};
  const errors: field.ErrorList = [];
  if (was.deletionTimestamp) {
    const added = (metadata.finalizers ?? []).filter((name) => !(was.finalizers ?? []).includes(name)).sort();
    if (added.length > 0) {
      errors.push(
        field.forbidden(
          at.child('finalizers'),
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((name) => JSON.stringify(name)).join(', ')}}`,
        ),
      );
    }
  }
  for (let i = 0; i < FIXED.length; i++) {
    const name = FIXED[i] as (typeof FIXED)[number];
    const is = metadata[name] ?? '';
    const before = was[name] ?? '';
    if (is === before || String(is) === String(before)) continue;
    errors.push(field.invalid(at.child(name), metadata[name] ?? '', 'field is immutable'));
  }
  if (Number(metadata.generation ?? 0) < Number(was.generation ?? 0)) {
    errors.push(field.invalid(at.child('generation'), metadata.generation, 'must not be decremented'));
  }
  return errors;
}
