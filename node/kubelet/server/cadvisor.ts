import { MetricSet } from '../../../libs/metrics/metrics.ts';
import { nanosToMs } from '../../cri/cri.ts';
import type { Container, ContainerStats } from '../../cri/schema.generated.ts';
import { LABEL } from '../containers/labels.ts';
import { containerResources } from '../containers/resources.ts';
import type { Kubelet } from '../kubelet.ts';
import { findContainer, type NodePod, nameOf, namespaceOf, uidOf } from '../pod/objects.ts';
import { type InterfaceUsage, interfacesOf, nodeUsage } from './node-usage.ts';

const CONTAINER = ['container', 'id', 'image', 'name', 'namespace', 'pod'];

/** How many times one may not go on as one's quota of the CPU is used up: `cpu.stat` of a cgroup, in either version. */
export interface Throttling {
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledSeconds: number;
}

/** Undefined where nothing limits the CPU. */
export function throttlingOf(stat: Readonly<Record<string, number>>): Throttling | undefined {
  const {
    nr_periods: periods,
    nr_throttled: throttledPeriods = 0,
    throttled_time: nanos,
    throttled_usec: micros,
  } = stat;
  if (periods === undefined) return undefined;
  return { periods, throttledPeriods, throttledSeconds: nanos === undefined ? (micros ?? 0) / 1e6 : nanos / 1e9 };
}

/**
 * `/metrics/cadvisor`: what containers use and may use, under the names of cAdvisor that dashboards know. Figures of pods
 * and of images' file systems are left out.
 */
export async function cadvisorMetrics(kubelet: Kubelet): Promise<string> {
  const { cri, host, config, cgroups, clock } = kubelet.env;
  const metrics = new ContainerMetrics();
  const node = await nodeUsage(host, config.rootDirectory);
  metrics.machine(host.facts.cpus, host.facts.memoryBytes);
  metrics.root(node.cpuNanos, node.workingSetBytes);
  try {
    const [{ stats }, { containers }] = await Promise.all([
      cri.listContainerStats({}),
      cri.listContainers({ filter: { state: { state: 'CONTAINER_RUNNING' } } }),
    ]);
    const pods = new Map(kubelet.pods().map((pod) => [uidOf(pod), pod]));
    const statsOf = new Map(stats.map((one) => [one.attributes?.id ?? '', one]));
    await Promise.all(
      containers.map(async (container) => {
        const pod = pods.get(container.labels[LABEL.podUid] ?? '');
        const one = statsOf.get(container.id);
        if (!pod || !one) return;
        const [cpuStat, memoryStat] = await Promise.all([
          cgroups.statOf(pod, container.id, 'cpu'),
          cgroups.statOf(pod, container.id, 'memory'),
        ]);
        const parent = cgroups.parentOf(pod);
        metrics.container(pod, container, one, { parent, cpuStat, memoryStat, nowMs: clock.now() });
      }),
    );
    // What runs in a pod has the pod's network, and only what runs tells of it.
    const onePerPod = new Map(containers.map((one) => [one.labels[LABEL.podUid] ?? '', one]));
    await Promise.all(
      Array.from(onePerPod, async ([uid, container]) => {
        const pod = pods.get(uid);
        if (!pod || pod.spec?.hostNetwork) return;
        const process = await cgroups.processOf(pod, container.id);
        const text = process && (await host.files.readTextIfExists(`/proc/${process}/net/dev`).catch(() => undefined));
        if (text) metrics.network(pod, `${cgroups.parentOf(pod)}/${container.podSandboxId}`, interfacesOf(text));
      }),
    );
    metrics.failed(false);
  } catch {
    metrics.failed(true);
  }
  return metrics.text();
}

interface Measured {
  readonly parent: string;
  readonly cpuStat: Readonly<Record<string, number>>;
  readonly memoryStat: Readonly<Record<string, number>>;
  readonly nowMs: number;
}

class ContainerMetrics {
  readonly #set = new MetricSet();
  readonly #counter = (name: string, help: string, more: readonly string[] = []) =>
    this.#set.counter(`container_${name}`, help, [...CONTAINER, ...more]);
  readonly #gauge = (name: string, help: string) => this.#set.gauge(`container_${name}`, help, CONTAINER);
  readonly #cpu = this.#counter('cpu_usage_seconds_total', 'CPU time, in seconds.', ['cpu']);
  readonly #periods = this.#counter('cpu_cfs_periods_total', 'Periods of the CPU quota.');
  readonly #throttled = this.#counter('cpu_cfs_throttled_periods_total', 'Periods in which the quota was used up.');
  readonly #waited = this.#counter('cpu_cfs_throttled_seconds_total', 'How long the quota was used up, in seconds.');
  readonly #workingSet = this.#gauge('memory_working_set_bytes', 'Memory that cannot be had back at once.');
  readonly #usage = this.#gauge('memory_usage_bytes', 'Memory, whatever it is for.');
  readonly #rss = this.#gauge('memory_rss', 'Memory of its own, in bytes.');
  readonly #cache = this.#gauge('memory_cache', 'Pages of files, in bytes.');
  readonly #swap = this.#gauge('memory_swap', 'What is swapped out, in bytes.');
  readonly #faults = this.#counter('memory_failures_total', 'Pages that were not there.', ['failure_type', 'scope']);
  readonly #fs = this.#gauge('fs_usage_bytes', 'What the container has written beside its image.');
  readonly #started = this.#gauge('start_time_seconds', 'When it was made, in seconds since 1970.');
  readonly #seen = this.#gauge('last_seen', 'When it was last looked at, in seconds since 1970.');
  readonly #shares = this.#gauge('spec_cpu_shares', 'Its weight among others.');
  readonly #quota = this.#gauge('spec_cpu_quota', 'Microseconds of CPU time in each period.');
  readonly #period = this.#gauge('spec_cpu_period', 'The period of the quota, in microseconds.');
  readonly #limit = this.#gauge('spec_memory_limit_bytes', 'What it may have; 0: no limit.');
  readonly #received = this.#counter('network_receive_bytes_total', 'Bytes that came in.', ['interface']);
  readonly #sent = this.#counter('network_transmit_bytes_total', 'Bytes that went out.', ['interface']);
  readonly #receiveErrors = this.#counter('network_receive_errors_total', 'What came in broken.', ['interface']);
  readonly #sendErrors = this.#counter('network_transmit_errors_total', 'What could not go out.', ['interface']);
  readonly #receiveDrops = this.#counter('network_receive_packets_dropped_total', 'What came in and was dropped.', [
    'interface',
  ]);
  readonly #sendDrops = this.#counter('network_transmit_packets_dropped_total', 'What was dropped on the way out.', [
    'interface',
  ]);
  readonly #scrapeError = this.#set.gauge('container_scrape_error', '1 where containers could not be asked, 0 else.');

  machine(cpus: number, memoryBytes: number): void {
    this.#set.gauge('machine_cpu_cores', 'CPUs of the machine.').set(cpus);
    this.#set.gauge('machine_memory_bytes', 'Memory of the machine.').set(memoryBytes);
  }

  root(cpuNanos: bigint | undefined, workingSetBytes: number | undefined): void {
    const labels = ['', '/', '', '', '', ''];
    if (cpuNanos !== undefined) this.#cpu.add(Number(cpuNanos) / 1e9, ...labels, 'total');
    if (workingSetBytes !== undefined) this.#workingSet.set(workingSetBytes, ...labels);
  }

  container(pod: NodePod, container: Container, { cpu, memory, writableLayer }: ContainerStats, of: Measured): void {
    const { labels: given, id } = container;
    const name = given[LABEL.containerName] ?? '';
    const spec = findContainer(pod, name)?.container;
    const labels = [name, `${of.parent}/${id}`, spec?.image ?? container.image?.image ?? '', id];
    labels.push(given[LABEL.podNamespace] ?? '', given[LABEL.podName] ?? '');
    if (cpu?.usageCoreNanoSeconds) this.#cpu.add(Number(cpu.usageCoreNanoSeconds.value) / 1e9, ...labels, 'total');
    const throttling = throttlingOf(of.cpuStat);
    if (memory?.workingSetBytes) this.#workingSet.set(Number(memory.workingSetBytes.value), ...labels);
    if (memory?.usageBytes) this.#usage.set(Number(memory.usageBytes.value), ...labels);
    if (memory?.rssBytes) this.#rss.set(Number(memory.rssBytes.value), ...labels);
    const cache = of.memoryStat['total_cache'] ?? of.memoryStat['file'];
    if (cache !== undefined) this.#cache.set(cache, ...labels);
    const swap = of.memoryStat['total_swap'];
    if (swap !== undefined) this.#swap.set(swap, ...labels);
    if (memory?.pageFaults) this.#faults.add(Number(memory.pageFaults.value), ...labels, 'pgfault', 'container');
    if (memory?.majorPageFaults)
      this.#faults.add(Number(memory.majorPageFaults.value), ...labels, 'pgmajfault', 'container');
    if (writableLayer?.usedBytes) this.#fs.set(Number(writableLayer.usedBytes.value), ...labels);
    this.#started.set(nanosToMs(container.createdAt) / 1000, ...labels);
    this.#seen.set(Math.floor(of.nowMs / 1000), ...labels);
    if (!spec) return;
    const { cpuShares, cpuQuota, cpuPeriod, memoryLimitInBytes } = containerResources(pod, spec, 0);
    this.#shares.set(Number(cpuShares ?? 0), ...labels);
    this.#period.set(Number(cpuPeriod ?? 0), ...labels);
    this.#limit.set(Number(memoryLimitInBytes ?? 0), ...labels);
    if (!(Number(cpuQuota ?? 0) > 0)) return;
    this.#quota.set(Number(cpuQuota), ...labels);
    if (throttling === undefined) return;
    this.#periods.add(throttling.periods, ...labels);
    this.#throttled.add(throttling.throttledPeriods, ...labels);
    this.#waited.add(throttling.throttledSeconds, ...labels);
  }

  network(pod: NodePod, id: string, interfaces: readonly InterfaceUsage[]): void {
    const labels = ['', id, '', id.slice(id.lastIndexOf('/') + 1), namespaceOf(pod), nameOf(pod)];
    for (const one of interfaces) {
      this.#received.add(one.rxBytes, ...labels, one.name);
      this.#receiveErrors.add(one.rxErrors, ...labels, one.name);
      this.#receiveDrops.add(one.rxDropped, ...labels, one.name);
      this.#sent.add(one.txBytes, ...labels, one.name);
      this.#sendErrors.add(one.txErrors, ...labels, one.name);
      this.#sendDrops.add(one.txDropped, ...labels, one.name);
    }
  }

  failed(yes: boolean): void {
    this.#scrapeError.set(yes ? 1 : 0);
  }

  text(): string {
    return this.#set.text();
  }
}
