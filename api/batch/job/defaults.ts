import { defaultPodSpec } from '../../core/pod/spec-defaults.ts';
import type { Job, JobSpec } from '../../types/batch/v1.generated.ts';

const INT32_MAX = 2147483647;
const BACKOFF_LIMIT = 6;

export function defaultJob({ metadata, spec }: Job): void {
  if (!spec) return;
  // One pod to completion, unless either number is given: then completions stay open.
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? BACKOFF_LIMIT : INT32_MAX;
  const labels = spec.template?.metadata?.labels;
  if (metadata && labels && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ||= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  spec.manualSelector ??= false;
  defaultJobSpecParts(spec);
}

/** What also holds in a CronJob's template, whose numbers are filled when a Job comes of it. */
export function defaultJobSpecParts(spec: JobSpec): void {
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) pattern.status ||= 'True';
  }
  if (spec.template?.spec) defaultPodSpec(spec.template.spec);
}
