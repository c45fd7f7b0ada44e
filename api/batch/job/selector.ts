import { labelValue } from '../../../libs/machinery/names.ts';
import { sameValue } from '../../../libs/machinery/same-value.ts';
import type { Job } from '../../types/batch/v1.generated.ts';

const CONTROLLER_UID = 'controller-uid';
const JOB_NAME = 'job-name';
const PREFIX = 'batch.kubernetes.io/';

/** A selector that finds the pods of this job alone, by its uid; unless the user takes care of that (manualSelector). */
export function generateSelector(job: Job): void {
  const { metadata, spec } = job;
  if (!metadata?.uid) return;
  spec.template.metadata ??= {};
  const mine = spec.template.metadata.labels ?? {};
  // Labels that were taken over from the template (defaults.ts) stay in step with it. A job without any has those that are
  // made once it is found good: what is wrong with them is said of the template alone.
  const inStep = sameValue(metadata.labels ?? {}, mine);
  const good = Object.keys(mine).length > 0 || labelValue(metadata.name ?? '').length === 0;
  const labels = { ...mine };
  for (const [key, value] of [
    [CONTROLLER_UID, metadata.uid],
    [JOB_NAME, metadata.name ?? ''],
  ] as const) {
    labels[key] ??= value;
    labels[`${PREFIX}${key}`] ??= value;
  }
  spec.template.metadata.labels = labels;
  if (inStep && good) metadata.labels = { ...labels };
  spec.selector ??= {};
  spec.selector.matchLabels = { ...spec.selector.matchLabels };
  spec.selector.matchLabels[`${PREFIX}${CONTROLLER_UID}`] ??= metadata.uid;
}
