import { type Cell, MetricSet } from '../../../libs/metrics/metrics.ts';
import { nanosToMs } from '../../cri/cri.ts';
import type { ContainerStats } from '../../cri/schema.generated.ts';
import { LABEL } from '../containers/labels.ts';
import type { Kubelet } from '../kubelet.ts';
import { isStatic } from '../static-pods/static-pods.ts';
import { nodeUsage } from './node-usage.ts';

/** `/metrics`: the kubelet itself, what it has counted and what can be looked up now. */
export async function kubeletMetrics(kubelet: Kubelet): Promise<string> {
  const { set } = kubelet.env.metrics;
  const now = set.part();
  try {
    await Promise.all([tellRunning(kubelet, now), tellClaims(kubelet, now)]);
    return set.text();
  } finally {
    set.remove(now);
  }
}

async function tellRunning(kubelet: Kubelet, metrics: MetricSet): Promise<void> {
  const { cri, nodeName } = kubelet.env;
  const [{ containers }, { items }] = await Promise.all([cri.listContainers({}), cri.listPodSandbox({})]);
  metrics.gauge('kubelet_node_name', "The node's name. The count is always 1.", ['node']).set(1, nodeName);
  const running = metrics.gauge('kubelet_running_containers', 'Containers by state.', ['container_state']);
  for (const state of ['created', 'exited', 'running', 'unknown']) {
    running.set(containers.filter((one) => one.state === `CONTAINER_${state.toUpperCase()}`).length, state);
  }
  metrics
    .gauge('kubelet_running_pods', 'Pods with a sandbox that runs.')
    .set(items.filter(({ state }) => state === 'SANDBOX_READY').length);
  const pods = kubelet.pods();
  const statics = pods.filter(isStatic).length;
  const active = metrics.gauge('kubelet_active_pods', 'Pods that this kubelet looks after.', ['static']);
  active.set(statics, 'true');
  active.set(pods.length - statics, '');
}

/** How full the volumes of claims are, as far as they are disks or folders of the node. */
async function tellClaims(kubelet: Kubelet, metrics: MetricSet): Promise<void> {
  const { volumes, host } = kubelet.env;
  const of = (name: string, help: string) =>
    metrics.gauge(`kubelet_volume_stats_${name}`, help, ['namespace', 'persistentvolumeclaim']);
  const capacity = of('capacity_bytes', 'Bytes that the volume has.');
  const available = of('available_bytes', 'Bytes that are free.');
  const used = of('used_bytes', 'Bytes that are taken.');
  const inodes = of('inodes', 'Inodes that the volume has.');
  const inodesFree = of('inodes_free', 'Inodes that are free.');
  const inodesUsed = of('inodes_used', 'Inodes that are taken.');
  const claims = (await Promise.all(kubelet.pods().map((pod) => volumes.localClaims(pod)))).flat();
  await Promise.all(
    claims.map(async ({ namespace, claim, path }) => {
      const space = await host.files.space(path).catch(() => undefined);
      if (!space) return;
      const { totalBytes, freeBytes, totalInodes, freeInodes } = space;
      capacity.set(totalBytes, namespace, claim);
      available.set(freeBytes, namespace, claim);
      used.set(totalBytes - freeBytes, namespace, claim);
      inodes.set(totalInodes, namespace, claim);
      inodesFree.set(freeInodes, namespace, claim);
      inodesUsed.set(totalInodes - freeInodes, namespace, claim);
    }),
  );
}

/**
 * `/metrics/resource`: what metrics-server reads, and with it `kubectl top` and autoscalers. Each figure has the time at
 * which it was measured, as rates are made of two. A container that does not run has none.
 */
export async function resourceMetrics(kubelet: Kubelet): Promise<string> {
  const { cri, host, config, clock } = kubelet.env;
  const metrics = new MetricSet();
  const labels = ['container', 'namespace', 'pod'];
  const failed = metrics.gauge('resource_scrape_error', 'Whether containers could not be asked just now: 1, or 0.');
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
  const node = await nodeUsage(host, config.rootDirectory);
  const nowMs = clock.now();
  if (node.cpuNanos !== undefined) {
    const seconds = Number(node.cpuNanos) / 1e9;
    metrics.counter('node_cpu_usage_seconds_total', 'CPU time of the node, in seconds.').setAt(seconds, nowMs);
  }
  if (node.workingSetBytes !== undefined) {
    metrics
      .gauge('node_memory_working_set_bytes', 'Working set of the node, in bytes.')
      .setAt(node.workingSetBytes, nowMs);
  }
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
