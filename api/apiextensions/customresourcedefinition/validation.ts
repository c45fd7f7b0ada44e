/** What must hold of a definition, in the paths and words that clients of Kubernetes see. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1035Label, dns1123Subdomain } from '../../../libs/machinery/names.ts';
import { sameJson } from '../../../libs/structural-schema/same-json.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
} from '../../types/apiextensions/v1.generated.ts';
import { APPROVAL_ANNOTATION, approvalOf, PROTECTED_GROUP_MESSAGE } from './approval.ts';
import { validateConversion } from './conversion-validation.ts';
import { hasDefaults } from './default-validation.ts';
import { validateVersions } from './versions-validation.ts';

export type Definition = DeepReadonly<CustomResourceDefinition>;

const SPEC = field.path('spec');

export function validate(definition: Definition): field.ErrorList {
  return [
    ...validateName(definition),
    ...validateSpec(definition, undefined),
    ...validateStoredVersions(definition),
    ...validateApproval(definition, undefined),
    ...validatePreserveUnknownFields(definition, undefined),
  ];
}

export function validateUpdate(definition: Definition, old: Definition): field.ErrorList {
  const established = old.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True');
  return [
    ...validateSpec(definition, old),
    ...(established ? immutable(definition, old, ['scope'], ['names', 'kind']) : []),
    ...immutable(definition, old, ['group'], ['names', 'plural']),
    ...validateStoredVersions(definition),
    ...validateApproval(definition, old),
    ...validatePreserveUnknownFields(definition, old),
  ];
}

export function validateStatusUpdate(definition: Definition): field.ErrorList {
  const names = definition.status?.acceptedNames;
  return names ? validateNames(names, field.path('status', 'acceptedNames')) : [];
}

function validateName({ metadata, spec }: Definition): field.ErrorList {
  const name = metadata?.name ?? '';
  if (name === `${spec?.names?.plural ?? ''}.${spec?.group ?? ''}`) return [];
  return [field.invalid(field.path('metadata', 'name'), name, 'must be spec.names.plural+"."+spec.group')];
}

function validateSpec(definition: Definition, old: Definition | undefined): field.ErrorList {
  const { spec } = definition;
  const errors: field.ErrorList = [...validateGroup(spec.group)];
  errors.push(...oneOfTexts(SPEC.child('scope'), spec.scope, ['Cluster', 'Namespaced']));
  if (spec.preserveUnknownFields && spec.versions?.some(({ schema }) => hasDefaults(schema?.openAPIV3Schema))) {
    const why = 'must be false in order to use defaults in the schema';
    errors.push(field.invalid(SPEC.child('preserveUnknownFields'), true, why));
  }
  const versions = validateVersions(definition);
  errors.push(...versions.each);
  const { names } = spec;
  for (const key of ['plural', 'singular', 'kind', 'listKind'] as const) {
    if (!names?.[key]) errors.push(field.required(SPEC.child('names', key)));
  }
  errors.push(...validateNames(names ?? {}, SPEC.child('names')));
  errors.push(...versions.all);
  const { conversion, preserveUnknownFields } = spec;
  if (preserveUnknownFields && conversion && conversion.strategy !== 'None') {
    const why = 'must be None if spec.preserveUnknownFields is true';
    errors.push(field.invalid(SPEC.child('conversion', 'strategy'), conversion.strategy, why));
  }
  errors.push(...validateConversion(conversion, SPEC.child('conversion'), old));
  return errors;
}

function validateGroup(group: string): field.ErrorList {
  const at = SPEC.child('group');
  if (!group) return [field.required(at)];
  const problems = dns1123Subdomain(group);
  if (problems.length > 0) return [field.invalid(at, group, problems.join(','))];
  return group.includes('.') ? [] : [field.invalid(at, group, 'should be a domain with at least one dot')];
}

/** One of a closed set of words, which must be given. */
export function oneOfTexts(at: field.Path, value: string, allowed: readonly string[]): field.ErrorList {
  if (!value) return [field.required(at)];
  return allowed.includes(value) ? [] : [field.notSupported(at, value, allowed)];
}

function validateNames(names: Partial<DeepReadonly<CustomResourceDefinitionNames>>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const label = (place: field.Path, value: string) => {
    const problems = dns1035Label(value);
    if (problems.length > 0) errors.push(field.invalid(place, value, problems.join(',')));
  };
  for (const key of ['plural', 'singular'] as const) if (names[key]) label(at.child(key), names[key]);
  for (const key of ['kind', 'listKind'] as const) {
    const problems = names[key] ? dns1035Label(names[key].toLowerCase()) : [];
    if (problems.length === 0) continue;
    const text = `may have mixed case, but should otherwise match: ${problems.join(',')}`;
    errors.push(field.invalid(at.child(key), names[key], text));
  }
  names.shortNames?.forEach((name, i) => label(at.child('shortNames').index(i), name));
  if (names.kind && names.kind === names.listKind) {
    errors.push(field.invalid(at.child('listKind'), names.listKind, 'kind and listKind may not be the same'));
  }
  names.categories?.forEach((name, i) => label(at.child('categories').index(i), name));
  return errors;
}

function validateStoredVersions({ spec, status }: Definition): field.ErrorList {
  const at = field.path('status', 'storedVersions');
  const stored = status?.storedVersions;
  if (!stored?.length) return [field.invalid(at, stored ?? null, 'must have at least one stored version')];
  const errors: field.ErrorList = [];
  const names = new Set((spec.versions ?? []).map(({ name }) => name));
  for (const { name, storage } of spec.versions ?? []) {
    if (storage && !stored.includes(name))
      errors.push(field.invalid(at, stored, `must have the storage version ${name}`));
  }
  stored.forEach((name, i) => {
    if (names.has(name)) return;
    const text = `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`;
    errors.push(field.invalid(at.index(i), name, text));
  });
  return errors;
}

/** Checked when a definition comes to be, and when the annotation changes. */
function validateApproval({ metadata, spec }: Definition, old: Definition | undefined): field.ErrorList {
  const approval = approvalOf(spec.group ?? '', metadata?.annotations);
  const before = old && approvalOf(old.spec.group, old.metadata?.annotations);
  if (!approval || (before && sameJson(approval, before))) return [];
  const at = field.path('metadata', 'annotations').key(APPROVAL_ANNOTATION);
  if (approval.state === 'missing') return [field.required(at, PROTECTED_GROUP_MESSAGE)];
  return approval.state === 'invalid' ? [field.invalid(at, approval.value, approval.reason)] : [];
}

function validatePreserveUnknownFields({ spec }: Definition, old: Definition | undefined): field.ErrorList {
  if (!spec.preserveUnknownFields || old?.spec.preserveUnknownFields) return [];
  const text =
    'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
  return [field.invalid(SPEC.child('preserveUnknownFields'), true, text)];
}

function immutable(definition: Definition, old: Definition, ...paths: readonly (readonly string[])[]): field.ErrorList {
  return paths.flatMap(([first = '', ...rest]) => {
    const read = (of: Definition) =>
      [first, ...rest].reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], of.spec);
    return read(definition) === read(old)
      ? []
      : [field.invalid(SPEC.child(first, ...rest), read(definition), 'field is immutable')];
  });
}
