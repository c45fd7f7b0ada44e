/** LimitRanger: gives containers what a namespace's limit ranges say, and refuses what is out of range. */
import { sumContainers } from '../../../api/core/pod/resources.ts';
import { limitRanges } from '../../../api/resources.ts';
import type {
  Container,
  LimitRange,
  LimitRangeItem,
  PersistentVolumeClaim,
  Pod,
} from '../../../api/types/core/v1.generated.ts';
import type { AdmissionPlugin, AdmissionRequest, DeepReadonlyAdmission } from '../../../libs/kind/admission.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { compareQuantity, formatQuantity, mustParseQuantity, toNumber } from '../../../libs/machinery/quantity.ts';
import { refused } from './refusal.ts';

const ANNOTATION = 'kubernetes.io/limit-ranger';

type List = Readonly<Record<string, string>>;
interface Resources {
  readonly requests: List;
  readonly limits: List;
}

/** `some`: whether there are limit ranges at all. */
export const limitRanger = (some: () => boolean): AdmissionPlugin => ({
  name: 'LimitRanger',
  handles({ operation, kind, subresource, oldObject, object }) {
    if (kind.group !== '' || !some() || (operation !== 'CREATE' && operation !== 'UPDATE')) return false;
    if (operation === 'UPDATE' && oldObject && object?.metadata?.deletionTimestamp) return false;
    if (kind.resource === 'pods') return operation === 'CREATE' ? subresource === '' : subresource === 'resize';
    return kind.resource === 'persistentvolumeclaims' && subresource === '';
  },
  async admit(_ctx, request, registry) {
    if (request.kind.resource !== 'pods' || request.operation !== 'CREATE') return;
    for (const range of await registry.list(limitRanges, request.namespace)) fill(request, range);
  },
  async validate(_ctx, request, registry) {
    const check = request.kind.resource === 'pods' ? podFaults : claimFaults;
    for (const range of await registry.list(limitRanges, request.namespace)) {
      const faults = [...new Set((range.spec?.limits ?? []).flatMap((limit) => check(limit, request)))];
      if (faults.length > 0) {
        throw refused(request, faults.length === 1 ? (faults[0] as string) : `[${faults.join(', ')}]`);
      }
    }
  },
});

/** Fills in what containers do not say, and notes it in an annotation. */
function fill(request: AdmissionRequest, range: DeepReadonly<LimitRange>): void {
  const pod = request.object as Pod;
  const requests: Record<string, string> = {};
  const limits: Record<string, string> = {};
  for (const limit of range.spec?.limits ?? []) {
    if (limit.type !== 'Container') continue;
    Object.assign(requests, limit.defaultRequest);
    Object.assign(limits, limit.default);
  }
  const notes: string[] = [];
  const complete = (container: Container, what: string) => {
    const resources = (container.resources ??= {});
    for (const [kind, defaults] of [
      ['request', requests],
      ['limit', limits],
    ] as const) {
      const list = resources[`${kind}s`] ?? {};
      const missing = Object.keys(defaults).filter((name) => !Object.hasOwn(list, name));
      if (missing.length === 0) continue;
      for (const name of missing) list[name] = defaults[name] as string;
      resources[`${kind}s`] = list;
      notes.push(`${missing.sort().join(', ')} ${kind} for ${what} ${container.name}`);
    }
  };
  for (const container of pod.spec?.containers ?? []) complete(container, 'container');
  for (const container of pod.spec?.initContainers ?? []) complete(container, 'init container');
  if (notes.length === 0) return;
  const metadata = (pod.metadata ??= {});
  metadata.annotations = { ...metadata.annotations, [ANNOTATION]: `LimitRanger plugin set: ${notes.join('; ')}` };
}

type Limit = DeepReadonly<LimitRangeItem>;

function podFaults(limit: Limit, { object }: DeepReadonlyAdmission): string[] {
  const { spec } = object as DeepReadonly<Pod>;
  if (!spec) return [];
  if (limit.type === 'Container') {
    return [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap(({ resources }) =>
      faults(limit, { requests: resources?.requests ?? {}, limits: resources?.limits ?? {} }),
    );
  }
  if (limit.type !== 'Pod') return [];
  // What the pod says as a whole goes before what its containers add up to.
  const requests = { ...sumContainers(spec, 'requests'), ...spec.resources?.requests };
  const limits = { ...sumContainers(spec, 'limits'), ...spec.resources?.limits };
  return faults(limit, { requests, limits });
}

function claimFaults(limit: Limit, { object }: DeepReadonlyAdmission): string[] {
  if (limit.type !== 'PersistentVolumeClaim') return [];
  const requests = (object as DeepReadonly<PersistentVolumeClaim>).spec?.resources?.requests ?? {};
  const { min, max, type } = limit;
  return [
    ...eachOf(min, (name, bound) => {
      const head = `minimum ${name} usage per ${type} is ${bound}`;
      return requestFault(head, requests[name], (request) => less(request, bound));
    }),
    ...eachOf(max, (name, bound) => {
      const head = `maximum ${name} usage per ${type} is ${bound}`;
      return requestFault(head, requests[name], (request) => less(bound, request));
    }),
  ];
}

function requestFault(
  head: string,
  request: string | undefined,
  bad: (request: string) => boolean,
): string | undefined {
  if (request === undefined) return `${head}.  No request is specified`;
  return bad(request) ? `${head}, but request is ${request}` : undefined;
}

/** In order of name: first what is too little, then what is too much, then what is out of proportion. */
function faults(limit: Limit, resources: Resources): string[] {
  const { min, max, maxLimitRequestRatio, type } = limit;
  return [
    ...eachOf(min, (name, bound) => tooLittle(type ?? '', name, bound, resources)),
    ...eachOf(max, (name, bound) => tooMuch(type ?? '', name, bound, resources)),
    ...eachOf(maxLimitRequestRatio, (name, bound) => outOfProportion(type ?? '', name, bound, resources)),
  ];
}

function eachOf(list: List | undefined, fault: (name: string, bound: string) => string | undefined): string[] {
  return Object.keys(list ?? {})
    .sort()
    .flatMap((name) => fault(name, (list as List)[name] as string) ?? []);
}

const less = (a: string, b: string): boolean => compareQuantity(mustParseQuantity(a), mustParseQuantity(b)) < 0;

function tooLittle(type: string, name: string, bound: string, { requests, limits }: Resources): string | undefined {
  const head = `minimum ${name} usage per ${type} is ${bound}`;
  const [request, limit] = [requests[name], limits[name]];
  if (request === undefined) return `${head}.  No request is specified`;
  if (less(request, bound)) return `${head}, but request is ${request}`;
  return limit !== undefined && less(limit, bound) ? `${head}, but limit is ${limit}` : undefined;
}

function tooMuch(type: string, name: string, bound: string, { requests, limits }: Resources): string | undefined {
  const head = `maximum ${name} usage per ${type} is ${bound}`;
  const [request, limit] = [requests[name], limits[name]];
  if (limit === undefined) return `${head}.  No limit is specified`;
  if (less(bound, limit)) return `${head}, but limit is ${limit}`;
  return request !== undefined && less(bound, request) ? `${head}, but request is ${request}` : undefined;
}

function outOfProportion(
  type: string,
  name: string,
  bound: string,
  { requests, limits }: Resources,
): string | undefined {
  const head = `${name} max limit to request ratio per ${type} is ${formatQuantity(mustParseQuantity(bound))}`;
  const amount = (text: string | undefined) => (text === undefined ? 0 : toNumber(mustParseQuantity(text)));
  const [request, limit] = [amount(requests[name]), amount(limits[name])];
  if (request === 0) return `${head}, but no request is specified or request is 0`;
  if (limit === 0) return `${head}, but no limit is specified or limit is 0`;
  const ratio = limit / request;
  return ratio > amount(bound) ? `${head}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}
