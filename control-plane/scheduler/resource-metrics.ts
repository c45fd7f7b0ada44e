import { sumContainers } from '../../api/core/pod/resources.ts';
import { pods } from '../../api/resources.ts';
import type { PodSpec } from '../../api/types/core/v1.generated.ts';
import type { Clock } from '../../libs/base/clock.ts';
import type { Informers } from '../../libs/kind/client.ts';
import type { DeepReadonly } from '../../libs/kind/object.ts';
import { addQuantity, formatQuantity, mustParseQuantity, toNumber } from '../../libs/machinery/quantity.ts';
import { MetricSet } from '../../libs/metrics/metrics.ts';

/** Pods that are told in one go, before others of the process have their turn. */
const SLICE_PODS = 250;
const LABELS = ['namespace', 'pod', 'node', 'scheduler', 'priority', 'resource', 'unit'];

/**
 * `/metrics/resources`: what each pod asks for and may have, as scheduler and kubelet reckon it; pods that have ended hold
 * nothing.
 */
export async function podResourceMetrics(informers: Informers, clock: Pick<Clock, 'yield'>): Promise<string> {
  // There is a row for each pod, and so no bound of its own.
  const metrics = new MetricSet({ rowsMax: Number.POSITIVE_INFINITY });
  const requests = metrics.gauge('kube_pod_resource_request', 'What a pod asks for, by resource.', LABELS);
  const limits = metrics.gauge('kube_pod_resource_limit', 'What a pod may have at most, by resource.', LABELS);
  for (const [i, { metadata, spec, status }] of informers.informer(pods).list().entries()) {
    if (i % SLICE_PODS === SLICE_PODS - 1) await clock.yield();
    if (!spec || (spec.nodeName && (status?.phase === 'Succeeded' || status?.phase === 'Failed'))) continue;
    const { nodeName = '', schedulerName = '', priority } = spec;
    const { namespace = '', name } = metadata;
    const labels = [namespace, name, nodeName, schedulerName, priority === undefined ? '' : String(priority)];
    for (const [kind, gauge] of [['requests', requests] as const, ['limits', limits] as const]) {
      for (const [resource, text] of Object.entries(wholePod(spec, kind))) {
        const amount = toNumber(mustParseQuantity(text));
        if (amount !== 0) gauge.set(amount, ...labels, resource, unitOf(resource));
      }
    }
  }
  return metrics.text();
}

/** The containers together, or what is said of the pod as a whole; with what the pod itself costs. */
export function wholePod(spec: DeepReadonly<PodSpec>, kind: 'requests' | 'limits'): Record<string, string> {
  const total = { ...sumContainers(spec, kind), ...spec.resources?.[kind] } as Record<string, string>;
  for (const [name, text] of Object.entries(spec.overhead ?? {})) {
    const had = total[name];
    // What has no limit has none with its overhead either.
    if (had === undefined && kind === 'limits') continue;
    total[name] =
      had === undefined ? text : formatQuantity(addQuantity(mustParseQuantity(had), mustParseQuantity(text)));
  }
  return total;
}

function unitOf(resource: string): string {
  if (resource === 'cpu') return 'cores';
  return resource === 'memory' || resource.endsWith('storage') || resource.startsWith('hugepages-')
    ? 'bytes'
    : 'integer';
}
