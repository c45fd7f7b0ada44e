import { defineKind } from '../../../libs/kind/kind.ts';
import type { Job } from '../../types/batch/v1.generated.ts';
import { columns } from './columns.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const job = defineKind<Job>({
  group: 'batch',
  kind: 'Job',
  resource: 'jobs',
  namespaced: true,
  categories: ['all'],
  versions: [{ version: 'v1', type: 'batch.v1.Job' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns,
  selectableFields: { 'status.successful': ({ status }) => String(status?.succeeded ?? 0) },
  unknownField: (label) => `field label ${JSON.stringify(label)} not supported for Job`,
});
