import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { domainPrefixedPath } from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validatePodTemplate } from '../../core/pod/validation/pod.ts';
import { compile, MISMATCH } from '../../core/podtemplate/workload.ts';
import { IMMUTABLE } from '../../meta/immutable.ts';
import { validateLabelSelector } from '../../meta/label-selector.ts';
import { notNegative } from '../../meta/numbers.ts';
import type { Job, JobSpec } from '../../types/batch/v1.generated.ts';
import { validatePodFailurePolicy, validateSuccessPolicy } from './policies.ts';

type Seen = DeepReadonly<Job>;
type Spec = DeepReadonly<JobSpec>;

const MODES = ['NonIndexed', 'Indexed'];
const INDEXES_MAX = 100000;
const MANAGED_BY_BYTES_MAX = 63;
const CONTROLLER_UID = 'batch.kubernetes.io/controller-uid';
const REQUIRES_INDEXED = 'requires indexed completion mode';
const at = field.path('spec');

export function validateJob(job: Seen): field.ErrorList {
  const { spec } = job;
  const errors = validateGenerated(job);
  const selectorAt = at.child('selector');
  if (!spec.selector) errors.push(field.required(selectorAt));
  else errors.push(...validateLabelSelector(spec.selector, selectorAt));
  const labels = spec.template?.metadata?.labels;
  const compiled = compile(spec.selector);
  if (compiled && !compiled.matches(labels)) {
    errors.push(field.invalid(at.child('template', 'metadata', 'labels'), labels ?? null, MISMATCH));
  }
  return [...errors, ...validateJobSpec(spec, at)];
}

/** The labels and the selector that the server makes must be what it makes. */
function validateGenerated({ metadata, spec }: Seen): field.ErrorList {
  if (spec.manualSelector || !spec.selector) return [];
  const labels = spec.template?.metadata?.labels ?? {};
  const errors: field.ErrorList = [];
  for (const [key, value] of [
    ['controller-uid', metadata?.uid ?? ''],
    ['job-name', metadata?.name ?? ''],
    [CONTROLLER_UID, metadata?.uid ?? ''],
    ['batch.kubernetes.io/job-name', metadata?.name ?? ''],
  ] as const) {
    const place = at.child('template', 'metadata', 'labels').key(key);
    if (labels[key] === undefined) errors.push(field.required(place, `must be '${value}'`));
    else if (labels[key] !== value) errors.push(field.invalid(place, labels, `must be '${value}'`));
  }
  const made = { matchLabels: { [CONTROLLER_UID]: metadata?.uid ?? '' } };
  const old = { matchLabels: { 'controller-uid': metadata?.uid ?? '' } };
  if (!sameValue(spec.selector, made) && !sameValue(spec.selector, old)) {
    errors.push(field.invalid(at.child('selector'), spec.selector, '`selector` not auto-generated'));
  }
  return errors;
}

/** A job's spec, in a Job or in a CronJob's template. */
export function validateJobSpec(spec: Spec, here: field.Path): field.ErrorList {
  const counts = [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const;
  const errors = counts.flatMap((name) => notNegative(spec[name], here.child(name)));
  errors.push(...validateManagedBy(spec.managedBy, here.child('managedBy')), ...validateIndexes(spec, here));
  const { podFailurePolicy, successPolicy, podReplacementPolicy: replacement, template } = spec;
  if (podFailurePolicy) {
    errors.push(...validatePodFailurePolicy(spec, podFailurePolicy, here.child('podFailurePolicy')));
  }
  if (successPolicy) {
    if (spec.completionMode !== 'Indexed') {
      errors.push(field.invalid(here.child('successPolicy'), { Rules: successPolicy.rules ?? [] }, REQUIRES_INDEXED));
    } else errors.push(...validateSuccessPolicy(spec, successPolicy, here.child('successPolicy')));
  }
  if (replacement !== undefined) {
    const valid = podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
    if (!valid.includes(replacement)) {
      errors.push(field.notSupported(here.child('podReplacementPolicy'), replacement, valid));
    }
  }
  const templateAt = here.child('template');
  errors.push(...validatePodTemplate(template ?? ({} as JobSpec['template']), templateAt));
  const policy = template?.spec?.restartPolicy ?? '';
  const policyAt = templateAt.child('spec', 'restartPolicy');
  if (policy === '' || policy === 'Always') {
    errors.push(field.required(policyAt, 'valid values: "OnFailure", "Never"'));
  } else if (policy !== 'OnFailure' && policy !== 'Never') {
    errors.push(field.notSupported(policyAt, policy, ['OnFailure', 'Never']));
  } else if (podFailurePolicy && policy !== 'Never') {
    errors.push(field.invalid(policyAt, policy, 'only "Never" is supported when podFailurePolicy is specified'));
  }
  return errors;
}

function validateIndexes(spec: Spec, here: field.Path): field.ErrorList {
  const { completionMode: mode, completions, parallelism, backoffLimitPerIndex: perIndex, maxFailedIndexes } = spec;
  const errors: field.ErrorList = [];
  if (maxFailedIndexes !== undefined && perIndex === undefined) {
    errors.push(field.required(here.child('backoffLimitPerIndex'), 'when maxFailedIndexes is specified'));
  }
  if (mode !== undefined && !MODES.includes(mode)) {
    errors.push(field.notSupported(here.child('completionMode'), mode, MODES));
  }
  const maxAt = here.child('maxFailedIndexes');
  if (mode !== 'Indexed') {
    if (perIndex !== undefined) {
      errors.push(field.invalid(here.child('backoffLimitPerIndex'), perIndex, REQUIRES_INDEXED));
    }
    if (maxFailedIndexes !== undefined) errors.push(field.invalid(maxAt, maxFailedIndexes, REQUIRES_INDEXED));
    return errors;
  }
  if (completions === undefined) {
    errors.push(field.required(here.child('completions'), 'when completion mode is Indexed'));
  }
  if (parallelism !== undefined && parallelism > INDEXES_MAX) {
    const detail = `must be less than or equal to ${INDEXES_MAX} when completion mode is Indexed`;
    errors.push(field.invalid(here.child('parallelism'), parallelism, detail));
  }
  if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions) {
    errors.push(field.invalid(maxAt, maxFailedIndexes, 'must be less than or equal to completions'));
  }
  return errors;
}

function validateManagedBy(managedBy: string | undefined, here: field.Path): field.ErrorList {
  if (managedBy === undefined) return [];
  const errors: field.ErrorList = domainPrefixedPath(managedBy).map((text) => {
    const shown = text.startsWith('must be a domain-prefixed') ? managedBy : (managedBy.split('/')[0] as string);
    return field.invalid(here, shown, text);
  });
  if (managedBy.length > MANAGED_BY_BYTES_MAX) errors.push(field.tooLong(here, MANAGED_BY_BYTES_MAX));
  return errors;
}

const FIXED = ['podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy', 'completionMode'] as const;

export function validateJobUpdate(job: Seen, old: Seen): field.ErrorList {
  const errors = validateJob(job);
  const [spec, was] = [job.spec, old.spec];
  const fixed = (name: keyof JobSpec, now: unknown, before: unknown) => {
    if (!sameValue(now, before)) errors.push(field.invalid(at.child(name), now ?? null, IMMUTABLE));
  };
  if (spec.completions !== undefined || was.completions === undefined) {
    if (!canScale(spec, was)) fixed('completions', spec.completions, was.completions);
  } else if (was.completionMode !== 'Indexed') fixed('completions', spec.completions, was.completions);
  fixed('selector', spec.selector, was.selector);
  const suspended = was.suspend === true && isIdle(old);
  fixed('template', comparable(spec, was, suspended), comparable(was, was, suspended));
  for (const name of FIXED) fixed(name, spec[name], was[name]);
  return errors;
}

/** An indexed job changes its completions together with its parallelism. */
function canScale(spec: Spec, was: Spec): boolean {
  if (was.completionMode !== 'Indexed' || spec.completionMode !== 'Indexed') return false;
  return spec.completions !== undefined && spec.completions === spec.parallelism;
}

const isIdle = ({ status }: Seen): boolean => !status?.startTime && (status?.active ?? 0) === 0;

/** The template; of a suspended job without what may still be decided about where and with what its pods run. */
function comparable({ template }: Spec, was: Spec, suspended: boolean): unknown {
  if (!suspended) return template;
  const { metadata, spec } = template ?? {};
  const resources = (list: Spec['template']['spec']['containers'] | undefined, old: typeof list) =>
    list?.map((container, i) => ({ ...container, resources: old?.[i]?.resources }));
  return {
    metadata: { ...metadata, labels: undefined, annotations: undefined },
    spec: {
      ...spec,
      nodeSelector: undefined,
      tolerations: undefined,
      affinity: undefined,
      schedulingGates: undefined,
      containers: resources(spec?.containers, was.template?.spec?.containers),
      initContainers: resources(spec?.initContainers ?? [], was.template?.spec?.initContainers),
    },
  };
}

const COMPLETIONS_SOFT_MAX = 100000;
const PARALLELISM_SOFT_MAX = 10000;

export function jobWarnings({ spec }: Seen): string[] {
  const { completionMode, completions = 0, parallelism = 0 } = spec;
  if (completionMode !== 'Indexed' || completions <= COMPLETIONS_SOFT_MAX || parallelism <= PARALLELISM_SOFT_MAX) {
    return [];
  }
  return [
    'spec: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, ' +
      'Kubernetes might not be able to track completedIndexes when a big number of indexes fail',
  ];
}
