import type { Column } from '../../../libs/kind/column.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { formatLabelSelector } from '../../../libs/machinery/labels.ts';
import { humanDuration } from '../../../libs/machinery/printers/duration.ts';
import { containerColumns } from '../../core/podtemplate/columns.ts';
import type { Job } from '../../types/batch/v1.generated.ts';

type Seen = DeepReadonly<Job>;

export const columns: readonly Column<Job>[] = [
  nameColumn as Column<Job>,
  { name: 'Status', type: 'string', description: 'How far the job has come, in one word', value: statusOf },
  {
    name: 'Completions',
    type: 'string',
    description: { type: 'batch.v1.JobStatus', field: 'succeeded' },
    value: completions,
  },
  { name: 'Duration', type: 'string', description: 'How long the job has taken', value: duration },
  ageColumn as Column<Job>,
  ...containerColumns<Job>(({ spec }) => spec?.template?.spec),
  {
    name: 'Selector',
    type: 'string',
    priority: 1,
    description: { type: 'batch.v1.JobSpec', field: 'selector' },
    value: ({ spec }) => formatLabelSelector(spec?.selector),
  },
];

/** The first of these conditions that holds; a finished job is finished whatever else is true. */
const FINAL = ['Complete', 'Failed'];
const PASSING = ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'];

function statusOf({ metadata, status }: Seen): string {
  const holds = (type: string) =>
    status?.conditions?.some((one) => one.type === type && one.status === 'True') ?? false;
  const final = FINAL.find(holds);
  if (final) return final;
  if (metadata?.deletionTimestamp) return 'Terminating';
  return PASSING.find(holds) ?? 'Running';
}

function completions({ spec, status }: Seen): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec?.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec?.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function duration({ status }: Seen, nowMs: number): string {
  if (!status?.startTime) return '';
  const endMs = status.completionTime ? Date.parse(status.completionTime) : nowMs;
  return humanDuration(endMs - Date.parse(status.startTime));
}
