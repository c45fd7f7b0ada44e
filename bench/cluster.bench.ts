// A whole cluster on this machine, from the start of the process to its end, and what it costs while nothing happens.
// Needs what tests/e2e needs; without it there are no figures.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import dnsPacket from 'dns-packet';
import { CLUSTER_NEEDS, type E2eCluster, prepareCluster } from '../tests/e2e/cluster.ts';
import { missingRequirements } from '../tests/harness/requirements.ts';
import type { Report } from '../tools/bench/figure.ts';

const STARTS = 5;
const SETTLE_MS = 15_000;
const IDLE_MS = 30_000;
const TICKS_PER_SECOND = 100;

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;

/** Whether the cluster's DNS knows `kubernetes.default`, asked as pods ask it. */
async function dnsAnswers(cluster: E2eCluster): Promise<boolean> {
  const name = 'kubernetes.default.svc.cluster.local';
  const question = dnsPacket.streamEncode({ type: 'query', id: 1, questions: [{ type: 'A', name }] });
  try {
    const socket = await cluster.host.connect(53, '10.96.0.10');
    try {
      socket.write(question);
      const [bytes] = (await once(socket, 'data', { signal: AbortSignal.timeout(500) })) as [Buffer];
      return (dnsPacket.streamDecode(bytes).answers ?? []).length > 0;
    } finally {
      socket.destroy();
    }
  } catch {
    return false;
  }
}

/** Milliseconds from the start of the process until its node is ready and its DNS answers. */
async function startMs(cluster: E2eCluster): Promise<number> {
  const started = performance.now();
  const ready = cluster.start();
  await ready;
  while (!(await dnsAnswers(cluster))) await sleep(10);
  return performance.now() - started;
}

function usage(pid: number): { cpuSeconds: number; residentMb: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    residentMb: (Number(resident) * 1024) / 1e6,
  };
}

export async function bench(report: Report): Promise<void> {
  const missing = missingRequirements(...CLUSTER_NEEDS);
  if (missing.length > 0) {
    process.stdout.write(`${missing.join('\n')}\n`);
    return;
  }
  await using cluster = await prepareCluster({ images: ['busybox'] });
  // The first start makes the cluster's keys and fills Node's compile cache.
  const first = await startMs(cluster);
  const starts: number[] = [];
  const stops: number[] = [];
  for (let n = 0; n < STARTS; n++) {
    stops.push((await cluster.interrupt()).ms);
    starts.push(await startMs(cluster));
  }
  report({ name: 'cluster: first start, with its keys', value: first / 1000, unit: 's' });
  report({
    name: 'cluster: process start to node Ready and DNS answers',
    value: median(starts) / 1000,
    unit: 's',
    atMost: 2,
    upstream: '8.5 s (kind 33 s)',
  });
  report({ name: 'cluster: Ctrl-C to gone, no pods', value: median(stops) / 1000, unit: 's', atMost: 3 });
  await sleep(SETTLE_MS);
  const before = usage(cluster.pid);
  await sleep(IDLE_MS);
  const after = usage(cluster.pid);
  report({
    name: 'cluster: idle, resident, containerd aside',
    value: after.residentMb,
    unit: 'MB',
    atMost: 220,
    upstream: '703 MB',
  });
  report({
    name: 'cluster: idle, of a core',
    value: ((after.cpuSeconds - before.cpuSeconds) / (IDLE_MS / 1000)) * 100,
    unit: '%',
    atMost: 0.5,
    upstream: '4 %',
  });
}
