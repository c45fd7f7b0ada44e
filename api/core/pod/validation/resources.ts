/** Resources of containers and of pods as a whole. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import * as field from '../../../../libs/machinery/field-errors.ts';
import { qualifiedName } from '../../../../libs/machinery/names.ts';
import {
  compareQuantity,
  isMultipleOf,
  mustParseQuantity,
  signOfQuantity,
  toNumber,
} from '../../../../libs/machinery/quantity.ts';
import type { ContainerResizePolicy, PodSpec, ResourceRequirements } from '../../../types/core/v1.generated.ts';
import { isPodLevelResource, sumContainers } from '../resources.ts';

const HUGE_PAGES = 'hugepages-';
const CONTAINER_RESOURCES = ['cpu', 'memory', 'ephemeral-storage'];
/** What limits, quotas and claims know by a plain name. */
const STANDARD_RESOURCES = [
  ...CONTAINER_RESOURCES,
  'storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
];

export const isHugePages = (name: string): boolean => name.startsWith(HUGE_PAGES);
export const isNativeResource = (name: string): boolean => !name.includes('/') || name.includes('kubernetes.io/');
/** More may be promised than there is. */
const isOvercommitAllowed = (name: string): boolean => isNativeResource(name) && !isHugePages(name);
export const isStandardResource = (name: string): boolean => STANDARD_RESOURCES.includes(name) || isHugePages(name);

/** `example.com/gpu`: counted in whole numbers, never shared. */
export function isExtendedResource(name: string): boolean {
  if (isNativeResource(name) || name.startsWith('requests.')) return false;
  return qualifiedName(`requests.${name}`).length === 0;
}

/** Any resource's name: qualified, or one of the plain ones. */
export function validateResourceName(name: string, at: field.Path): field.ErrorList {
  const errors = qualifiedName(name).map((text) => field.invalid(at, name, text));
  if (errors.length > 0) return errors;
  if (!name.includes('/') && !isStandardResource(name)) {
    return [field.invalid(at, name, 'must be a standard resource type or fully qualified')];
  }
  return [];
}

function validateContainerResourceName(name: string, at: field.Path): field.ErrorList {
  const errors = validateResourceName(name, at);
  if (!name.includes('/')) {
    if (!CONTAINER_RESOURCES.includes(name) && !isHugePages(name)) {
      errors.push(field.invalid(at, name, 'must be a standard resource for containers'));
    }
  } else if (!isNativeResource(name) && !isExtendedResource(name)) {
    errors.push(field.invalid(at, name, "doesn't follow extended resource name standard"));
  }
  return errors;
}

/** Not below zero, and whole where the resource is counted. */
export function validateQuantity(name: string, text: string, at: field.Path): field.ErrorList {
  const quantity = mustParseQuantity(text);
  const errors: field.ErrorList = [];
  if (signOfQuantity(quantity) < 0) errors.push(field.invalid(at, text, 'must be greater than or equal to 0'));
  if (isExtendedResource(name) && !isMultipleOf(quantity, 0))
    errors.push(field.invalid(at, text, 'must be an integer'));
  return errors;
}

function validateHugePages(name: string, text: string, at: field.Path): field.ErrorList {
  if (!isHugePages(name)) return [];
  const size = sizeOf(name);
  if (size > 0 && toNumber(mustParseQuantity(text)) % size === 0) return [];
  return [field.invalid(at, text, `${text} is not positive integer multiple of ${name}`)];
}

function sizeOf(name: string): number {
  try {
    return toNumber(mustParseQuantity(name.slice(HUGE_PAGES.length)));
  } catch {
    return 0;
  }
}

type NameRule = (name: string, at: field.Path) => field.ErrorList;

const validateAmount = (name: string, text: string, at: field.Path, nameRule: NameRule): field.ErrorList =>
  field.together(nameRule(name, at), validateQuantity(name, text, at), validateHugePages(name, text, at));

export function validateRequirements(
  resources: DeepReadonly<ResourceRequirements> | undefined,
  claims: readonly string[],
  at: field.Path,
  nameRule: NameRule = validateContainerResourceName,
): field.ErrorList {
  if (!resources) return [];
  const { limits = {}, requests = {} } = resources;
  const [limitsAt, requestsAt] = [at.child('limits'), at.child('requests')];
  const errors: field.ErrorList = [];
  for (const [name, text] of Object.entries(limits)) {
    const here = limitsAt.key(name);
    errors.push(...validateAmount(name, text, here, nameRule));
  }
  for (const [name, text] of Object.entries(requests)) {
    const here = requestsAt.key(name);
    errors.push(...validateAmount(name, text, here, nameRule));
    const limit = Object.hasOwn(limits, name) ? limits[name] : undefined;
    const order = limit === undefined ? 0 : compareQuantity(mustParseQuantity(text), mustParseQuantity(limit));
    if (limit === undefined) {
      if (!isOvercommitAllowed(name)) {
        errors.push(field.required(limitsAt, 'Limit must be set for non overcommitable resources'));
      }
    } else if (order !== 0 && !isOvercommitAllowed(name)) {
      errors.push(field.invalid(requestsAt, text, `must be equal to ${name} limit of ${limit}`));
    } else if (order > 0) {
      errors.push(field.invalid(requestsAt, text, `must be less than or equal to ${name} limit of ${limit}`));
    }
  }
  const names = [...Object.keys(limits), ...Object.keys(requests)];
  if (names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory')) {
    errors.push(field.forbidden(at, 'HugePages require cpu or memory'));
  }
  return field.together(errors, validateClaimNames(resources.claims ?? [], claims, at.child('claims')));
}

function validateClaimNames(
  claims: DeepReadonly<NonNullable<ResourceRequirements['claims']>>,
  known: readonly string[],
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  const seen = new Set<string>();
  claims.forEach(({ name, request }, i) => {
    const key = request ? `${name}/${request}` : name;
    if (!name) {
      errors.push(field.required(at.index(i)));
      return;
    }
    if (seen.has(name) || seen.has(key)) errors.push(field.duplicate(at.index(i), key));
    else seen.add(key);
    if (known.includes(name)) return;
    const which = known.length === 0 ? ' which is empty' : `: ${known.join(', ')}`;
    const detail = `must be one of the names in pod.spec.resourceClaims${which}`;
    errors.push({ ...field.notFound(at.index(i), name), detail });
  });
  return errors;
}

const RESIZABLE = ['cpu', 'memory'];
const RESIZE_POLICIES = ['NotRequired', 'RestartContainer'];

export function validateResizePolicies(
  policies: DeepReadonly<ContainerResizePolicy[]>,
  podRestartPolicy: string,
  containerRestartPolicy: string | undefined,
  at: field.Path,
): field.ErrorList {
  const errors: field.ErrorList = [];
  const seen = new Set<string>();
  policies.forEach(({ resourceName, restartPolicy }, i) => {
    if (seen.has(resourceName)) errors.push(field.duplicate(at.index(i), resourceName));
    seen.add(resourceName);
    if (!resourceName) errors.push(field.required(at));
    else if (!RESIZABLE.includes(resourceName)) errors.push(field.notSupported(at, resourceName, RESIZABLE));
    if (!restartPolicy) errors.push(field.required(at));
    else if (!RESIZE_POLICIES.includes(restartPolicy)) {
      errors.push(field.notSupported(at, restartPolicy, RESIZE_POLICIES));
    }
    if (podRestartPolicy === 'Never' && containerRestartPolicy !== 'Always' && restartPolicy === 'RestartContainer') {
      errors.push(field.invalid(at, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
    }
  });
  return errors;
}

/** What a pod may use as a whole: no less than its containers ask for, no container more than the pod. */
export function validatePodResources(
  spec: DeepReadonly<PodSpec>,
  claims: readonly string[],
  at: field.Path,
): field.ErrorList {
  const { resources } = spec;
  if (!resources) return [];
  if (spec.os?.name === 'windows') return [field.forbidden(at, 'may not be set for a windows pod')];
  const errors: field.ErrorList = [];
  if ((resources.claims ?? []).length > 0) {
    errors.push(field.forbidden(at.child('claims'), 'claims may not be set for Resources at pod-level'));
  }
  errors.push(...validateRequirements(resources, claims, at, podResourceName));
  const sums = sumContainers(spec, 'requests');
  for (const [name, text] of Object.entries(resources.requests ?? {})) {
    const sum = Object.hasOwn(sums, name) ? sums[name] : undefined;
    if (sum === undefined || compareQuantity(mustParseQuantity(sum), mustParseQuantity(text)) <= 0) continue;
    const detail = `must be greater than or equal to aggregate container requests of ${sum}`;
    errors.push(field.invalid(at.child('requests').key(name), text, detail));
  }
  for (const list of ['containers', 'initContainers'] as const) {
    (spec[list] ?? []).forEach((container, i) => {
      for (const [name, text] of Object.entries(container.resources?.limits ?? {})) {
        const limit = resources.limits?.[name];
        if (limit === undefined || compareQuantity(mustParseQuantity(text), mustParseQuantity(limit)) <= 0) continue;
        const place = at.child(list).index(i).key(name).child('limits');
        errors.push(field.invalid(place, text, `must be less than or equal to pod limits of ${limit}`));
      }
    });
  }
  return errors;
}

function podResourceName(name: string, at: field.Path): field.ErrorList {
  return isPodLevelResource(name) ? [] : [field.notSupported(at, name, ['cpu', 'hugepages-', 'memory'])];
}
