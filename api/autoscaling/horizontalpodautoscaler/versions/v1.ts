/**
 * `autoscaling/v1` knows one metric, the pods' CPU. All others, the behaviour and what was measured ride in annotations,
 * in a form of their own, so that nothing is lost when an object passes through this version.
 */
import type { ApiObject, DeepReadonly } from '../../../../libs/kind/object.ts';
import type {
  MetricSpec,
  MetricStatus,
  HorizontalPodAutoscaler as Stored,
} from '../../../types/autoscaling/v2.generated.ts';
import { behaviorFrom, behaviorTo } from './v1-behavior.ts';
import { fromAnnotation as metricsFrom, toAnnotation as metricsTo, statusToAnnotation } from './v1-metrics.ts';

const PREFIX = 'autoscaling.alpha.kubernetes.io/';
const METRICS = `${PREFIX}metrics`;
const CURRENT = `${PREFIX}current-metrics`;
const CONDITIONS = `${PREFIX}conditions`;
const BEHAVIOR = `${PREFIX}behavior`;

interface V1 extends ApiObject {
  spec?: {
    scaleTargetRef: Stored['spec']['scaleTargetRef'];
    minReplicas?: number;
    maxReplicas: number;
    targetCPUUtilizationPercentage?: number;
  };
  status?: {
    observedGeneration?: number | bigint;
    lastScaleTime?: string;
    currentReplicas: number;
    desiredReplicas: number;
    currentCPUUtilizationPercentage?: number;
  };
}

export function toV2(object: ApiObject): Stored {
  const { spec, status, metadata, ...rest } = object as V1;
  const annotations = { ...metadata?.annotations };
  const metrics = parsed<MetricSpec[]>(annotations[METRICS], metricsFrom) ?? [];
  const behavior = parsed(annotations[BEHAVIOR], behaviorFrom);
  const currentMetrics = parsed<MetricSpec[]>(annotations[CURRENT], metricsFrom) as MetricStatus[] | undefined;
  const conditions = parsed(annotations[CONDITIONS], (value) => (Array.isArray(value) ? value : undefined));
  for (const key of [METRICS, CURRENT, CONDITIONS, BEHAVIOR]) delete annotations[key];
  const percent = spec?.targetCPUUtilizationPercentage;
  if (percent !== undefined) {
    const target = { type: 'Utilization', averageUtilization: percent };
    metrics.unshift({ type: 'Resource', resource: { name: 'cpu', target } });
  }
  const measured = status?.currentCPUUtilizationPercentage;
  const cpu: MetricStatus[] =
    measured === undefined
      ? []
      : [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: measured } } }];
  const { targetCPUUtilizationPercentage: _percent, ...kept } = spec ?? { scaleTargetRef: {}, maxReplicas: 0 };
  const { currentCPUUtilizationPercentage: _measured, ...keptStatus } = status ?? { desiredReplicas: 0 };
  return {
    ...rest,
    apiVersion: 'autoscaling/v2',
    metadata: withAnnotations(metadata, annotations),
    spec: { ...kept, ...(metrics.length > 0 ? { metrics } : {}), ...(behavior ? { behavior } : {}) },
    status: {
      ...keptStatus,
      currentMetrics: [...cpu, ...(currentMetrics ?? [])],
      ...(conditions ? { conditions } : {}),
    },
  } as unknown as Stored;
}

export function fromV2(stored: DeepReadonly<Stored>): ApiObject {
  const { spec, status, metadata, ...rest } = stored;
  const annotations: Record<string, string> = { ...metadata?.annotations };
  const { metrics = [], behavior, ...kept } = spec ?? {};
  const { currentMetrics, conditions, ...keptStatus } = status ?? {};
  const cpu = metrics.findIndex(({ type, resource }) => {
    return type === 'Resource' && resource?.name === 'cpu' && resource.target?.averageUtilization !== undefined;
  });
  const others = metrics.filter((_, i) => i !== cpu);
  const isCpu = ({ type, resource }: DeepReadonly<MetricStatus>) =>
    type === 'Resource' && resource?.name === 'cpu' && resource.current?.averageUtilization !== undefined;
  const measured = (currentMetrics ?? []).find(isCpu)?.resource?.current?.averageUtilization;
  const otherCurrent = currentMetrics ?? [];
  if (others.length > 0) annotations[METRICS] = JSON.stringify(others.map(metricsTo));
  if (otherCurrent.length > 0) annotations[CURRENT] = JSON.stringify(otherCurrent.map(statusToAnnotation));
  if (conditions && conditions.length > 0) annotations[CONDITIONS] = JSON.stringify(conditions);
  if (behavior) annotations[BEHAVIOR] = JSON.stringify(behaviorTo(behavior));
  const percent = metrics[cpu]?.resource?.target?.averageUtilization;
  return {
    ...rest,
    apiVersion: 'autoscaling/v1',
    metadata: withAnnotations(metadata, annotations),
    spec: { ...kept, ...(percent === undefined ? {} : { targetCPUUtilizationPercentage: percent }) },
    status: {
      ...keptStatus,
      currentReplicas: status?.currentReplicas ?? 0,
      ...(measured === undefined ? {} : { currentCPUUtilizationPercentage: measured }),
    },
  } as unknown as ApiObject;
}

/** The value of an annotation; undefined where there is none or it cannot be read. */
function parsed<T>(text: string | undefined, read: (value: unknown) => T | undefined): T | undefined {
  if (text === undefined) return undefined;
  try {
    return read(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The metadata with these annotations; without any, none are there. */
function withAnnotations<M extends object>(metadata: M | undefined, annotations: Record<string, string>): object {
  const { annotations: _old, ...rest } = (metadata ?? {}) as Record<string, unknown>;
  return Object.keys(annotations).length > 0 ? { ...rest, annotations } : rest;
}
