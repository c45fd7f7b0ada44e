/** What an autoscaler measures, and against what. */
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import * as field from '../../../libs/machinery/field-errors.ts';
import { dns1123Label, pathSegmentName } from '../../../libs/machinery/names.ts';
import { mustParseQuantity, signOfQuantity } from '../../../libs/machinery/quantity.ts';
import { validateLabelSelector } from '../../meta/label-selector.ts';
import type { MetricIdentifier, MetricSpec, MetricTarget } from '../../types/autoscaling/v2.generated.ts';
import { validateReference } from './validation.ts';

type Metric = DeepReadonly<MetricSpec>;
type Target = DeepReadonly<MetricTarget> | undefined;

const SOURCES = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
} as const;
const TARGET_TYPES = ['Utilization', 'Value', 'AverageValue'];

export function validateMetrics(metrics: DeepReadonly<MetricSpec[]>, at: field.Path): field.ErrorList {
  return metrics.flatMap((metric, i) => validateMetric(metric, at.index(i)));
}

function validateMetric(metric: Metric, at: field.Path): field.ErrorList {
  const { type = '' } = metric;
  const errors: field.ErrorList = [];
  if (type === '') errors.push(field.required(at.child('type'), 'must specify a metric source type'));
  if (!Object.hasOwn(SOURCES, type)) {
    const unknown = field.notSupported(at.child('type'), type, Object.keys(SOURCES));
    // Told twice among the causes: once for the type, once for the source that it does not name.
    return [...errors, unknown, unknown];
  }
  const wanted = SOURCES[type as keyof typeof SOURCES];
  for (const source of Object.values(SOURCES)) {
    if (metric[source] === undefined || source === wanted) continue;
    errors.push(field.forbidden(at.child(source), 'must populate the given metric source only'));
  }
  const here = at.child(wanted);
  if (metric[wanted] === undefined) {
    return [...errors, field.required(here, 'must populate information for the given metric source')];
  }
  return [...errors, ...validateSource(metric, here)];
}

function validateSource(
  { object, pods, resource, containerResource, external }: Metric,
  at: field.Path,
): field.ErrorList {
  const targetAt = at.child('target');
  if (resource) return [...validateResourceName(resource.name, at), ...validateUsage(resource.target, targetAt)];
  if (containerResource) {
    const { container = '', name, target } = containerResource;
    const errors: field.ErrorList = [];
    const containerAt = at.child('container');
    if (container === '') errors.push(field.required(containerAt, 'must specify a container'));
    else for (const text of dns1123Label(container)) errors.push(field.invalid(containerAt, container, text));
    return [...validateResourceName(name, at), ...errors, ...validateUsage(target, targetAt)];
  }
  if (pods) {
    const errors = [...validateIdentifier(pods.metric, at.child('metric')), ...validateTarget(pods.target, targetAt)];
    if (!isPositive(pods.target?.averageValue)) {
      errors.push(field.required(targetAt.child('averageValue'), 'must specify a positive target averageValue'));
    }
    return errors;
  }
  const source = object ?? external;
  const errors: field.ErrorList = [];
  if (object) errors.push(...validateReference(object.describedObject, at.child('describedObject')));
  errors.push(...validateIdentifier(source?.metric, at.child('metric')), ...validateTarget(source?.target, targetAt));
  const { value, averageValue } = source?.target ?? {};
  if (value !== undefined && averageValue !== undefined) {
    errors.push(
      field.forbidden(targetAt.child('value'), 'may not set both a target value for metric and a per-pod target'),
    );
  } else if (value === undefined && averageValue === undefined) {
    const detail = object
      ? 'must set either a target value or averageValue'
      : 'must set either a target value for metric or a per-pod target';
    errors.push(field.required(targetAt.child('averageValue'), detail));
  }
  return errors;
}

const validateResourceName = (name: string | undefined, at: field.Path): field.ErrorList =>
  name ? [] : [field.required(at.child('name'), 'must specify a resource name')];

/** A share of what pods request, or an amount for each. */
function validateUsage(target: Target, at: field.Path): field.ErrorList {
  const errors = validateTarget(target, at);
  const { averageUtilization: share, averageValue } = target ?? {};
  if (share === undefined && averageValue === undefined) {
    const detail = 'must set either a target raw value or a target utilization';
    errors.push(field.required(at.child('averageUtilization'), detail));
  } else if (share !== undefined && averageValue !== undefined) {
    errors.push(
      field.forbidden(at.child('averageValue'), 'may not set both a target raw value and a target utilization'),
    );
  }
  return errors;
}

function validateTarget(target: Target, at: field.Path): field.ErrorList {
  const { type = '', averageUtilization: share, value, averageValue } = target ?? {};
  const errors: field.ErrorList = [];
  const typeAt = at.child('type');
  if (type === '') errors.push(field.required(typeAt, 'must specify a metric target type'));
  if (!TARGET_TYPES.includes(type)) {
    errors.push(field.invalid(typeAt, type, 'must be either Utilization, Value, or AverageValue'));
  }
  for (const [name, amount] of Object.entries({ value, averageValue })) {
    if (amount !== undefined && !isPositive(amount)) {
      errors.push(field.invalid(at.child(name), amount, 'must be positive'));
    }
  }
  if (share !== undefined && share < 1) {
    errors.push(field.invalid(at.child('averageUtilization'), share, 'must be greater than 0'));
  }
  return errors;
}

function validateIdentifier(metric: DeepReadonly<MetricIdentifier> | undefined, at: field.Path): field.ErrorList {
  const { name = '', selector } = metric ?? {};
  const errors: field.ErrorList = [];
  if (name === '') errors.push(field.required(at.child('name'), 'must specify a metric name'));
  else for (const text of pathSegmentName(name)) errors.push(field.invalid(at.child('name'), name, text));
  return [...errors, ...validateLabelSelector(selector, at.child('selector'))];
}

const isPositive = (text: string | undefined): boolean =>
  text !== undefined && signOfQuantity(mustParseQuantity(text)) > 0;
