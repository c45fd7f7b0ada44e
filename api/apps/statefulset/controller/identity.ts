// Who a StatefulSet's pods are: their numbers, names, and the claims that stay theirs.

import type { Live } from '../../../../libs/kind/object.ts';
import { controllerOf, controllerReference } from '../../../../libs/machinery/meta.ts';
import { podFromTemplate } from '../../../core/pod/controller/pod-control.ts';
import { statefulSets } from '../../../resources.ts';
import type { StatefulSet } from '../../../types/apps/v1.generated.ts';
import type { PersistentVolumeClaim, Pod, PodTemplateSpec } from '../../../types/core/v1.generated.ts';

export const REVISION_LABEL = 'controller-revision-hash';
const NAME_LABEL = 'statefulset.kubernetes.io/pod-name';
const INDEX_LABEL = 'apps.kubernetes.io/pod-index';

/** The number at the end of a pod's name; undefined where the name is not the set's with a number. */
export function ordinalOf(setName: string, podName: string): number | undefined {
  const match = /^(.*)-(0|[1-9]\d*)$/.exec(podName);
  return match?.[1] === setName ? Number(match[2]) : undefined;
}

export const claimName = (template: string, set: string, ordinal: number): string => `${template}-${set}-${ordinal}`;

/** The pod of a number, of a template as one revision has it. */
export function podOf(set: Live<StatefulSet>, template: PodTemplateSpec, ordinal: number, revision: string): Pod {
  const pod = podFromTemplate(template, statefulSets, set);
  const name = `${set.metadata.name}-${ordinal}`;
  const spec = pod.spec as NonNullable<Pod['spec']>;
  spec.hostname = name;
  spec.subdomain = set.spec?.serviceName ?? '';
  const templates = set.spec?.volumeClaimTemplates ?? [];
  const own = templates.map(({ metadata }) => ({
    name: metadata?.name ?? '',
    persistentVolumeClaim: { claimName: claimName(metadata?.name ?? '', set.metadata.name, ordinal) },
  }));
  const names = new Set(own.map((volume) => volume.name));
  const volumes = [...own, ...(spec.volumes ?? []).filter((volume) => !names.has(volume.name))];
  if (volumes.length > 0) spec.volumes = volumes;
  const { generateName: _, ...metadata } = pod.metadata ?? {};
  const labels = { ...metadata.labels, [NAME_LABEL]: name, [INDEX_LABEL]: String(ordinal), [REVISION_LABEL]: revision };
  return { ...pod, metadata: { ...metadata, name, labels }, spec };
}

/** The claims of a number, as the templates say. */
export function claimsOf(set: Live<StatefulSet>, ordinal: number): PersistentVolumeClaim[] {
  return (set.spec?.volumeClaimTemplates ?? []).map((template) => {
    const claim = structuredClone(template) as PersistentVolumeClaim;
    const labels = {
      ...claim.metadata?.labels,
      ...(set.spec?.selector.matchLabels as Record<string, string> | undefined),
    };
    const name = claimName(claim.metadata?.name ?? '', set.metadata.name, ordinal);
    return { ...claim, metadata: { ...claim.metadata, name, namespace: set.metadata.namespace ?? '', labels } };
  });
}

/**
 * The owners that a claim shall have by the set's retention policy: the set where it goes with it, the pod where it goes
 * with a pod that is scaled away; others' references stay. Undefined where they are so already.
 */
export function claimOwners(
  set: Live<StatefulSet>,
  claim: Live<PersistentVolumeClaim>,
  pod: Live<Pod> | undefined,
  isScaledAway: boolean,
): NonNullable<NonNullable<PersistentVolumeClaim['metadata']>['ownerReferences']> | undefined {
  const { whenDeleted = 'Retain', whenScaled = 'Retain' } = set.spec?.persistentVolumeClaimRetentionPolicy ?? {};
  const before = [...(claim.metadata.ownerReferences ?? [])] as NonNullable<
    NonNullable<PersistentVolumeClaim['metadata']>['ownerReferences']
  >;
  // Somebody else's claim that happens to have the name.
  const controller = controllerOf(claim as never);
  if (controller && controller.uid !== set.metadata.uid && controller.uid !== pod?.metadata.uid) return undefined;
  const wantsPod = whenScaled === 'Delete' && isScaledAway && pod !== undefined;
  const wantsSet = whenDeleted === 'Delete' && !wantsPod;
  const isOurs = ({ uid, kind, name }: { uid: string; kind: string; name: string }) =>
    uid === set.metadata.uid || uid === pod?.metadata.uid || (kind === 'Pod' && name === pod?.metadata.name);
  const owners = before.filter((owner) => !isOurs(owner));
  if (wantsSet) owners.push(controllerReference(set as never, { apiVersion: 'apps/v1', kind: 'StatefulSet' }));
  if (wantsPod) owners.push(controllerReference(pod as never, { apiVersion: 'v1', kind: 'Pod' }));
  const same = owners.length === before.length && owners.every((owner) => before.some(({ uid }) => uid === owner.uid));
  return same ? undefined : owners;
}
