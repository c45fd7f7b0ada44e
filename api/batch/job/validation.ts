import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Label, domainPrefixedPath } from '../../../libs/machinery/names.ts';
import { sortedJson } from '../../../libs/machinery/quote.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import { validatePodTemplate } from '../../core/pod/validation/pod.ts';
import { compile, MISMATCH } from '../../core/podtemplate/workload.ts';
import { validateLabelSelector } from '../../meta/label-selector.ts';
import { notNegative } from '../../meta/numbers.ts';
import type { Job, JobSpec } from '../../types/batch/v1.generated.ts';
import { validatePodFailurePolicy, validateSuccessPolicy } from './policies.ts';

type Seen = DeepReadonly<Job>;
type Spec = DeepReadonly<JobSpec>;

const MODES = ['NonIndexed', 'Indexed'];
const INDEXES_MAX = 100000;
/** Above these the status may have no room for all indexes that are done. */
export const COMPLETIONS_SOFT_MAX = 100000;
export const PARALLELISM_SOFT_MAX = 10000;
const FAILED_INDEXES_SOFT_MAX = 10000;
const MANAGED_BY_BYTES_MAX = 63;
const CONTROLLER_UID = 'batch.kubernetes.io/controller-uid';
const JOB_NAME = 'batch.kubernetes.io/job-name';
/** Labels as they were called first. */
export const OLD_GENERATED: readonly string[] = ['controller-uid', 'job-name'];
export const GENERATED: readonly string[] = [...OLD_GENERATED, CONTROLLER_UID, JOB_NAME];
const REQUIRES_INDEXED = 'requires indexed completion mode';
const at = field.path('spec');

export const validateJob = (job: Seen): field.ErrorList => validateJobWith(job, GENERATED);

/** `generated`: the labels by which a job finds its pods, unless its user takes care of that. */
export function validateJobWith(job: Seen, generated: readonly string[]): field.ErrorList {
  return [...validateGenerated(job, generated), ...validateSelecting(job.spec), ...validateHostnames(job)];
}

/** The spec of a job that is one, and so has a selector. */
export function validateSelecting(spec: Spec): field.ErrorList {
  const errors = validateJobSpec(spec, at);
  const selectorAt = at.child('selector');
  if (!spec.selector) errors.push(field.required(selectorAt));
  else errors.push(...validateLabelSelector(spec.selector, selectorAt));
  const labels = spec.template?.metadata?.labels;
  const compiled = compile(spec.selector);
  if (compiled && !compiled.matches(labels)) {
    errors.push(
      field.invalid(at.child('template', 'metadata', 'labels'), field.verbatim(sortedJson(labels)), MISMATCH),
    );
  }
  return errors;
}

/** Pods of an indexed job are hosts called like it, with their index behind. */
function validateHostnames({ metadata, spec }: Seen): field.ErrorList {
  const { completionMode, completions = 0 } = spec;
  if (completionMode !== 'Indexed' || completions <= 0) return [];
  const name = metadata?.name ?? '';
  const last = `${name}-${completions - 1}`;
  const detail = `will not able to create pod with invalid DNS label: ${last}`;
  return dns1123Label(last).length === 0 ? [] : [field.invalid(field.path('metadata', 'name'), name, detail)];
}

/** The labels and the selector that the server makes must be what it makes. */
function validateGenerated({ metadata, spec }: Seen, generated: readonly string[]): field.ErrorList {
  if (spec.manualSelector || !spec.selector) return [];
  const labels = spec.template?.metadata?.labels ?? {};
  const errors: field.ErrorList = [];
  for (const key of generated) {
    const value = (key.endsWith('uid') ? metadata?.uid : metadata?.name) ?? '';
    const place = at.child('template', 'metadata', 'labels').key(key);
    if (labels[key] === undefined) errors.push(field.required(place, `must be '${value}'`));
    else if (labels[key] !== value)
      errors.push(field.invalid(place, field.verbatim(sortedJson(labels)), `must be '${value}'`));
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
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.push(field.required(here.child('backoffLimitPerIndex'), 'when maxFailedIndexes is specified'));
  }
  errors.push(...validateManagedBy(spec.managedBy, here.child('managedBy')), ...validateIndexes(spec, here));
  const { podFailurePolicy, successPolicy, podReplacementPolicy: replacement, template } = spec;
  if (podFailurePolicy) {
    errors.push(...validatePodFailurePolicy(spec, podFailurePolicy, here.child('podFailurePolicy')));
  }
  if (successPolicy) {
    if (spec.completionMode !== 'Indexed') {
      errors.push(field.invalid(here.child('successPolicy'), shownPolicy(successPolicy), REQUIRES_INDEXED));
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
  } else if (policy !== 'Never' && (podFailurePolicy || spec.backoffLimitPerIndex !== undefined)) {
    const what = podFailurePolicy ? 'podFailurePolicy' : 'backoffLimitPerIndex';
    errors.push(field.invalid(policyAt, policy, `only "Never" is supported when ${what} is specified`));
  }
  return errors;
}

const shownPolicy = ({ rules }: NonNullable<Spec['successPolicy']>) => ({
  Rules: (rules ?? []).map(({ succeededIndexes = null, succeededCount = null }) => ({
    SucceededIndexes: succeededIndexes,
    SucceededCount: succeededCount,
  })),
});

function validateIndexes(spec: Spec, here: field.Path): field.ErrorList {
  const { completionMode: mode, completions, parallelism, backoffLimitPerIndex: perIndex, maxFailedIndexes } = spec;
  const errors: field.ErrorList = [];
  if (mode !== undefined && !MODES.includes(mode)) {
    return [field.notSupported(here.child('completionMode'), mode, MODES)];
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
  if (maxFailedIndexes !== undefined && maxFailedIndexes > INDEXES_MAX) {
    errors.push(field.invalid(maxAt, maxFailedIndexes, `must be less than or equal to ${INDEXES_MAX}`));
  }
  if (completions !== undefined && completions > COMPLETIONS_SOFT_MAX && perIndex !== undefined) {
    errors.push(...validateManyIndexes(spec, here));
  }
  return errors;
}

/** Where failures are counted by index, the status must have room for what may fail. */
function validateManyIndexes({ parallelism, maxFailedIndexes }: Spec, here: field.Path): field.ErrorList {
  const errors: field.ErrorList = [];
  const maxAt = here.child('maxFailedIndexes');
  const tooMany = (most: number) =>
    `must be less than or equal to ${most} when completions are above ${COMPLETIONS_SOFT_MAX} and used with backoff limit per index`;
  if (maxFailedIndexes === undefined) {
    errors.push(field.required(maxAt, `must be specified when completions is above ${COMPLETIONS_SOFT_MAX}`));
  }
  if (parallelism !== undefined && parallelism > PARALLELISM_SOFT_MAX) {
    errors.push(field.invalid(here.child('parallelism'), parallelism, tooMany(PARALLELISM_SOFT_MAX)));
  }
  if (maxFailedIndexes !== undefined && maxFailedIndexes > FAILED_INDEXES_SOFT_MAX) {
    errors.push(field.invalid(maxAt, maxFailedIndexes, tooMany(FAILED_INDEXES_SOFT_MAX)));
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
