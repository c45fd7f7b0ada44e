import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import type { Job } from '../../types/batch/v1.generated.ts';
import { strategy, statusStrategy } from './strategy.ts';

export const job = defineKind<Job>({
  group: 'batch',
  kind: 'Job',
  resource: 'jobs',
  namespaced: true,
  categories: ['all'],
  versions: [{ version: 'v1', type: 'batch.v1.Job' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [nameColumn, ageColumn],
});
