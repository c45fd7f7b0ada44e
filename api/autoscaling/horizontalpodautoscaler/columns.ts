import type { Column } from '../../../libs/kind/column.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { ageColumn, nameColumn } from '../../../libs/kind/standard-columns.ts';
import type {
  HorizontalPodAutoscaler,
  MetricSpec,
  MetricTarget,
  MetricValueStatus,
} from '../../types/autoscaling/v2.generated.ts';

const spec = (field: string) => ({ type: 'autoscaling.v2.HorizontalPodAutoscalerSpec', field });
const UNKNOWN = '<unknown>';
/** More metrics are counted, not shown. */
const SHOWN = 2;

export const columns: readonly Column<HorizontalPodAutoscaler>[] = [
  nameColumn as Column<HorizontalPodAutoscaler>,
  {
    name: 'Reference',
    type: 'string',
    description: spec('scaleTargetRef'),
    value: ({ spec }) => `${spec?.scaleTargetRef?.kind ?? ''}/${spec?.scaleTargetRef?.name ?? ''}`,
  },
  { name: 'Targets', type: 'string', description: spec('metrics'), value: targets },
  {
    name: 'MinPods',
    type: 'string',
    description: spec('minReplicas'),
    value: ({ spec }) => (spec?.minReplicas === undefined ? '<unset>' : String(spec.minReplicas)),
  },
  { name: 'MaxPods', type: 'string', description: spec('maxReplicas'), value: ({ spec }) => spec?.maxReplicas ?? 0 },
  {
    name: 'Replicas',
    type: 'string',
    description: { type: 'autoscaling.v2.HorizontalPodAutoscalerStatus', field: 'currentReplicas' },
    value: ({ status }) => status?.currentReplicas ?? 0,
  },
  ageColumn as Column<HorizontalPodAutoscaler>,
];

/** What is measured against what is wanted, metric by metric: `cpu: 30%/70%`. */
function targets({ spec, status }: DeepReadonly<HorizontalPodAutoscaler>): string {
  const metrics = spec?.metrics ?? [];
  if (metrics.length === 0) return '<none>';
  const texts = metrics.map((metric, i) => {
    const member = memberOf(metric);
    if (!member) return '<unknown type>';
    const current = status?.currentMetrics?.[i];
    const measured =
      current && (memberOf(current as MetricSpec) as { current?: MetricValueStatus } | undefined)?.current;
    const ofPods = metric.type === 'Resource' || metric.type === 'ContainerResource';
    return `${ofPods ? `${member.name}: ` : ''}${compare(member.target ?? { type: '' }, measured, metric.type)}`;
  });
  if (texts.length <= SHOWN) return texts.join(', ');
  return `${texts.slice(0, SHOWN).join(', ')} + ${texts.length - SHOWN} more...`;
}

interface Member {
  readonly name?: string;
  readonly target?: MetricTarget;
}

function memberOf({
  type,
  resource,
  containerResource,
  pods,
  object,
  external,
}: DeepReadonly<MetricSpec>): Member | undefined {
  switch (type) {
    case 'Resource':
      return resource as Member | undefined;
    case 'ContainerResource':
      return containerResource as Member | undefined;
    case 'Pods':
      return pods as Member | undefined;
    case 'Object':
      return object as Member | undefined;
    default:
      return type === 'External' ? (external as Member | undefined) : undefined;
  }
}

function compare(target: MetricTarget, current: MetricValueStatus | undefined, type: string): string {
  const ofPods = type === 'Resource' || type === 'ContainerResource';
  if (target.averageValue !== undefined) {
    const average = type === 'Object' || type === 'External' ? ' (avg)' : '';
    return `${current?.averageValue ?? UNKNOWN}/${target.averageValue}${average}`;
  }
  if (ofPods) {
    const [measured, wanted] = [current?.averageUtilization, target.averageUtilization];
    return `${measured === undefined ? UNKNOWN : `${measured}%`}/${wanted === undefined ? '<auto>' : `${wanted}%`}`;
  }
  return `${current?.value ?? UNKNOWN}/${target.value ?? '<auto>'}`;
}
