/** Metrics in the annotations of `autoscaling/v1`: flat, with names that say what kind of target it is. */
import type { DeepReadonly } from '../../../../libs/kind/object.ts';
import type { MetricSpec, MetricStatus } from '../../../types/autoscaling/v2.generated.ts';

type Json = Record<string, unknown>;

/** A metric's specification as the annotation has it. */
export function toAnnotation(metric: DeepReadonly<MetricSpec>): unknown {
  const { type, resource, containerResource, pods, object, external } = metric;
  return clean({
    type,
    resource: resource && { name: resource.name, ...ofPods(resource.target, 'target') },
    containerResource: containerResource && {
      name: containerResource.name,
      ...ofPods(containerResource.target, 'target'),
      container: containerResource.container,
    },
    pods: pods && {
      metricName: pods.metric.name,
      targetAverageValue: pods.target.averageValue,
      selector: pods.metric.selector,
    },
    object: object && {
      target: object.describedObject,
      metricName: object.metric.name,
      targetValue: object.target.value ?? '0',
      selector: object.metric.selector,
      averageValue: object.target.averageValue,
    },
    external: external && {
      metricName: external.metric.name,
      metricSelector: external.metric.selector,
      targetValue: external.target.value,
      targetAverageValue: external.target.averageValue,
    },
  });
}

/** What was measured, as the annotation has it. */
export function statusToAnnotation(metric: DeepReadonly<MetricStatus>): unknown {
  const { type, resource, containerResource, pods, object, external } = metric;
  return clean({
    type,
    resource: resource && { name: resource.name, ...ofPods(resource.current, 'current') },
    containerResource: containerResource && {
      name: containerResource.name,
      ...ofPods(containerResource.current, 'current'),
      container: containerResource.container,
    },
    pods: pods && {
      metricName: pods.metric.name,
      currentAverageValue: pods.current.averageValue,
      selector: pods.metric.selector,
    },
    object: object && {
      target: object.describedObject,
      metricName: object.metric.name,
      currentValue: object.current.value ?? '0',
      selector: object.metric.selector,
      averageValue: object.current.averageValue,
    },
    external: external && {
      metricName: external.metric.name,
      metricSelector: external.metric.selector,
      currentValue: external.current.value ?? '0',
      currentAverageValue: external.current.averageValue,
    },
  });
}

interface Values {
  readonly averageUtilization?: number;
  readonly averageValue?: string;
}

function ofPods(values: Values | undefined, word: 'target' | 'current'): Json {
  return {
    [`${word}AverageUtilization`]: values?.averageUtilization,
    [`${word}AverageValue`]: values?.averageValue ?? (word === 'current' ? '0' : undefined),
  };
}

const clean = (value: Json): unknown => JSON.parse(JSON.stringify(value));

/** The metrics of an annotation; specifications and measurements differ in one word. undefined where it is no list. */
export function fromAnnotation(value: unknown): MetricSpec[] | undefined {
  return Array.isArray(value) ? value.map((one) => metricFrom(one as Json)) : undefined;
}

function metricFrom(metric: Json): MetricSpec {
  const result: Json = { type: metric['type'] ?? '' };
  for (const member of ['resource', 'containerResource', 'pods', 'object', 'external'] as const) {
    const flat = metric[member] as Json | undefined;
    if (flat) result[member] = memberFrom(member, flat);
  }
  return result as unknown as MetricSpec;
}

function memberFrom(member: string, flat: Json): Json {
  const word = Object.keys(flat).some((name) => name.startsWith('current')) ? 'current' : 'target';
  const value = flat[`${word}Value`];
  const averageValue = flat[`${word}AverageValue`] ?? flat['averageValue'];
  const averageUtilization = flat[`${word}AverageUtilization`];
  const type = averageUtilization !== undefined ? 'Utilization' : averageValue !== undefined ? 'AverageValue' : 'Value';
  const values = {
    ...(word === 'target' ? { type } : {}),
    ...(value !== undefined && type === 'Value' ? { value } : {}),
    ...(averageValue !== undefined ? { averageValue } : {}),
    ...(averageUtilization !== undefined ? { averageUtilization } : {}),
  };
  const selector = flat['selector'] ?? flat['metricSelector'];
  const metric = { name: flat['metricName'] ?? '', ...(selector ? { selector } : {}) };
  if (member === 'resource') return { name: flat['name'], [word]: values };
  if (member === 'containerResource') return { name: flat['name'], [word]: values, container: flat['container'] };
  if (member === 'object') return { describedObject: flat['target'], [word]: values, metric };
  return { metric, [word]: values };
}
