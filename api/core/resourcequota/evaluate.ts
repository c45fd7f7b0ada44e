/**
 * What objects count for in quotas (API concept "Resource Quotas"). Two parts of the cluster must agree on it: admission,
 * which refuses what would be too much, and the controller, which counts what is there. Both ask here.
 *
 *     const evaluator = evaluatorOf({ group: '', resource: 'pods' });
 *     if (quotaCovers(evaluator, quota.spec, hard, pod)) used = addResources(used, evaluator.usage(pod, nowMs));
 */
import type { ApiObject, DeepReadonly, GroupResource } from '../../../libs/kind/object.ts';
import { labelSelectorOf } from '../../../libs/machinery/labels.ts';
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  mustParseQuantity,
  negateQuantity,
  signOfQuantity,
  subtractQuantity,
} from '../../../libs/machinery/quantity.ts';
import type {
  PersistentVolumeClaim,
  Pod,
  ResourceQuotaSpec,
  ScopedResourceSelectorRequirement,
  Service,
} from '../../types/core/v1.generated.ts';
import type { ResourceClaim } from '../../types/resource/v1.generated.ts';
import { qosClassOf, type ResourceList } from '../pod/resources.ts';
import { claimUsage, deviceClaimUsage, serviceUsage } from './object-usage.ts';
import { isPodResource, podUsage, unsaidByContainers } from './pod-usage.ts';

/** A scope of a quota; plain scopes are such with the operator `Exists`. */
export type Scope = DeepReadonly<ScopedResourceSelectorRequirement>;

/** What one resource's objects count for. Pure, except for the time that is handed in. */
export interface QuotaEvaluator {
  /** Whether a quota's resource is about these objects. */
  counts(resource: string): boolean;
  /** Quantities by the quota's names; of names that no quota may limit too. `nowMs`: since 1970. */
  usage(object: DeepReadonly<ApiObject>, nowMs: number): Record<string, string>;
  /** Whether the object is within the scope. */
  within(scope: Scope, object: DeepReadonly<ApiObject>): boolean;
  /** Whether an update of an object (its `resize`, for pods) can make it count for more. */
  readonly grows: 'update' | 'resize' | undefined;
  /** Which of the resources that a quota limits the object must mention and does not, and where: containers. */
  unsaid(object: DeepReadonly<ApiObject>, limited: readonly string[]): ReadonlyMap<string, readonly string[]>;
}

/** Nobody counts these: they come and go by themselves. */
const UNCOUNTED = new Set(['events', 'events.events.k8s.io', 'bindings']);
/** Kinds that quotas know by their plain name too. */
const PLAIN_NAMES = new Set(['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets']);
const CLASS_NAMES = /\.storageclass\.storage\.k8s\.io\/(requests\.storage|persistentvolumeclaims)$/;

const everythingSaid: QuotaEvaluator['unsaid'] = () => new Map();

const podEvaluator: QuotaEvaluator = {
  counts: isPodResource,
  usage: (pod, nowMs) => podUsage(pod as DeepReadonly<Pod>, nowMs),
  within: (scope, pod) => podWithin(scope, pod as DeepReadonly<Pod>),
  grows: 'resize',
  unsaid: (pod, limited) => unsaidByContainers(pod as DeepReadonly<Pod>, limited),
};

const serviceEvaluator: QuotaEvaluator = {
  counts: (name) => ['count/services', 'services', 'services.loadbalancers', 'services.nodeports'].includes(name),
  usage: (service) => serviceUsage(service as DeepReadonly<Service>),
  within: () => false,
  grows: 'update',
  unsaid: everythingSaid,
};

const claimEvaluator: QuotaEvaluator = {
  counts: (name) =>
    ['count/persistentvolumeclaims', 'persistentvolumeclaims', 'requests.storage'].includes(name) ||
    CLASS_NAMES.test(name),
  usage: (claim) => claimUsage(claim as DeepReadonly<PersistentVolumeClaim>),
  within: (scope, claim) => claimWithin(scope, claim as DeepReadonly<PersistentVolumeClaim>),
  grows: 'update',
  unsaid: everythingSaid,
};

const deviceClaimEvaluator: QuotaEvaluator = {
  counts: (name) =>
    name === 'count/resourceclaims.resource.k8s.io' || name.endsWith('.deviceclass.resource.k8s.io/devices'),
  usage: (claim) => deviceClaimUsage(claim as DeepReadonly<ResourceClaim>),
  within: () => false,
  grows: 'update',
  unsaid: everythingSaid,
};

/** The evaluator of a resource, custom ones included; undefined for what no quota counts. */
export function evaluatorOf({ group, resource }: GroupResource): QuotaEvaluator | undefined {
  const name = group === '' ? resource : `${resource}.${group}`;
  if (UNCOUNTED.has(name)) return undefined;
  switch (name) {
    case 'pods':
      return podEvaluator;
    case 'services':
      return serviceEvaluator;
    case 'persistentvolumeclaims':
      return claimEvaluator;
    case 'resourceclaims.resource.k8s.io':
      return deviceClaimEvaluator;
  }
  const names = PLAIN_NAMES.has(name) ? [`count/${name}`, name] : [`count/${name}`];
  const usage = Object.fromEntries(names.map((one) => [one, '1']));
  return {
    counts: (one) => names.includes(one),
    usage: () => usage,
    within: () => false,
    grows: undefined,
    unsaid: everythingSaid,
  };
}

/** The resources whose objects one must look at to count what a quota limits; custom ones are known by their group. */
export function resourceCountedBy(name: string): GroupResource | undefined {
  const counted = /^count\/([^.]+)(?:\.(.+))?$/.exec(name);
  if (counted) return { group: counted[2] ?? '', resource: counted[1] as string };
  if (podEvaluator.counts(name)) return { group: '', resource: 'pods' };
  if (serviceEvaluator.counts(name)) return { group: '', resource: 'services' };
  if (claimEvaluator.counts(name)) return { group: '', resource: 'persistentvolumeclaims' };
  if (deviceClaimEvaluator.counts(name)) return { group: 'resource.k8s.io', resource: 'resourceclaims' };
  return PLAIN_NAMES.has(name) ? { group: '', resource: name } : undefined;
}

/** All scopes of a quota, plain ones and those of its selector. */
export function scopesOf(spec: DeepReadonly<ResourceQuotaSpec> | undefined): readonly Scope[] {
  const plain = (spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' }));
  return [...plain, ...(spec?.scopeSelector?.matchExpressions ?? [])] as Scope[];
}

/**
 * Whether the quota has a say about the object: it limits (`hard`: of its status for admission, of its spec for the
 * controller) something that the object counts for, and the object is within all of its scopes.
 */
export function quotaCovers(
  evaluator: QuotaEvaluator,
  spec: DeepReadonly<ResourceQuotaSpec> | undefined,
  hard: ResourceList | undefined,
  object: DeepReadonly<ApiObject>,
): boolean {
  if (!Object.keys(hard ?? {}).some((name) => evaluator.counts(name))) return false;
  return scopesOf(spec).every((scope) => evaluator.within(scope, object));
}

function podWithin({ scopeName, operator, values }: Scope, { spec, ...pod }: DeepReadonly<Pod>): boolean {
  switch (scopeName) {
    case 'Terminating':
      return endsByItself(spec);
    case 'NotTerminating':
      return !endsByItself(spec);
    case 'BestEffort':
      return (pod.status?.qosClass ?? qosClassOf(spec ?? { containers: [] })) === 'BestEffort';
    case 'NotBestEffort':
      return (pod.status?.qosClass ?? qosClassOf(spec ?? { containers: [] })) !== 'BestEffort';
    case 'PriorityClass':
      return selects(operator, values, spec?.priorityClassName ? [spec.priorityClassName] : []);
    case 'CrossNamespacePodAffinity':
      return crossesNamespaces(spec);
    default:
      return false;
  }
}

const endsByItself = (spec: DeepReadonly<Pod>['spec']): boolean =>
  spec?.activeDeadlineSeconds !== undefined && Number(spec.activeDeadlineSeconds) >= 0;

function crossesNamespaces(spec: DeepReadonly<Pod>['spec']): boolean {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  return [podAffinity, podAntiAffinity].some((affinity) =>
    [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
        ({ podAffinityTerm }) => podAffinityTerm,
      ),
    ].some(({ namespaces, namespaceSelector }) => (namespaces?.length ?? 0) > 0 || namespaceSelector !== undefined),
  );
}

function claimWithin(
  { scopeName, operator, values }: Scope,
  { spec, status }: DeepReadonly<PersistentVolumeClaim>,
): boolean {
  if (scopeName !== 'VolumeAttributesClass') return false;
  const names = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return selects(operator, values, [...new Set(names.filter((name) => name))] as string[]);
}

/** Whether a selector holds for one of the names that an object has; for the lack of a name, where it has none. */
function selects(operator: string, values: readonly string[] | undefined, names: readonly string[]): boolean {
  if (operator === 'Exists') return names.length > 0;
  const selector = labelSelectorOf({ matchExpressions: [{ key: 'name', operator, values: values ?? [] }] });
  if (names.length === 0) return selector.matches({});
  return names.some((name) => selector.matches({ name }));
}

/** Name by name; what only one has counts as it is. */
export function addResources(a: ResourceList, b: ResourceList): Record<string, string> {
  return combine(a, b, (x, y) =>
    x === undefined ? mustParseQuantity(y) : addQuantity(mustParseQuantity(x), mustParseQuantity(y)),
  );
}

/** `a` − `b`, name by name; what `a` has not is below zero. */
export function subtractResources(a: ResourceList, b: ResourceList): Record<string, string> {
  return combine(a, b, (x, y) =>
    x === undefined
      ? negateQuantity(mustParseQuantity(y))
      : subtractQuantity(mustParseQuantity(x), mustParseQuantity(y)),
  );
}

function combine(
  a: ResourceList,
  b: ResourceList,
  both: (x: string | undefined, y: string) => ReturnType<typeof mustParseQuantity>,
): Record<string, string> {
  const result: Record<string, string> = { ...a };
  for (const [name, y] of Object.entries(b)) {
    result[name] = formatQuantity(both(Object.hasOwn(a, name) ? a[name] : undefined, y));
  }
  return result;
}

/** Those of the names that the list has. */
export function maskResources(list: ResourceList, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.filter((name) => Object.hasOwn(list, name)).map((name) => [name, list[name] as string]),
  );
}

/** The names of `used` that are larger than `hard` allows, in order of name. */
export function exceeded(used: ResourceList, hard: ResourceList): readonly string[] {
  const over = ([name, amount]: [string, string]): boolean => {
    const limit = Object.hasOwn(hard, name) ? hard[name] : undefined;
    return limit !== undefined && compareQuantity(mustParseQuantity(amount), mustParseQuantity(limit)) > 0;
  };
  return Object.entries(used)
    .filter(over)
    .map(([name]) => name)
    .sort();
}

/** Only what is not zero and not below: what a change adds. */
export function growth(delta: ResourceList): Record<string, string> {
  return Object.fromEntries(
    Object.entries(delta).filter(([, amount]) => signOfQuantity(mustParseQuantity(amount)) > 0),
  );
}
