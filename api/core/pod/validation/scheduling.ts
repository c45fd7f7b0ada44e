/** Where a pod may and would rather run: node selectors, affinity, tolerations, topology spread. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { labelValue, namespaceName, qualifiedName } from '../../../../libs/machinery/names.ts';
import { validateLabelSelector } from '../../../meta/label-selector.ts';
import type {
  Affinity,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from '../../../types/core/v1.generated.ts';
import { validateNodeSelector, validateNodeSelectorTerm } from '../../node/node-selector.ts';

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution';
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution';

export function validateAffinity(affinity: DeepReadonly<Affinity> | undefined, at: field.Path): field.ErrorList {
  if (!affinity) return [];
  const errors: field.ErrorList = [];
  const node = affinity.nodeAffinity;
  if (node) {
    const here = at.child('nodeAffinity');
    if (node[REQUIRED]) errors.push(...validateNodeSelector(node[REQUIRED], here.child(REQUIRED)));
    (node[PREFERRED] ?? []).forEach(({ weight, preference }, i) => {
      const place = here.child(PREFERRED).index(i);
      errors.push(
        ...validateWeight(weight, place),
        ...validateNodeSelectorTerm(preference ?? {}, place.child('preference')),
      );
    });
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const terms = affinity[kind];
    if (!terms) continue;
    const here = at.child(kind);
    (terms[REQUIRED] ?? []).forEach((term, i) => {
      errors.push(...validatePodTerm(term, here.child(REQUIRED).index(i)));
    });
    (terms[PREFERRED] ?? []).forEach(({ weight, podAffinityTerm }, i) => {
      const place = here.child(PREFERRED).index(i);
      errors.push(
        ...validateWeight(weight, place),
        ...validatePodTerm(podAffinityTerm, place.child('podAffinityTerm')),
      );
    });
  }
  return errors;
}

function validateWeight(weight: number | undefined, at: field.Path): field.ErrorList {
  if (weight !== undefined && weight >= 1 && weight <= 100) return [];
  return [field.invalid(at.child('weight'), weight ?? 0, 'must be in the range 1-100')];
}

function validatePodTerm(term: DeepReadonly<PodAffinityTerm> | undefined, at: field.Path): field.ErrorList {
  const { labelSelector, namespaceSelector, namespaces = [], matchLabelKeys = [], mismatchLabelKeys = [] } = term ?? {};
  const topologyKey = term?.topologyKey ?? '';
  const errors = [
    ...validateLabelSelector(labelSelector, at.child('labelSelector')),
    ...validateLabelSelector(namespaceSelector, at.child('namespaceSelector')),
  ];
  for (const [name, keys] of Object.entries({ matchLabelKeys, mismatchLabelKeys })) {
    errors.push(...validateLabelKeys(keys, labelSelector !== undefined, at.child(name)));
  }
  matchLabelKeys.forEach((key, i) => {
    if (!mismatchLabelKeys.includes(key)) return;
    const place = at.child('matchLabelKeys').index(i);
    errors.push(field.invalid(place, key, 'exists in both matchLabelKeys and mismatchLabelKeys'));
  });
  for (const name of namespaces) {
    for (const text of namespaceName(name)) errors.push(field.invalid(at.child('namespace'), name, text));
  }
  const here = at.child('topologyKey');
  if (topologyKey === '') errors.push(field.required(here, 'can not be empty'));
  for (const text of qualifiedName(topologyKey)) errors.push(field.invalid(here, topologyKey, text));
  return errors;
}

function validateLabelKeys(keys: readonly string[], hasSelector: boolean, at: field.Path): field.ErrorList {
  if (keys.length === 0) return [];
  if (!hasSelector) return [field.forbidden(at, 'must not be specified when labelSelector is not set')];
  return keys.flatMap((key, i) => qualifiedName(key).map((text) => field.invalid(at.index(i), key, text)));
}

export const TAINT_EFFECTS: readonly string[] = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function validateTolerations(tolerations: DeepReadonly<Toleration[]>, at: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  for (let i = 0; i < tolerations.length; i++)
    errors.push(...validateToleration(tolerations[i] as DeepReadonly<Toleration>, at.index(i)));
  return errors;
}

function validateToleration(toleration: DeepReadonly<Toleration>, at: field.Path): field.ErrorList {
  const { key = '', operator = '', value = '', effect = '', tolerationSeconds } = toleration;
  const errors: field.ErrorList = [];
  if (key !== '') for (const text of qualifiedName(key)) errors.push(field.invalid(at.child('key'), key, text));
  else if (operator !== 'Exists') {
    const detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    errors.push(field.invalid(at.child('operator'), operator, detail));
  }
  if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
    errors.push(
      field.invalid(at.child('effect'), effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"),
    );
  }
  if (operator === 'Equal' || operator === '') {
    const problems = labelValue(value);
    if (problems.length > 0) errors.push(field.invalid(at.child('operator'), value, problems.join(';')));
  } else if (operator === 'Exists') {
    if (value !== '') {
      const shown = {
        Key: key,
        Operator: operator,
        Value: value,
        Effect: effect,
        TolerationSeconds: tolerationSeconds ?? null,
      };
      errors.push(field.invalid(at.child('operator'), shown, "value must be empty when `operator` is 'Exists'"));
    }
  } else {
    // Comparing operators exist behind a gate that is off: they are named, but refused.
    const known = operator === 'Lt' || operator === 'Gt' ? ['Equal', 'Exists', 'Lt', 'Gt'] : ['Equal', 'Exists'];
    errors.push(field.notSupported(at.child('operator'), operator, known));
  }
  if (effect !== '' && !TAINT_EFFECTS.includes(effect))
    errors.push(field.notSupported(at.child('effect'), effect, TAINT_EFFECTS));
  return errors;
}

const ACTIONS = ['DoNotSchedule', 'ScheduleAnyway'];
const POLICIES = ['Honor', 'Ignore'];
const NOT_POSITIVE = 'must be greater than zero';

export function validateTopologySpread(
  constraints: DeepReadonly<TopologySpreadConstraint[]>,
  at: field.Path,
): field.ErrorList {
  return constraints.flatMap((constraint, i) => {
    const here = at.index(i);
    const { maxSkew, topologyKey, whenUnsatisfiable: action, minDomains, labelSelector } = constraint;
    const errors: field.ErrorList = [];
    if (maxSkew <= 0) errors.push(field.invalid(here.child('maxSkew'), maxSkew, NOT_POSITIVE));
    if (!topologyKey) errors.push(field.required(here.child('topologyKey'), 'can not be empty'));
    if (!ACTIONS.includes(action)) errors.push(field.notSupported(here.child('whenUnsatisfiable'), action, ACTIONS));
    const same = (other: DeepReadonly<TopologySpreadConstraint>) =>
      other.topologyKey === topologyKey && other.whenUnsatisfiable === action;
    if (constraints.slice(i + 1).some(same)) {
      errors.push(field.duplicate(here.child('{topologyKey, whenUnsatisfiable}'), `{${topologyKey}, ${action}}`));
    }
    if (minDomains !== undefined && minDomains <= 0) {
      errors.push(field.invalid(here.child('minDomains'), minDomains, NOT_POSITIVE));
    }
    if (minDomains !== undefined && action !== 'DoNotSchedule') {
      const detail = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${action}`;
      errors.push(field.invalid(here.child('minDomains'), minDomains, detail));
    }
    for (const name of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      const policy = constraint[name];
      if (policy !== undefined && !POLICIES.includes(policy)) {
        errors.push(field.notSupported(here.child(name), policy, POLICIES));
      }
    }
    const keys = constraint.matchLabelKeys ?? [];
    errors.push(...validateLabelKeys(keys, labelSelector !== undefined, here.child('matchLabelKeys')));
    return [...errors, ...validateLabelSelector(labelSelector, here.child('labelSelector'))];
  });
}
