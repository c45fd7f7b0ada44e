import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../libs/machinery/names.ts';
import { isMultipleOf, mustParseQuantity, signOfQuantity } from '../../../libs/machinery/quantity.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { IMMUTABLE, NOT_NEGATIVE } from '../../meta/immutable.ts';
import type { ResourceQuota, ResourceQuotaSpec } from '../../types/core/v1.generated.ts';

type Seen = DeepReadonly<ResourceQuota>;

/** What is counted, in whole numbers. */
const COUNTED = [
  'pods',
  'services',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];
const COMPUTE = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'];
const OTHER = ['ephemeral-storage', 'requests.storage', 'requests.ephemeral-storage', 'limits.ephemeral-storage'];
const POD_SCOPES = [
  'Terminating',
  'NotTerminating',
  'BestEffort',
  'NotBestEffort',
  'PriorityClass',
  'CrossNamespacePodAffinity',
];
const SCOPES = [...POD_SCOPES, 'VolumeAttributesClass'];
const PLAIN_SCOPES = ['Terminating', 'NotTerminating', 'BestEffort', 'NotBestEffort', 'CrossNamespacePodAffinity'];
const CONFLICTING = [
  ['BestEffort', 'NotBestEffort'],
  ['Terminating', 'NotTerminating'],
] as const;

export function validateResourceQuota({ spec }: Seen): field.ErrorList {
  const at = field.path('spec');
  return [...validateList(spec?.hard, at.child('hard')), ...(spec ? validateScopes(spec, at) : [])];
}

export function validateResourceQuotaUpdate(quota: Seen, old: Seen): field.ErrorList {
  const errors = validateResourceQuota(quota);
  const sorted = (scopes: readonly string[] | undefined) => [...(scopes ?? [])].sort();
  if (!sameValue(sorted(quota.spec?.scopes), sorted(old.spec?.scopes))) {
    errors.push(field.invalid(field.path('spec', 'scopes'), quota.spec?.scopes ?? [], IMMUTABLE));
  }
  return errors;
}

export function validateResourceQuotaStatus({ status }: Seen): field.ErrorList {
  const at = field.path('status');
  return [...validateList(status?.hard, at.child('hard')), ...validateList(status?.used, at.child('used'))];
}

function validateList(list: Readonly<Record<string, string>> | undefined, at: field.Path): field.ErrorList {
  return Object.entries(list ?? {}).flatMap(([name, text]) => {
    const here = at.key(name);
    const quantity = mustParseQuantity(text);
    const errors = validateName(name, here);
    if (signOfQuantity(quantity) < 0) errors.push(field.invalid(here, text, NOT_NEGATIVE));
    if (isCounted(name) && !isMultipleOf(quantity, 0)) errors.push(field.invalid(here, text, 'must be an integer'));
    return errors;
  });
}

const isCounted = (name: string): boolean => COUNTED.includes(name) || name.startsWith('count/');
const isHugePages = (name: string): boolean => /^(requests\.)?hugepages-/.test(name);

/** One of the names that quotas know without a domain. */
const isStandard = (name: string): boolean =>
  COUNTED.includes(name) || COMPUTE.includes(name) || OTHER.includes(name) || isHugePages(name);

function validateName(name: string, at: field.Path): field.ErrorList {
  const errors = qualifiedName(name).map((text) => field.invalid(at, name, text));
  if (!name.includes('/') && !isStandard(name)) {
    errors.push(field.invalid(at, name, 'must be a standard resource for quota'));
  }
  return errors;
}

/** A scope narrows a quota to some pods, so it says nothing about resources that are no pods'. */
function appliesTo(scope: string, resource: string): boolean {
  if (scope === 'VolumeAttributesClass')
    return /^(persistentvolumeclaims|requests\.storage)$|\.storageclass\./.test(resource);
  if (resource === 'pods' || resource === 'count/pods') return true;
  if (scope === 'BestEffort') return false;
  const extended = resource.startsWith('requests.') && resource.includes('/');
  return COMPUTE.includes(resource) || resource.includes('ephemeral-storage') || isHugePages(resource) || extended;
}

function validateScopes(spec: DeepReadonly<ResourceQuotaSpec>, at: field.Path): field.ErrorList {
  // Counts of objects by resource and group are nobody's scope, and what is no resource is told as that.
  const resources = Object.keys(spec.hard ?? {}).filter(isStandard);
  const errors: field.ErrorList = [];
  const scopes = spec.scopes ?? [];
  const scopesAt = at.child('scopes');
  for (const scope of scopes) {
    if (!SCOPES.includes(scope)) errors.push(field.invalid(scopesAt, scopes, 'unsupported scope'));
    for (const resource of resources) {
      if (!SCOPES.includes(scope) || appliesTo(scope, resource)) continue;
      errors.push(field.invalid(scopesAt, scopes, 'unsupported scope applied to resource'));
    }
  }
  for (const pair of CONFLICTING) {
    if (pair.every((scope) => scopes.includes(scope)))
      errors.push(field.invalid(scopesAt, scopes, 'conflicting scopes'));
  }
  const here = at.child('scopeSelector', 'matchExpressions');
  for (const { scopeName = '', operator = '', values = [] } of spec.scopeSelector?.matchExpressions ?? []) {
    if (!SCOPES.includes(scopeName))
      errors.push(field.invalid(here.child('scopeName'), scopeName, 'unsupported scope'));
    for (const resource of resources) {
      if (!SCOPES.includes(scopeName) || appliesTo(scopeName, resource)) continue;
      errors.push(field.invalid(here, spec.scopeSelector, 'unsupported scope applied to resource'));
    }
    if (PLAIN_SCOPES.includes(scopeName) && operator !== 'Exists') {
      const all = PLAIN_SCOPES.map((scope) => `ResourceQuotaScope${scope}`);
      const detail = `must be 'Exists' when scope is any of ${all.slice(0, -1).join(', ')} or ${all.at(-1)}`;
      errors.push(field.invalid(here.child('operator'), operator, detail));
    }
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0) {
        const detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
        errors.push(field.required(here.child('values'), detail));
      }
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0) {
        const detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
        errors.push(field.invalid(here.child('values'), values, detail));
      }
    } else errors.push(field.invalid(here.child('operator'), operator, 'not a valid selector operator'));
  }
  return errors;
}
