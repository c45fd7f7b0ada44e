import type {
  PodAffinityTerm as ApiPodAffinityTerm,
  TopologySpreadConstraint,
} from '../../../api/types/core/v1.generated.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { type LabelSelector, type Labels, labelSelectorOf, nothing } from '../../../libs/machinery/labels.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { Pod } from './cluster-objects.ts';
import { type NodeMatch, requiredNodeMatch } from './node-selector.ts';
import { type Amounts, podRequests } from './resources.ts';
import type { Toleration } from './tolerations.ts';

/** One term of pod affinity or anti-affinity, read. */
export interface AffinityTerm {
  readonly topologyKey: string;
  readonly selector: LabelSelector;
  /** The pod's own namespace where neither names nor a selector are given. */
  readonly namespaces: readonly string[];
  readonly namespaceSelector: LabelSelector;
  readonly weight: number;
  /** Equal terms have equal keys. */
  readonly key: string;
}

export interface SpreadConstraint {
  readonly maxSkew: number;
  readonly topologyKey: string;
  readonly hard: boolean;
  readonly selector: LabelSelector;
  readonly minDomains: number;
  readonly honorNodeAffinity: boolean;
  readonly honorTaints: boolean;
}

export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

/** What pods of one template have in common, as far as the scheduler cares: all but name, labels and owners. */
export interface PodTemplate {
  /** Equal keys: equal templates. */
  readonly key: string;
  readonly requests: Amounts;
  /** The requests with those of containers that say nothing made up, for scores. */
  readonly scoredRequests: Amounts;
  /** The same as they count for the node once the pod is placed: with requests of the pod as a whole. */
  readonly placedRequests: Amounts;
  readonly bestEffort: boolean;
  readonly hostPorts: readonly HostPort[];
  /** Of containers and init containers, and of image volumes, as written. */
  readonly images: readonly string[];
  readonly tolerations: readonly Toleration[];
  readonly nodeMatch: NodeMatch | undefined;
  /** Names of the claims of its volumes; ephemeral ones are resolved per pod. */
  readonly hasVolumes: boolean;
}

export interface PodInfo {
  readonly pod: Pod;
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  /** `namespace/name`. */
  readonly key: string;
  readonly labels: Labels;
  readonly priority: number;
  readonly schedulerName: string;
  readonly template: PodTemplate;
  readonly terminating: boolean;
  readonly requiredAffinity: readonly AffinityTerm[];
  readonly requiredAntiAffinity: readonly AffinityTerm[];
  readonly preferredAffinity: readonly AffinityTerm[];
  readonly preferredAntiAffinity: readonly AffinityTerm[];
}

const NO_LABELS: Labels = Object.freeze({});
const NO_TERMS: readonly AffinityTerm[] = Object.freeze([]);
/** Templates kept; more than any workload has at once, and few enough to bound the memory. */
const TEMPLATES_MAX = 2000;

/** Reads pods, each template once. */
export class PodReader {
  readonly #templates = new Map<string, PodTemplate>();

  /** `known`: what was read of an earlier state of the pod. */
  read(pod: Pod, known?: PodInfo): PodInfo {
    const { name = '', namespace = '', uid, labels = NO_LABELS, deletionTimestamp } = pod.metadata ?? {};
    const { affinity } = pod.spec ?? {};
    const affine = affinity?.podAffinity;
    const apart = affinity?.podAntiAffinity;
    const key = `${namespace}/${name}`;
    const terms = (required: readonly DeepReadonly<ApiPodAffinityTerm>[] | undefined) =>
      required && required.length > 0 ? required.map((term) => readTerm(term, namespace, labels, 0)) : NO_TERMS;
    const preferred = (
      weighted: readonly { weight: number; podAffinityTerm: DeepReadonly<ApiPodAffinityTerm> }[] | undefined,
    ) =>
      weighted && weighted.length > 0
        ? weighted.map(({ weight, podAffinityTerm }) => readTerm(podAffinityTerm, namespace, labels, weight))
        : NO_TERMS;
    return {
      pod,
      uid: uid ?? key,
      name,
      namespace,
      key,
      labels,
      priority: pod.spec?.priority ?? 0,
      schedulerName: pod.spec?.schedulerName ?? 'default-scheduler',
      template: known && hasTemplateOf(pod, known.pod) ? known.template : this.#template(pod),
      terminating: deletionTimestamp !== undefined,
      requiredAffinity: terms(affine?.requiredDuringSchedulingIgnoredDuringExecution),
      requiredAntiAffinity: terms(apart?.requiredDuringSchedulingIgnoredDuringExecution),
      preferredAffinity: preferred(affine?.preferredDuringSchedulingIgnoredDuringExecution),
      preferredAntiAffinity: preferred(apart?.preferredDuringSchedulingIgnoredDuringExecution),
    };
  }

  #template(pod: Pod): PodTemplate {
    const key = templateKey(pod);
    const known = this.#templates.get(key);
    if (known) return known;
    const template = readTemplate(pod, key);
    if (this.#templates.size >= TEMPLATES_MAX) {
      for (const oldest of this.#templates.keys()) {
        this.#templates.delete(oldest);
        break;
      }
    }
    this.#templates.set(key, template);
    return template;
  }
}

const statusesOf = ({ status }: Pod) => [
  ...(status?.initContainerStatuses ?? []),
  ...(status?.containerStatuses ?? []),
];

/** What a container has been given, which may not be what its spec asks for; undefined: nothing is said of it. */
const givenTo = ({ name, resources, allocatedResources }: ReturnType<typeof statusesOf>[number]) =>
  resources?.requests || allocatedResources ? [name, resources?.requests, allocatedResources] : undefined;

/** What `templateKey` reads of a status; undefined where it says nothing of resources. */
function givenIn(pod: Pod): readonly unknown[] | undefined {
  const given = statusesOf(pod).map(givenTo);
  const pending = pod.status?.conditions?.find(({ type }) => type === 'PodResizePending');
  return pending || given.some((one) => one !== undefined) ? [given, pending] : undefined;
}

/** Most changes of a pod leave its spec as it is: then no key has to be made to see that its template is the same. */
const hasTemplateOf = (pod: Pod, before: Pod): boolean =>
  pod.spec !== undefined &&
  before.spec !== undefined &&
  TEMPLATE_PARTS.every((part) => pod.spec?.[part] === before.spec?.[part]) &&
  sameValue(givenIn(pod), givenIn(before));

/** What `templateKey` reads of a spec. */
const TEMPLATE_PARTS = [
  'schedulerName',
  'nodeSelector',
  'affinity',
  'tolerations',
  'overhead',
  'resources',
  'hostNetwork',
  'containers',
  'initContainers',
  'volumes',
  'resourceClaims',
] as const;

function templateKey(pod: Pod): string {
  const { spec } = pod;
  const container = (c: NonNullable<Pod['spec']>['containers'][number]) => [
    c.name,
    c.image,
    c.resources?.requests,
    c.restartPolicy,
    c.restartPolicyRules?.map(({ action }) => action),
    c.ports?.map(({ hostPort, containerPort, hostIP, protocol }) => [hostPort, containerPort, hostIP, protocol]),
  ];
  return JSON.stringify([
    spec?.schedulerName,
    spec?.nodeSelector,
    spec?.affinity?.nodeAffinity,
    spec?.tolerations,
    spec?.overhead,
    spec?.resources,
    spec?.hostNetwork,
    spec?.containers?.map(container),
    spec?.initContainers?.map((c) => container(c as never)),
    spec?.volumes?.filter(restricts),
    spec?.resourceClaims,
    givenIn(pod),
  ]);
}

type Volume = NonNullable<NonNullable<Pod['spec']>['volumes']>[number];

/** Volumes that say something about where the pod may go. */
export const restricts = (volume: Volume): boolean =>
  Boolean(
    volume.persistentVolumeClaim ??
      volume.ephemeral ??
      volume.gcePersistentDisk ??
      volume.awsElasticBlockStore ??
      volume.iscsi ??
      volume.rbd ??
      volume.image,
  );

function readTemplate(pod: Pod, key: string): PodTemplate {
  const { spec } = pod;
  const containers = spec?.containers ?? [];
  const initContainers = spec?.initContainers ?? [];
  const volumes = spec?.volumes ?? [];
  const hostPorts: HostPort[] = [];
  for (const container of [...containers, ...initContainers.filter((c) => c.restartPolicy === 'Always')]) {
    for (const { hostPort, containerPort, hostIP, protocol } of container.ports ?? []) {
      const port = hostPort || (spec?.hostNetwork ? containerPort : 0);
      if (port) hostPorts.push({ ip: hostIP || '0.0.0.0', protocol: protocol || 'TCP', port });
    }
  }
  const requests = podRequests(pod, false);
  return {
    key,
    requests,
    scoredRequests: podRequests(pod, true, false),
    placedRequests: podRequests(pod, true),
    bestEffort: ![...requests.values()].some((amount) => amount > 0),
    hostPorts,
    images: [
      ...initContainers.map(({ image }) => image ?? ''),
      ...containers.map(({ image }) => image ?? ''),
      ...volumes.flatMap(({ image }) => (image?.reference ? [image.reference] : [])),
    ],
    tolerations: spec?.tolerations ?? [],
    nodeMatch: requiredNodeMatch(
      spec?.nodeSelector,
      spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms,
    ),
    hasVolumes: volumes.some((volume) => restricts(volume) && !volume.image),
  };
}

/** A selector of a pod's spec; one that cannot be read matches nothing. */
function readSelector(spec: Parameters<typeof labelSelectorOf>[0], more: Labels): LabelSelector {
  try {
    const selector = labelSelectorOf(spec);
    const wanted = Object.entries(more);
    if (wanted.length === 0 || selector.matchesNothing) return selector;
    return selector.and(wanted.map(([key, value]) => ({ key, operator: 'in', values: [value] })));
  } catch {
    return nothing;
  }
}

/** Those of the pod's own labels that `keys` name. */
function ownLabels(keys: readonly string[] | undefined, labels: Labels): Record<string, string> {
  const own: Record<string, string> = {};
  for (const key of keys ?? []) if (Object.hasOwn(labels, key)) own[key] = labels[key] as string;
  return own;
}

function readTerm(
  term: DeepReadonly<ApiPodAffinityTerm>,
  ownNamespace: string,
  labels: Labels,
  weight: number,
): AffinityTerm {
  let selector = readSelector(term.labelSelector, ownLabels(term.matchLabelKeys, labels));
  const apart = Object.entries(ownLabels(term.mismatchLabelKeys, labels));
  if (apart.length > 0 && !selector.matchesNothing) {
    selector = selector.and(apart.map(([key, value]) => ({ key, operator: 'notin', values: [value] })));
  }
  const named = term.namespaces ?? [];
  const namespaces = named.length === 0 && !term.namespaceSelector ? [ownNamespace] : [...named].sort();
  const namespaceSelector = term.namespaceSelector ? readSelector(term.namespaceSelector, NO_LABELS) : nothing;
  const { topologyKey } = term;
  const key = JSON.stringify([
    topologyKey,
    selector.matchesNothing ? 0 : selector.toString(),
    namespaces,
    namespaceSelector.matchesNothing ? 0 : namespaceSelector.toString(),
    weight,
  ]);
  return { topologyKey, selector, namespaces, namespaceSelector, weight, key };
}

/** Whether the term speaks of this pod. `namespaceLabels`: of the pod's namespace. */
export function termSelects(term: AffinityTerm, pod: PodInfo, namespaceLabels: Labels | undefined): boolean {
  return (
    (term.namespaces.includes(pod.namespace) || term.namespaceSelector.matches(namespaceLabels)) &&
    term.selector.matches(pod.labels)
  );
}

export function readSpreadConstraint(
  constraint: DeepReadonly<TopologySpreadConstraint>,
  labels: Labels,
  selector?: LabelSelector,
): SpreadConstraint {
  return {
    maxSkew: constraint.maxSkew,
    topologyKey: constraint.topologyKey,
    hard: constraint.whenUnsatisfiable === 'DoNotSchedule',
    selector: selector ?? readSelector(constraint.labelSelector, ownLabels(constraint.matchLabelKeys, labels)),
    minDomains: constraint.minDomains ?? 1,
    honorNodeAffinity: (constraint.nodeAffinityPolicy ?? 'Honor') === 'Honor',
    honorTaints: (constraint.nodeTaintsPolicy ?? 'Ignore') === 'Honor',
  };
}
