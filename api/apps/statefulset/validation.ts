import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Label } from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { claimSpecWarnings } from '../../core/persistentvolumeclaim/warnings.ts';
import { validateLasting, validateSelectedTemplate, validateSelector } from '../../core/podtemplate/workload.ts';
import { notDecremented, notNegative } from '../../meta/numbers.ts';
import type { StatefulSet, StatefulSetSpec, StatefulSetUpdateStrategy } from '../../types/apps/v1.generated.ts';
import type { PodTemplateSpec } from '../../types/core/v1.generated.ts';

type Seen = DeepReadonly<StatefulSet>;
type RollingUpdate = NonNullable<StatefulSetUpdateStrategy['rollingUpdate']>;
const at = field.path('spec');
const RETENTION = ['Delete', 'Retain'];

/** Its name becomes the beginning of its pods' host names. */
export const statefulSetName = (name: string): readonly string[] => dns1123Label(name);

export function validateStatefulSet(set: Seen): field.ErrorList {
  const { serviceName } = set.spec;
  // It becomes the domain of the pods; sets that are there with another one keep it.
  const problems = serviceName ? dns1123Label(serviceName) : [];
  return [
    ...problems.map((text) => field.invalid(at.child('serviceName'), serviceName, text)),
    ...validateStoredStatefulSet(set),
  ];
}

function validateStoredStatefulSet({ spec }: Seen): field.ErrorList {
  const { errors, compiled } = validateSelector(spec.selector, 'statefulset', at.child('selector'), '');
  const errorsBefore: field.ErrorList = [];
  const policy = spec.podManagementPolicy;
  if (!policy) errorsBefore.push(field.required(at.child('podManagementPolicy')));
  else if (policy !== 'OrderedReady' && policy !== 'Parallel') {
    const detail = "must be 'OrderedReady' or 'Parallel'";
    errorsBefore.push(field.invalid(at.child('podManagementPolicy'), policy, detail));
  }
  return [
    ...errorsBefore,
    ...validateUpdateStrategy(spec.updateStrategy ?? {}, at.child('updateStrategy')),
    ...validateRetention(spec, at.child('persistentVolumeClaimRetentionPolicy')),
    ...notNegative(spec.replicas, at.child('replicas')),
    ...notNegative(spec.minReadySeconds, at.child('minReadySeconds')),
    ...notNegative(spec.ordinals?.start, at.child('ordinals', 'start')),
    ...errors,
    ...(compiled
      ? validateSelectedTemplate(compiled, withClaims(spec), 'StatefulSet', at.child('template'))
      : validateLasting(spec.template, 'StatefulSet', at.child('template'))),
  ];
}

function validateUpdateStrategy(strategy: DeepReadonly<StatefulSetUpdateStrategy>, here: field.Path): field.ErrorList {
  const { type, rollingUpdate } = strategy;
  if (!type) return [field.required(here)];
  if (type === 'OnDelete') {
    if (!rollingUpdate) return [];
    const detail = "only allowed for updateStrategy 'RollingUpdate'";
    return [field.invalid(here.child('rollingUpdate'), shownRolling(rollingUpdate), detail)];
  }
  if (type === 'RollingUpdate') return notNegative(rollingUpdate?.partition, here.child('rollingUpdate', 'partition'));
  const shown = { Type: type, RollingUpdate: rollingUpdate ? shownRolling(rollingUpdate) : null };
  return [field.invalid(here, shown, "must be 'RollingUpdate' or 'OnDelete'")];
}

const shownRolling = ({ partition, maxUnavailable }: DeepReadonly<RollingUpdate>) => ({
  Partition: partition ?? 0,
  MaxUnavailable: maxUnavailable ?? null,
});

function validateRetention({ persistentVolumeClaimRetentionPolicy }: DeepReadonly<StatefulSetSpec>, here: field.Path) {
  const policy = persistentVolumeClaimRetentionPolicy;
  if (!policy) return [];
  return (['whenDeleted', 'whenScaled'] as const).flatMap((name) =>
    RETENTION.includes(policy[name] ?? '') ? [] : [field.notSupported(here.child(name), policy[name] ?? '', RETENTION)],
  );
}

/** The template as its pods will have it: each claim template is a volume of that name. */
function withClaims({ template, volumeClaimTemplates }: DeepReadonly<StatefulSetSpec>): DeepReadonly<PodTemplateSpec> {
  const claims = (volumeClaimTemplates ?? []).map(({ metadata }) => {
    const name = metadata?.name ?? '';
    return { name, persistentVolumeClaim: { claimName: name } };
  });
  if (claims.length === 0 || !template?.spec) return template;
  // Two claim templates of one name are one volume, and a claim's volume stands in for the template's own.
  const first = claims.filter(({ name }, i) => claims.findIndex((other) => other.name === name) === i);
  const own = (template.spec.volumes ?? []).filter(({ name }) => !claims.some((claim) => claim.name === name));
  return { ...template, spec: { ...template.spec, volumes: [...first, ...own] } };
}

const CHANGEABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

export function validateStatefulSetUpdate(set: Seen, old: Seen): field.ErrorList {
  const errors = validateStoredStatefulSet(set);
  if (!sameValue(fixedPart(set.spec), fixedPart(old.spec))) {
    const names = CHANGEABLE.map((name) => `'${name}'`);
    const list = `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
    errors.push(field.forbidden(at, `updates to statefulset spec for fields other than ${list} are forbidden`));
  }
  return errors;
}

function fixedPart(spec: DeepReadonly<StatefulSetSpec>): Record<string, unknown> {
  const entries = Object.entries(spec).filter(([name]) => !(CHANGEABLE as readonly string[]).includes(name));
  return Object.fromEntries(entries);
}

export function validateStatefulSetStatus({ status }: Seen, old: Seen): field.ErrorList {
  const here = field.path('status');
  const counts = ['replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'] as const;
  const errors = [
    ...counts.flatMap((name) => notNegative(status?.[name], here.child(name))),
    ...notNegative(status?.observedGeneration, here.child('observedGeneration')),
    ...notNegative(status?.collisionCount, here.child('collisionCount')),
  ];
  const replicas = status?.replicas ?? 0;
  for (const name of counts.slice(1)) {
    const value = status?.[name] ?? 0;
    if (value > replicas) errors.push(field.invalid(here.child(name), value, 'cannot be greater than status.replicas'));
  }
  if ((status?.availableReplicas ?? 0) > (status?.readyReplicas ?? 0)) {
    const detail = 'cannot be greater than status.readyReplicas';
    errors.push(field.invalid(here.child('availableReplicas'), status?.availableReplicas, detail));
  }
  const collisions = here.child('collisionCount');
  return [...errors, ...notDecremented(status?.collisionCount, old.status?.collisionCount, collisions)];
}

export function statefulSetWarnings({ spec }: Seen): string[] {
  const warnings = (spec.volumeClaimTemplates ?? []).flatMap((claim, i) =>
    claim.spec ? claimSpecWarnings(claim.spec, at.child('volumeClaimTemplates').index(i)) : [],
  );
  if ((spec.revisionHistoryLimit ?? 0) >= 0) return warnings;
  const detail = 'a negative value retains all historical revisions; a value >= 0 is recommended';
  return [`spec.revisionHistoryLimit: ${detail}`, ...warnings];
}
