import { defineKind } from '../../../libs/kind/kind.ts';
import type { HorizontalPodAutoscaler } from '../../types/autoscaling/v2.generated.ts';
import { columns } from './columns.ts';
import { statusStrategy, strategy } from './strategy.ts';
import { fromV2, toV2 } from './versions/v1.ts';

export const horizontalPodAutoscaler = defineKind<HorizontalPodAutoscaler>({
  group: 'autoscaling',
  kind: 'HorizontalPodAutoscaler',
  resource: 'horizontalpodautoscalers',
  namespaced: true,
  shortNames: ['hpa'],
  categories: ['all'],
  versions: [
    { version: 'v2', type: 'autoscaling.v2.HorizontalPodAutoscaler' },
    { version: 'v1', type: 'autoscaling.v1.HorizontalPodAutoscaler', toStorage: toV2, fromStorage: fromV2 },
  ],
  strategy,
  subresources: { status: { form: 'status', strategy: statusStrategy } },
  columns,
});
