import { type Cell, MetricSet } from '../../../libs/metrics/metrics.ts';
import { nanosToMs } from '../../cri/cri.ts';
import type { ContainerStats } from '../../cri/schema.generated.ts';
import { LABEL } from '../containers/labels.ts';
import type { Kubelet } from '../kubelet.ts';
import { nodeUsage } from './node-usage.ts';

/** `/metrics`: the kubelet itself. */
export async function kubeletMetrics(kubelet: Kubelet): Promise<string> {
  const { cri, host, nodeName, config } = kubelet.env;
  const [{ containers }, { items }] = await Promise.all([cri.listContainers({}), cri.listPodSandbox({})]);
  const metrics = new MetricSet();
  metrics.gauge('kubelet_node_name', "The node's name. The count is always 1.", ['node']).set(1, nodeName);
  metrics
    .gauge('kubernetes_build_info', 'Which version this is. The count is always 1.', ['git_version'])
    .set(1, config.version);
  const running = metrics.gauge('kubelet_running_containers', 'Containers by state.', ['container_state']);
  for (const state of ['created', 'exited', 'running', 'unknown']) {
    running.set(containers.filter((one) => one.state === `CONTAINER_${state.toUpperCase()}`).length, state);
  }
  metrics
    .gauge('kubelet_running_pods', 'Pods with a sandbox that runs.')
    .set(items.filter(({ state }) => state === 'SANDBOX_READY').length);
  metrics.gauge('kubelet_active_pods', 'Pods that this kubelet looks after.', []).set(kubelet.pods().length);
  const { cpuMs, residentBytes } = host.facts.usage();
  metrics.counter('process_cpu_seconds_total', 'CPU time of this process, in seconds.').add(cpuMs / 1000);
  metrics.gauge('process_resident_memory_bytes', 'Resident memory of this process, in bytes.').set(residentBytes);
  return metrics.text();
}

/**
 * `/metrics/resource`: what metrics-server reads, and with it `kubectl top` and autoscalers. Each figure has the time at
 * which it was measured, as rates are made of two. A container that does not run has none.
 */
export async function resourceMetrics(kubelet: Kubelet): Promise<string> {
  const { cri, host, config, clock } = kubelet.env;
  const metrics = new MetricSet();
  const labels = ['container', 'namespace', 'pod'];
  const failed = metrics.gauge(
    'resource_scrape_error',
    '1 if there was an error while getting container metrics, 0 otherwise',
  );
  const cpu = metrics.counter('container_cpu_usage_seconds_total', 'CPU time of a container, in seconds.', labels);
  const memory = metrics.gauge('container_memory_working_set_bytes', 'Working set of a container, in bytes.', labels);
  const started = metrics.gauge(
    'container_start_time_seconds',
    'When a container was started, in seconds since 1970.',
    labels,
  );
  const podCpu = metrics.counter('pod_cpu_usage_seconds_total', 'CPU time of a pod, in seconds.', ['namespace', 'pod']);
  const podMemory = metrics.gauge('pod_memory_working_set_bytes', 'Working set of a pod, in bytes.', [
    'namespace',
    'pod',
  ]);
  const nodeCpu = metrics.counter('node_cpu_usage_seconds_total', 'CPU time of the node, in seconds.');
  const nodeMemory = metrics.gauge('node_memory_working_set_bytes', 'Working set of the node, in bytes.');
  const node = await nodeUsage(host, config.rootDirectory);
  const nowMs = clock.now();
  if (node.cpuNanos !== undefined) nodeCpu.setAt(Number(node.cpuNanos) / 1e9, nowMs);
  if (node.workingSetBytes !== undefined) nodeMemory.setAt(node.workingSetBytes, nowMs);
  try {
    const [{ stats }, { containers }] = await Promise.all([
      cri.listContainerStats({}),
      cri.listContainers({ filter: { state: { state: 'CONTAINER_RUNNING' } } }),
    ]);
    const createdMs = new Map(containers.map(({ id, createdAt }) => [id, nanosToMs(createdAt)]));
    for (const one of stats) {
      const startMs = createdMs.get(one.attributes?.id ?? '');
      if (startMs === undefined) continue;
      const [container, namespace, pod] = namesOf(one);
      started.set(startMs / 1000, container, namespace, pod);
      if (one.cpu?.usageCoreNanoSeconds) {
        const [seconds, atMs] = [Number(one.cpu.usageCoreNanoSeconds.value) / 1e9, nanosToMs(one.cpu.timestamp)];
        cpu.setAt(seconds, atMs, container, namespace, pod);
        addAt(podCpu.at(namespace, pod), seconds, atMs);
      }
      if (one.memory?.workingSetBytes) {
        const [bytes, atMs] = [Number(one.memory.workingSetBytes.value), nanosToMs(one.memory.timestamp)];
        memory.setAt(bytes, atMs, container, namespace, pod);
        addAt(podMemory.at(namespace, pod), bytes, atMs);
      }
    }
    failed.set(0);
  } catch {
    failed.set(1);
  }
  return metrics.text();
}

/** A pod is as new as the newest of its containers. */
function addAt(cell: Cell, value: number, atMs: number): void {
  cell.add(value);
  cell.atMs = Math.max(cell.atMs ?? 0, atMs);
}

function namesOf({ attributes }: ContainerStats): [string, string, string] {
  const { labels = {}, metadata } = attributes ?? {};
  const name = labels[LABEL.containerName] ?? metadata?.name ?? '';
  return [name, labels[LABEL.podNamespace] ?? '', labels[LABEL.podName] ?? ''];
}
