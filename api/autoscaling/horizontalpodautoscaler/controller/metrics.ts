import type { Client } from '../../../../libs/kind/client.ts';
import { labelSelectorOf } from '../../../../libs/machinery/labels.ts';
import { mustParseQuantity, toMilli } from '../../../../libs/machinery/quantity.ts';
import { parseDuration } from '../../../../libs/machinery/time.ts';
import type { CrossVersionObjectReference, MetricIdentifier } from '../../../types/autoscaling/v2.generated.ts';
import type { PodSample, PodSamples } from './replicas.ts';
import { ask, resourceOf } from './target.ts';

/**
 * The three metrics APIs (API concept "Resource metrics pipeline"; `metrics.k8s.io`, `custom.metrics.k8s.io`,
 * `external.metrics.k8s.io`), each served by an extension of the user's: metrics-server, an adapter. All throw in upstream's
 * words where nothing answers.
 */
const ONE_MINUTE_MS = 60_000;

interface PodMetricsList {
  readonly items?: readonly {
    readonly metadata: { readonly name: string; readonly namespace?: string };
    readonly timestamp?: string;
    readonly window?: string;
    readonly containers?: readonly { readonly name: string; readonly usage?: Readonly<Record<string, string>> }[];
  }[];
}

/** What pods use of a resource. `container`: of one of their containers; '': of all. */
export async function resourceSamples(
  client: Client,
  namespace: string,
  selector: string,
  of: { readonly resource: string; readonly container: string },
): Promise<PodSamples> {
  const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${encodeURIComponent(namespace)}/pods`;
  const query = selector === '' ? '' : `?labelSelector=${encodeURIComponent(selector)}`;
  const list = (await ask(client, `${path}${query}`, 'get pods.metrics.k8s.io').catch((error: unknown) => {
    throw new Error(`unable to fetch metrics from resource metrics API: ${(error as Error).message}`);
  })) as PodMetricsList;
  if (!list.items?.length) throw new Error('no metrics returned from resource metrics API');
  const samples = new Map<string, PodSample>();
  for (const { metadata, timestamp, window, containers = [] } of list.items) {
    const counted = of.container === '' ? containers : containers.filter(({ name }) => name === of.container);
    if (of.container !== '' && counted.length === 0) {
      throw new Error(`container ${of.container} not present in metrics for pod ${namespace}/${metadata.name}`);
    }
    const usages = counted.map(({ usage }) => usage?.[of.resource]);
    // A container of which nothing is known yet makes the whole unknown.
    if (!usages.every((usage) => usage !== undefined)) continue;
    const milli = usages.reduce((sum, usage) => sum + toMilli(mustParseQuantity(usage)), 0);
    samples.set(metadata.name, {
      milli,
      atMs: Date.parse(timestamp ?? '') || 0,
      windowMs: window ? Number(parseDuration(window)) / 1e6 : ONE_MINUTE_MS,
    });
  }
  if (samples.size === 0) throw new Error('no metrics returned from resource metrics API');
  return samples;
}

interface MetricValueList {
  readonly items?: readonly {
    readonly describedObject?: { readonly name?: string };
    readonly timestamp?: string;
    readonly windowSeconds?: number;
    readonly window?: number;
    readonly value: string;
  }[];
}

/** The newest first. */
const CUSTOM_VERSIONS = ['v1beta2', 'v1beta1'];

async function customMetrics(client: Client, path: string, query: URLSearchParams): Promise<MetricValueList> {
  const text = query.size > 0 ? `?${query}` : '';
  for (const version of CUSTOM_VERSIONS) {
    const root = `/apis/custom.metrics.k8s.io/${version}`;
    const isServed = await client.raw('GET', root).then(
      () => true,
      () => false,
    );
    if (isServed)
      return (await ask(client, `${root}${path}${text}`, 'get metrics.custom.metrics.k8s.io')) as MetricValueList;
  }
  throw new Error('no custom metrics API (custom.metrics.k8s.io) registered');
}

const FETCH = 'unable to fetch metrics from custom metrics API';

/** A metric of each pod. */
export async function podSamples(
  client: Client,
  namespace: string,
  selector: string,
  metric: MetricIdentifier,
): Promise<PodSamples> {
  const query = new URLSearchParams({
    ...(selector !== '' && { labelSelector: selector }),
    ...(metric.selector && { metricLabelSelector: labelSelectorOf(metric.selector as never).toString() }),
  });
  const path = `/namespaces/${encodeURIComponent(namespace)}/pods/*/${encodeURIComponent(metric.name)}`;
  const { items = [] } = await customMetrics(client, path, query).catch((error: unknown) => {
    throw new Error(`unable to get metric ${metric.name}: ${FETCH}: ${(error as Error).message}`);
  });
  if (items.length === 0) {
    throw new Error(`unable to get metric ${metric.name}: no metrics returned from custom metrics API`);
  }
  return new Map(
    items.map(({ describedObject, timestamp, windowSeconds, window, value }) => [
      describedObject?.name ?? '',
      {
        milli: toMilli(mustParseQuantity(value)),
        atMs: Date.parse(timestamp ?? '') || 0,
        windowMs: (windowSeconds ?? window ?? 60) * 1000,
      },
    ]),
  );
}

/** A metric of one object, in thousandths. */
export async function objectValue(
  client: Client,
  namespace: string,
  object: CrossVersionObjectReference,
  metric: MetricIdentifier,
): Promise<number> {
  const about = `unable to get metric ${metric.name}: ${object.kind} on ${namespace} ${object.name}`;
  try {
    const { group, resource, namespaced } = await resourceOf(client, object);
    const name = `${encodeURIComponent(object.name)}/${encodeURIComponent(metric.name)}`;
    const full = group === '' ? resource : `${resource}.${group}`;
    const path =
      object.kind === 'Namespace' && group === ''
        ? `/namespaces/${encodeURIComponent(object.name)}/metrics/${encodeURIComponent(metric.name)}`
        : `${namespaced ? `/namespaces/${encodeURIComponent(namespace)}` : ''}/${full}/${name}`;
    const query = new URLSearchParams(
      metric.selector && { metricLabelSelector: labelSelectorOf(metric.selector as never).toString() },
    );
    const { items = [] } = await customMetrics(client, path, query);
    if (!items[0]) throw new Error('no metrics returned');
    return toMilli(mustParseQuantity(items[0].value));
  } catch (error) {
    throw new Error(`${about}: ${FETCH}: ${(error as Error).message}`);
  }
}

/** A metric of nothing in the cluster: the sum of its values, in thousandths. */
export async function externalValue(client: Client, namespace: string, metric: MetricIdentifier): Promise<number> {
  const selector = labelSelectorOf(metric.selector as never).toString();
  const query = metric.selector ? `?labelSelector=${encodeURIComponent(selector)}` : '';
  const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${encodeURIComponent(namespace)}/${encodeURIComponent(metric.name)}`;
  try {
    const { items = [] } = (await ask(
      client,
      `${path}${query}`,
      `get ${metric.name}.external.metrics.k8s.io`,
    )) as MetricValueList;
    if (items.length === 0) throw new Error('no metrics returned');
    return items.reduce((sum, { value }) => sum + toMilli(mustParseQuantity(value)), 0);
  } catch (error) {
    const about = `unable to get external metric ${namespace}/${metric.name}/${selector}`;
    throw new Error(`${about}: unable to fetch metrics from external metrics API: ${(error as Error).message}`);
  }
}
