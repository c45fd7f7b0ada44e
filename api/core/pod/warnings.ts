/** What is accepted and yet not well: told in `Warning` headers. */

import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { type Path, path, together } from '../../../libs/machinery/field-errors.ts';
import { dns1123Label } from '../../../libs/machinery/names.ts';
import { isMultipleOf, mustParseQuantity } from '../../../libs/machinery/quantity.ts';
import { quote } from '../../../libs/machinery/quote.ts';
import { ipWarnings } from '../../meta/addresses.ts';
import type {
  EnvVar,
  Pod,
  PodSpec,
  PodTemplateSpec,
  ResourceRequirements,
  Volume,
  VolumeProjection,
} from '../../types/core/v1.generated.ts';
import { deprecatedNodeLabel } from '../node/deprecated-labels.ts';
import { claimSpecWarnings } from '../persistentvolumeclaim/warnings.ts';
import { APP_ARMOR_PREFIX } from './prepare.ts';
import { NONE } from './validation/absent.ts';

type Spec = DeepReadonly<PodSpec>;

/** Names of pods become host names, which know fewer characters. */
function hostnameWarnings(name: string | undefined, what: string): string[] {
  const problems = name ? dns1123Label(name) : [];
  if (problems.length === 0) return [];
  const detail = 'which can result in surprising behavior; a DNS label is recommended';
  return [`metadata.name: this is used in ${what}, ${detail}: [${problems.join(', ')}]`];
}

/** An object that counts its changes. */
export type Counted = { readonly metadata?: { readonly name?: string; readonly generation?: number | bigint } };

/** Whether there is something to warn of anew: a change that does not count was warned of before. */
export const isNews = (object: Counted, old: Counted | undefined): boolean =>
  old === undefined || object.metadata?.generation !== old.metadata?.generation;

/** Of a workload that is new: its pods are called like it, with something behind. */
export function workloadWarnings(object: Counted, old: Counted | undefined): string[] {
  return old === undefined ? hostnameWarnings(object.metadata?.name, 'Pod names and hostnames') : [];
}

/** Of a new pod. Pods that are there are changed by programs, which nobody reads warnings to. */
export function podWarnings(pod: DeepReadonly<Pod>, old?: DeepReadonly<Pod>): string[] {
  if (old) return [];
  return together(
    hostnameWarnings(pod.metadata?.name, "the Pod's hostname"),
    warningsOf(pod.spec, pod.metadata?.annotations ?? {}, path('spec'), path('metadata', 'annotations')),
  );
}

/** Of the template of a workload, when the workload is new or has changed in a way that counts. */
export function templateWarnings(
  object: Counted,
  old: Counted | undefined,
  template: DeepReadonly<PodTemplateSpec> | undefined,
  at: Path,
): string[] {
  if (!template?.spec || !isNews(object, old)) return [];
  return warningsOf(
    template.spec,
    template.metadata?.annotations ?? {},
    at.child('spec'),
    at.child('metadata', 'annotations'),
  );
}

function warningsOf(
  spec: Spec,
  annotations: Readonly<Record<string, string>>,
  at: Path,
  annotationsAt: Path,
): string[] {
  return together(
    spec.nodeSelector || spec.affinity ? nodeLabelWarnings(spec, at) : NONE,
    spec.topologySpreadConstraints || spec.affinity ? topologyWarnings(spec, at) : NONE,
    annotationWarnings(spec, annotations, annotationsAt),
    spec.imagePullSecrets || spec.hostAliases ? duplicateWarnings(spec, at) : NONE,
    spec.volumes?.flatMap((volume, i) => volumeWarnings(volume, at.child('volumes').index(i))) ?? NONE,
    containerWarnings(spec, at),
    spec.overhead ? fractionalIn(spec.overhead, at.child('overhead')) : NONE,
    portNameWarnings(spec, at),
    graceWarnings(spec, at),
    spec.dnsConfig?.nameservers?.flatMap((ip, i) => ipWarnings(ip, at.child('dnsConfig', 'nameservers').index(i))) ??
      NONE,
  );
}

function nodeLabelWarnings(spec: Spec, at: Path): string[] {
  const warnings: string[] = [];
  const check = (key: string, place: Path) => {
    const text = deprecatedNodeLabel(key);
    if (text) warnings.push(`${place}: ${key} is ${text}`);
  };
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const text = deprecatedNodeLabel(key);
    if (text) warnings.push(`${at.child('nodeSelector').key(key)}: ${text}`);
  }
  const node = spec.affinity?.nodeAffinity;
  if (!node) return warnings;
  const here = at.child('affinity', 'nodeAffinity');
  const required = node.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  required.forEach((term, i) => {
    const place = here.child('requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms').index(i);
    (term.matchExpressions ?? []).forEach(({ key }, k) =>
      check(key, place.child('matchExpressions').index(k).child('key')),
    );
  });
  (node.preferredDuringSchedulingIgnoredDuringExecution ?? []).forEach(({ preference }, i) => {
    const place = here.child('preferredDuringSchedulingIgnoredDuringExecution').index(i).child('preference');
    (preference?.matchExpressions ?? []).forEach(({ key }, k) => {
      check(key, place.child('matchExpressions').index(k).child('key'));
    });
  });
  return warnings;
}

const MATCHES_NOTHING = 'a null labelSelector results in matching no pod';

function topologyWarnings(spec: Spec, at: Path): string[] {
  const warnings: string[] = [];
  (spec.topologySpreadConstraints ?? []).forEach(({ topologyKey, labelSelector }, i) => {
    const here = at.child('topologySpreadConstraints').index(i);
    const text = deprecatedNodeLabel(topologyKey);
    if (text) warnings.push(`${here.child('topologyKey')}: ${topologyKey} is ${text}`);
    if (!labelSelector) warnings.push(`${here.child('labelSelector')}: ${MATCHES_NOTHING}`);
  });
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const terms = spec.affinity?.[kind];
    if (!terms) continue;
    const here = at.child('affinity', kind);
    (terms.requiredDuringSchedulingIgnoredDuringExecution ?? []).forEach(({ labelSelector }, i) => {
      const place = here.child('requiredDuringSchedulingIgnoredDuringExecution').index(i);
      if (!labelSelector) warnings.push(`${place.child('labelSelector')}: ${MATCHES_NOTHING}`);
    });
    (terms.preferredDuringSchedulingIgnoredDuringExecution ?? []).forEach(({ podAffinityTerm }, i) => {
      const place = here.child('preferredDuringSchedulingIgnoredDuringExecution').index(i).child('podAffinityTerm');
      if (!podAffinityTerm?.labelSelector) warnings.push(`${place.child('labelSelector')}: ${MATCHES_NOTHING}`);
    });
  }
  return warnings;
}

const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP_CONTAINER = 'container.seccomp.security.alpha.kubernetes.io/';
const SECCOMP_GONE = 'non-functional in v1.27+; use the "seccompProfile" field instead';
const APP_ARMOR_OLD = 'deprecated since v1.30; use the "appArmorProfile" field instead';

const WITHOUT_EFFECT: Readonly<Record<string, string>> = Object.freeze({
  'scheduler.alpha.kubernetes.io/critical-pod': 'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
});

function annotationWarnings(spec: Spec, annotations: Readonly<Record<string, string>>, at: Path): string[] {
  const warnings: string[] = [];
  if (Object.keys(annotations).length === 0) return warnings;
  for (const [key, why] of Object.entries(WITHOUT_EFFECT)) {
    if (Object.hasOwn(annotations, key)) warnings.push(`${at.key(key)}: ${why}`);
  }
  if (Object.hasOwn(annotations, SECCOMP_POD) && !spec.securityContext?.seccompProfile) {
    warnings.push(`${at.key(SECCOMP_POD)}: ${SECCOMP_GONE}`);
  }
  for (const { name, securityContext } of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const seccomp = `${SECCOMP_CONTAINER}${name}`;
    if (Object.hasOwn(annotations, seccomp) && !securityContext?.seccompProfile) {
      warnings.push(`${at.key(seccomp)}: ${SECCOMP_GONE}`);
    }
    const armor = `${APP_ARMOR_PREFIX}${name}`;
    if (Object.hasOwn(annotations, armor)) warnings.push(`${at.key(armor)}: ${APP_ARMOR_OLD}`);
  }
  return warnings;
}

function duplicateWarnings({ imagePullSecrets, hostAliases }: Spec, at: Path): string[] {
  const warnings: string[] = [];
  (imagePullSecrets ?? []).forEach(({ name = '' }, i, all) => {
    const place = at.child('imagePullSecrets').index(i).child('name');
    if (name === '') warnings.push(`${place}: invalid empty name ""`);
    else if (all.findIndex((one) => one.name === name) < i) warnings.push(`${place}: duplicate name ${quote(name)}`);
  });
  (hostAliases ?? []).forEach(({ ip = '' }, i, all) => {
    const place = at.child('hostAliases').index(i).child('ip');
    if (all.findIndex((one) => one.ip === ip) < i) warnings.push(`${place}: duplicate ip ${quote(ip)}`);
    warnings.push(...ipWarnings(ip, place));
  });
  return warnings;
}

/** Kinds of volumes that were there once. */
const GONE: readonly (readonly [keyof Volume, string])[] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

/** The API tells of one by another spelling. */
const spelled = (name: string) => (name === 'storageos' ? 'storageOS' : name);

function volumeWarnings(volume: DeepReadonly<Volume>, at: Path): string[] {
  const warnings: string[] = [];
  for (const [name, text] of GONE) if (volume[name]) warnings.push(`${at.child(spelled(name))}: ${text}`);
  const about = `volume ${quote(volume.name)}`;
  const { secret, configMap, downwardAPI, projected } = volume;
  const overlaps = (source: string, items: readonly { readonly path?: string }[] | undefined) =>
    overlapping((items ?? []).map((item) => item.path ?? '')).map((text) => `${about} (${source}): ${text}`);
  if (secret) warnings.push(...overlaps(`Secret ${quote(secret.secretName ?? '')}`, secret.items));
  if (configMap) warnings.push(...overlaps(`ConfigMap ${quote(configMap.name ?? '')}`, configMap.items));
  if (downwardAPI) warnings.push(...overlaps('DownwardAPI', downwardAPI.items));
  const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
  if (claim) warnings.push(...claimSpecWarnings(claim, at.child('ephemeral', 'volumeClaimTemplate', 'spec')));
  if (projected?.sources) warnings.push(...projectionWarnings(projected.sources, about));
  return warnings;
}

interface File {
  readonly path: string;
  readonly source: DeepReadonly<VolumeProjection>;
}

/** Files of several sources share one directory: each says what it overlaps with of those before. */
function projectionWarnings(sources: DeepReadonly<VolumeProjection[]>, about: string): string[] {
  const warnings: string[] = [];
  const all: File[] = [];
  for (const source of sources) {
    if (Object.keys(source).length === 0) warnings.push(`${about} (Projected) has no sources provided`);
    const before = all.length;
    for (const item of itemsOf(source)) {
      const file = { path: (item.path ?? '').replace(TRAILING_SLASHES, ''), source };
      for (let i = 0; i < before; i++) {
        const other = all[i] as File;
        if (!overlap(file.path, other.path)) continue;
        warnings.push(`${about} (Projected): overlapping paths: ${shown(file)} with ${shown(other)}`);
      }
      all.push(file);
    }
  }
  return warnings;
}

const TRAILING_SLASHES = /\/+$/;
const shown = ({ path, source }: File): string => `${quote(path)} (${makerOf(source)})`;
const overlap = (a: string, b: string): boolean => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);

function itemsOf(source: DeepReadonly<VolumeProjection>): readonly { readonly path?: string }[] {
  const { secret, configMap, downwardAPI, serviceAccountToken } = source;
  const keyed = configMap ?? secret ?? downwardAPI;
  if (keyed) return keyed.items ?? NONE;
  return serviceAccountToken ? [serviceAccountToken] : NONE;
}

/** What makes a source's files. */
function makerOf({ secret, configMap, downwardAPI }: DeepReadonly<VolumeProjection>): string {
  if (configMap) return `ConfigMap ${quote(configMap.name ?? '')}`;
  if (secret) return `Secret ${quote(secret.name ?? '')}`;
  return downwardAPI ? 'DownwardAPI' : 'ServiceAccountToken';
}

/** Paths of which one is the other, or lies within it. */
function overlapping(paths: readonly string[]): string[] {
  const found: string[] = [];
  const sorted = [...paths].sort();
  sorted.forEach((one, i) => {
    for (const other of sorted.slice(0, i)) {
      if (one === other || one.startsWith(`${other}/`))
        found.push(`overlapping paths: ${quote(one)} with ${quote(other)}`);
    }
  });
  return found;
}

function containerWarnings(spec: Spec, at: Path): string[] {
  const warnings: string[] = [];
  for (const list of ['initContainers', 'containers'] as const) {
    (spec[list] ?? []).forEach((container, i) => {
      const here = at.child(list).index(i);
      if (container.resources) warnings.push(...fractionalBytes(container.resources, here.child('resources')));
      container.env?.forEach((variable, k, all) => {
        const { name } = variable;
        if (all.findIndex((one) => one.name === name) === k || buildsOn(variable)) return;
        const place = here.child('env').index(k);
        warnings.push(`${place}: hides previous definition of ${quote(name)}, which may be dropped when using apply`);
      });
      container.ports?.forEach((port, k) => {
        if (!port.hostIP || port.hostPort) return;
        const { name = '', containerPort, protocol = '', hostIP } = port;
        const shown = `{Name:${name} HostPort:0 ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`;
        warnings.push(`${here.child('ports').index(k)}: hostIP set without hostPort: ${shown}`);
      });
    });
  }
  return warnings;
}

/** Whether a variable that is said again takes up what it was before: `PATH` as `$(PATH):/more`. */
function buildsOn({ name, value = '', valueFrom }: DeepReadonly<EnvVar>): boolean {
  const before = `$(${name})`;
  return !valueFrom && value !== before && value.includes(before);
}

function fractionalBytes({ limits, requests }: DeepReadonly<ResourceRequirements>, at: Path): string[] {
  const [limitsAt, requestsAt] = [at.child('limits'), at.child('requests')];
  return together(
    fractionalIn(limits, limitsAt, MEMORY),
    fractionalIn(requests, requestsAt, MEMORY),
    fractionalIn(requests, requestsAt, STORAGE),
    fractionalIn(limits, limitsAt, STORAGE),
  );
}

const MEMORY: readonly string[] = ['memory'];
const STORAGE: readonly string[] = ['ephemeral-storage'];
const IN_BYTES: readonly string[] = [...MEMORY, ...STORAGE];

function fractionalIn(list: Readonly<Record<string, string>> | undefined, at: Path, names = IN_BYTES): string[] {
  const warnings: string[] = [];
  for (const name of names) {
    const text = list?.[name];
    if (text === undefined || isMultipleOf(mustParseQuantity(text), 0)) continue;
    warnings.push(`${at.key(name)}: fractional byte value ${quote(text)} is invalid, must be an integer`);
  }
  return warnings;
}

/** A port's name finds one port only, and a port needs saying once. */
function portNameWarnings(spec: Spec, at: Path): string[] {
  const warnings: string[] = [];
  if (!spec.containers?.some((container) => container.ports)) return warnings;
  const names = new Map<string, Path>();
  const ports = new Map<string, Path>();
  (spec.containers ?? []).forEach((container, i) => {
    (container.ports ?? []).forEach(({ name, containerPort, protocol, hostPort, hostIP }, k) => {
      const place = at.child('containers').index(i).child('ports').index(k);
      const key = [protocol, containerPort, hostPort ?? 0, hostIP ?? ''].join('/');
      const other = ports.get(key);
      if (other) warnings.push(`${place}: duplicate port definition with ${other}`);
      else ports.set(key, place);
      if (!name) return;
      const first = names.get(name);
      if (!first) names.set(name, place);
      else if (!String(first).startsWith(String(at.child('containers').index(i).child('ports')))) {
        const use = `services and probes that select ports by name will use ${first}`;
        warnings.push(`${place}: duplicate port name ${quote(name)} with ${first}, ${use}`);
      }
    });
  });
  return warnings;
}

function graceWarnings({ terminationGracePeriodSeconds: grace }: Spec, at: Path): string[] {
  if (grace === undefined || Number(grace) >= 0) return [];
  const place = at.child('terminationGracePeriodSeconds');
  return [`${place}: must be >= 0; negative values are invalid and will be treated as 1`];
}
