import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { ipVersion } from '../../../libs/machinery/ip.ts';
import { labelValue, qualifiedName } from '../../../libs/machinery/names.ts';
import { isMultipleOf, mustParseQuantity, signOfQuantity } from '../../../libs/machinery/quantity.ts';
import { validateCidr } from '../../meta/addresses.ts';
import { NOT_NEGATIVE } from '../../meta/immutable.ts';
import type { Node, Taint } from '../../types/core/v1.generated.ts';
import { isExtendedResource } from '../pod/validation/resources.ts';
import { TAINT_EFFECTS } from '../pod/validation/scheduling.ts';

type Seen = DeepReadonly<Node>;

export function validateNode(node: Seen): field.ErrorList {
  return [
    ...validateTaints(node.spec?.taints ?? [], field.path('metadata', 'taints')),
    ...validateNodeStatus(node),
    ...validatePodCidrs(node.spec?.podCIDRs ?? [], field.path('spec', 'podCIDRs')),
  ];
}

/** A taint is known by its key and its effect. */
function validateTaints(taints: DeepReadonly<Taint[]>, at: field.Path): field.ErrorList {
  const seen = new Set<string>();
  return taints.flatMap(({ key = '', value = '', effect = '', timeAdded }, i) => {
    const here = at.index(i);
    const errors = qualifiedName(key).map((text) => field.invalid(here.child('key'), key, text));
    for (const text of labelValue(value)) errors.push(field.invalid(here.child('value'), value, text));
    if (effect === '') errors.push(field.required(here.child('effect')));
    else if (!TAINT_EFFECTS.includes(effect)) {
      errors.push(field.notSupported(here.child('effect'), effect, TAINT_EFFECTS));
    }
    if (seen.has(`${effect}/${key}`)) {
      const shown = { Key: key, Value: value, Effect: effect, TimeAdded: timeAdded ?? null };
      errors.push({ ...field.duplicate(here, shown), detail: 'taints must be unique by key and effect pair' });
    }
    seen.add(`${effect}/${key}`);
    return errors;
  });
}

export function validateNodeStatus({ status }: Seen): field.ErrorList {
  return (['capacity', 'allocatable'] as const).flatMap((list) =>
    Object.entries(status?.[list] ?? {}).flatMap(([name, text]) => {
      const place = `status.${list}.${name}`;
      const quantity = mustParseQuantity(text);
      const errors: field.ErrorList = [];
      if (signOfQuantity(quantity) < 0) errors.push(field.invalid(place, text, NOT_NEGATIVE));
      const counted = name === 'pods' || isExtendedResource(name);
      if (counted && !isMultipleOf(quantity, 0)) errors.push(field.invalid(place, text, 'must be an integer'));
      return errors;
    }),
  );
}

/** One network of each family. */
function validatePodCidrs(cidrs: readonly string[], at: field.Path): field.ErrorList {
  const errors = cidrs.flatMap((cidr, i) => validateCidr(cidr, at.index(i)));
  const families = cidrs.map((cidr) => ipVersion(cidr.split('/')[0] ?? ''));
  if (errors.length === 0 && (cidrs.length > 2 || (cidrs.length === 2 && families[0] === families[1]))) {
    errors.push(field.invalid(at, cidrs, 'may specify no more than one CIDR for each IP family'));
  }
  cidrs.forEach((cidr, i) => {
    if (cidrs.indexOf(cidr) < i) errors.push(field.duplicate(at.index(i), cidr));
  });
  return errors;
}

/** What is wrong with the new object alone is told both as of any node and as of its change. */
export function validateNodeUpdate(node: Seen, old: Seen): field.ErrorList {
  const errors = [...validateNode(node), ...validateNodeStatusUpdate(node)];
  const at = field.path('spec');
  const [spec, was] = [node.spec ?? {}, old.spec ?? {}];
  const [cidrs, had] = [spec.podCIDRs ?? [], was.podCIDRs ?? []];
  const changed = cidrs.length === had.length ? had.filter((cidr, i) => cidr !== cidrs[i]) : had.slice(0, 1);
  for (const _cidr of changed) {
    const detail = 'node updates may not change podCIDR except from "" to valid';
    errors.push(field.forbidden(at.child('podCIDRs'), detail));
  }
  if (was.providerID && spec.providerID !== was.providerID) {
    const detail = 'node updates may not change providerID except from "" to valid';
    errors.push(field.forbidden(at.child('providerID'), detail));
  }
  errors.push(...validateTaints(spec.taints ?? [], field.path('metadata', 'taints')));
  if ((spec.externalID ?? '') !== (was.externalID ?? '')) {
    errors.push(field.forbidden(at.child('externalID'), 'may not be updated'));
  }
  return errors;
}

/** What a node says of itself; each of its addresses once. */
export function validateNodeStatusUpdate(node: Seen): field.ErrorList {
  const addresses = node.status?.addresses ?? [];
  const errors = validateNodeStatus(node);
  addresses.forEach(({ type, address }, i) => {
    if (addresses.findIndex((other) => other.type === type && other.address === address) === i) return;
    errors.push(field.duplicate(field.path('status', 'addresses').index(i), { Type: type, Address: address }));
  });
  errors.push(
    ...validateDeclaredFeatures(node.status?.declaredFeatures ?? [], field.path('status', 'declaredFeatures')),
  );
  return errors;
}

const FEATURE = /^[A-Z][a-zA-Z0-9]*(?:\/[a-zA-Z0-9]+)*$/;
const FEATURE_LENGTH_MAX = 253;
const FEATURE_FORM =
  "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes";

/** In order, each once. */
function validateDeclaredFeatures(features: readonly string[], at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  features.forEach((feature, i) => {
    const name = `invalid feature name ${JSON.stringify(feature)}`;
    if (feature.length > FEATURE_LENGTH_MAX) {
      const why = `${name}: must be no more than ${FEATURE_LENGTH_MAX} characters`;
      errors.push(field.invalid(at.index(i), feature, why));
    } else if (!FEATURE.test(feature)) errors.push(field.invalid(at.index(i), feature, `${name}: ${FEATURE_FORM}`));
    const next = features[i + 1];
    if (next === undefined) return;
    if (next === feature) errors.push(field.duplicate(at.index(i + 1), next));
    else if (next < feature) errors.push(field.invalid(at.index(i + 1), next, 'list must be sorted alphabetically'));
  });
  return errors;
}

export function nodeWarnings({ spec }: Seen, old?: Seen): string[] {
  const warnings: string[] = [];
  if (spec?.externalID && spec.externalID !== old?.spec?.externalID) {
    warnings.push('spec.externalID: this field is deprecated, and is unused by Kubernetes');
  }
  if (spec?.configSource && !old?.spec?.configSource) {
    warnings.push('spec.configSource: the feature is no longer supported');
  }
  return warnings;
}
