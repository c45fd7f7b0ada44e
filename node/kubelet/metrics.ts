import { type Cell, type Counter, MetricSet } from '../../libs/metrics/metrics.ts';
import { type NodePod, nameOf, namespaceOf, uidOf } from './pod/objects.ts';
import type { ProbeKind, ProbeResult } from './probes/prober.ts';

const PROBE_TYPE = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' } as const;
const RESULTS: readonly ProbeResult[] = ['successful', 'failed', 'unknown'];

/** What a kubelet counts as it goes, under upstream's names. */
export class KubeletMetrics {
  readonly set: MetricSet;
  /** Image volumes that containers were to have, that they got, and that they did not get. */
  readonly imageVolumes: Readonly<Record<'requested' | 'mounted' | 'failed', Cell>>;
  readonly #probes: Counter;

  constructor(set = new MetricSet()) {
    this.set = set;
    const images = 'kubelet_image_volume';
    this.imageVolumes = {
      requested: set.counter(`${images}_requested_total`, 'Images that were to be mounted as volumes.').at(),
      mounted: set.counter(`${images}_mounted_succeed_total`, 'Images that were mounted as volumes.').at(),
      failed: set.counter(`${images}_mounted_errors_total`, 'Images that could not be mounted as volumes.').at(),
    };
    this.#probes = set.counter('prober_probe_total', 'Probes that were run, by what came of them.', [
      'probe_type',
      'result',
      'container',
      'pod',
      'namespace',
      'pod_uid',
    ]);
  }

  probed(pod: NodePod, container: string, kind: ProbeKind, result: ProbeResult): void {
    this.#probes.add(1, ...probeLabels(pod, container, kind, result));
  }

  /** The container is not probed any more, whatever becomes of its pod: what was counted of it is told no longer. */
  forgetProbes(pod: NodePod, container: string): void {
    for (const kind of ['startup', 'liveness', 'readiness'] as const) {
      for (const result of RESULTS) this.#probes.delete(...probeLabels(pod, container, kind, result));
    }
  }
}

const probeLabels = (pod: NodePod, container: string, kind: ProbeKind, result: ProbeResult) =>
  [PROBE_TYPE[kind], result, container, nameOf(pod), namespaceOf(pod), uidOf(pod)] as const;
