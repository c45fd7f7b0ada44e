/** What the server does to a pod on its way in, beyond defaults: merged selectors, profiles, first status. */
import { formatTime } from '../../../libs/base/clock.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Container, Pod, PodAffinityTerm, PodSpec } from '../../types/core/v1.generated.ts';
import type { LabelSelector } from '../../types/meta/v1.generated.ts';
import { qosClassOf } from './resources.ts';

export const GATED_MESSAGE = 'Scheduling is blocked due to non-empty scheduling gates';
export const APP_ARMOR_PREFIX = 'container.apparmor.security.beta.kubernetes.io/';

/** Fields behind gates that are off: they are dropped, unless the object has them already. */
export function dropDisabledFields(spec: PodSpec | undefined, old?: DeepReadonly<PodSpec>): void {
  if (!spec) return;
  const was = old?.volumes?.flatMap((volume) => volume.projected?.sources ?? []) ?? [];
  const inUse = {
    clusterTrustBundle: was.some((source) => source.clusterTrustBundle !== undefined),
    podCertificate: was.some((source) => source.podCertificate !== undefined),
  };
  for (const volume of spec.volumes ?? []) {
    for (const source of volume.projected?.sources ?? []) {
      if (source.clusterTrustBundle !== undefined && !inUse.clusterTrustBundle) delete source.clusterTrustBundle;
      if (source.podCertificate !== undefined && !inUse.podCertificate) delete source.podCertificate;
    }
  }
  if (spec.schedulingGroup !== undefined && !old?.schedulingGroup) delete spec.schedulingGroup;
  const signals = [...(old?.containers ?? []), ...(old?.initContainers ?? [])].some((one) => one.lifecycle?.stopSignal);
  if (signals) return;
  for (const container of containersOf(spec)) {
    if (!container.lifecycle?.stopSignal) continue;
    delete container.lifecycle.stopSignal;
    if (Object.keys(container.lifecycle).length === 0) delete container.lifecycle;
  }
}

const containersOf = (spec: PodSpec): Container[] => [...(spec.initContainers ?? []), ...(spec.containers ?? [])];

/** `matchLabelKeys` name labels of the pod itself: their values become part of the selectors. */
export function mergeMatchLabelKeys(pod: Pod): void {
  const labels = pod.metadata?.labels ?? {};
  const { affinity, topologySpreadConstraints } = pod.spec;
  for (const kind of [affinity?.podAffinity, affinity?.podAntiAffinity]) {
    for (const term of kind?.requiredDuringSchedulingIgnoredDuringExecution ?? []) mergeIntoTerm(term, labels);
    for (const { podAffinityTerm } of kind?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
      if (podAffinityTerm) mergeIntoTerm(podAffinityTerm, labels);
    }
  }
  for (const constraint of topologySpreadConstraints ?? []) {
    if (constraint.labelSelector) mergeKeys(constraint.labelSelector, constraint.matchLabelKeys, labels, 'In');
  }
}

function mergeIntoTerm(term: PodAffinityTerm, labels: Readonly<Record<string, string>>): void {
  if (!term.labelSelector) return;
  mergeKeys(term.labelSelector, term.matchLabelKeys, labels, 'In');
  mergeKeys(term.labelSelector, term.mismatchLabelKeys, labels, 'NotIn');
}

function mergeKeys(
  selector: LabelSelector,
  keys: readonly string[] | undefined,
  labels: Readonly<Record<string, string>>,
  operator: 'In' | 'NotIn',
): void {
  for (const key of keys ?? []) {
    if (!Object.hasOwn(labels, key)) continue;
    selector.matchExpressions ??= [];
    selector.matchExpressions.push({ key, operator, values: [labels[key] as string] });
  }
}

/** AppArmor profiles have a field now; the annotation of old is kept in step with it, and the field filled from it. */
export function alignAppArmor(pod: Pod): void {
  const { spec, metadata } = pod;
  if (spec.os?.name === 'windows') return;
  const podProfile = spec.securityContext?.appArmorProfile;
  for (const container of containersOf(spec)) {
    const key = `${APP_ARMOR_PREFIX}${container.name}`;
    const annotation = metadata?.annotations?.[key];
    const field = container.securityContext?.appArmorProfile ?? podProfile;
    if (field !== undefined && annotation === undefined) {
      const text = annotationOf(field.type, field.localhostProfile);
      if (text !== undefined && metadata) metadata.annotations = { ...metadata.annotations, [key]: text };
      continue;
    }
    if (annotation === undefined || container.securityContext?.appArmorProfile) continue;
    const profile = profileOf(annotation);
    if (profile === undefined || sameProfile(profile, podProfile)) continue;
    container.securityContext ??= {};
    container.securityContext.appArmorProfile = profile;
  }
}

type Profile = NonNullable<NonNullable<Container['securityContext']>['appArmorProfile']>;

const sameProfile = (a: Profile, b: Profile | undefined) =>
  a.type === b?.type && a.localhostProfile === b.localhostProfile;

function annotationOf(type: string, localhostProfile: string | undefined): string | undefined {
  if (type === 'RuntimeDefault') return 'runtime/default';
  if (type === 'Unconfined') return 'unconfined';
  return localhostProfile === undefined ? undefined : `localhost/${localhostProfile}`;
}

/** The profile that an AppArmor annotation says; undefined for one that says none. */
export function profileOf(annotation: string): Profile | undefined {
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  const name = annotation.startsWith('localhost/') ? annotation.slice('localhost/'.length) : '';
  return name === '' ? undefined : { type: 'Localhost', localhostProfile: name };
}

/** The status that every pod begins with. */
export function firstStatus(pod: Pod, nowMs: number): Pod['status'] {
  const gated = (pod.spec.schedulingGates ?? []).length > 0;
  return {
    phase: 'Pending',
    ...(gated ? { conditions: [gatedCondition(nowMs)] } : {}),
    qosClass: qosClassOf(pod.spec),
  };
}

export function gatedCondition(nowMs: number): NonNullable<NonNullable<Pod['status']>['conditions']>[number] {
  return {
    type: 'PodScheduled',
    status: 'False',
    lastTransitionTime: formatTime(nowMs),
    reason: 'SchedulingGated',
    message: GATED_MESSAGE,
  };
}
