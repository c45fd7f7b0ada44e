import type { Column } from '../../../libs/kind/column.ts';
import { defineKind } from '../../../libs/kind/kind.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import { formatLabelSelector } from '../../../libs/machinery/labels.ts';
import { ageOf } from '../../../libs/machinery/printers/duration.ts';
import { containerColumns } from '../../core/podtemplate/columns.ts';
import type { CronJob } from '../../types/batch/v1.generated.ts';
import { statusStrategy, strategy } from './strategy.ts';

export const cronJob = defineKind<CronJob>({
  group: 'batch',
  kind: 'CronJob',
  resource: 'cronjobs',
  namespaced: true,
  shortNames: ['cj'],
  categories: ['all'],
  versions: [{ version: 'v1', type: 'batch.v1.CronJob' }],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns: [
    nameColumn as Column<CronJob>,
    {
      name: 'Schedule',
      type: 'string',
      description: { type: 'batch.v1.CronJobSpec', field: 'schedule' },
      value: ({ spec }) => spec?.schedule ?? '',
    },
    {
      name: 'Timezone',
      type: 'string',
      description: { type: 'batch.v1.CronJobSpec', field: 'timeZone' },
      value: ({ spec }) => spec?.timeZone ?? '<none>',
    },
    {
      name: 'Suspend',
      type: 'string',
      description: { type: 'batch.v1.CronJobSpec', field: 'suspend' },
      value: ({ spec }) => (spec?.suspend === undefined ? '<unset>' : spec.suspend ? 'True' : 'False'),
    },
    {
      name: 'Active',
      type: 'integer',
      description: { type: 'batch.v1.CronJobStatus', field: 'active' },
      value: ({ status }) => status?.active?.length ?? 0,
    },
    {
      name: 'Last Schedule',
      type: 'string',
      description: { type: 'batch.v1.CronJobStatus', field: 'lastScheduleTime' },
      value: ({ status }, nowMs) => (status?.lastScheduleTime ? ageOf(status.lastScheduleTime, nowMs) : '<none>'),
    },
    ageColumn as Column<CronJob>,
    ...containerColumns<CronJob>(({ spec }) => spec?.jobTemplate?.spec?.template?.spec),
    {
      name: 'Selector',
      type: 'string',
      priority: 1,
      description: { type: 'batch.v1.JobSpec', field: 'selector' },
      value: ({ spec }) => formatLabelSelector(spec?.jobTemplate?.spec?.selector),
    },
  ],
});
