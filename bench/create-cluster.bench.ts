// Clusters inside a process: how soon one is there, what it weighs, how fast it goes on from a snapshot, how long a large
// Deployment takes on simulated nodes, events and managed fields included, and how long a month of CronJobs.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { type Cluster, createCluster } from '../testing/index.ts';
import type { Report } from '../tools/bench/figure.ts';
import { bundleLibrary } from '../tools/build/bundle.ts';

const root = join(import.meta.dirname, '..');
const ROUNDS = 9;
const MANY = 50;
const PODS = 10_000;
const NODES = 1_000;
const CRON_JOBS = 20;
const DAYS = 30;
/** What takes longer than this is not waited for. */
const PATIENCE_MS = 120_000;

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1] ?? Number.NaN;

async function timed(rounds: number, run: (round: number) => Promise<Cluster>): Promise<number> {
  const all: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now();
    const cluster = await run(round);
    all.push(performance.now() - begun);
    await cluster[Symbol.asyncDispose]();
  }
  return median(all);
}

function coldMs(): number {
  const program = `const t = performance.now();
    const { createCluster } = await import(${JSON.stringify(pathToFileURL(join(root, 'dist/index.mjs')).href)});
    const cluster = await createCluster({ seed: 1 });
    await cluster.client.core.v1.namespaces().list();
    console.log(performance.now() - t);
    await cluster[Symbol.asyncDispose]();`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }));
}

function deployment(replicas: number) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'shop/web:1' }] } },
    },
  };
}

async function large(report: Report): Promise<void> {
  await using cluster = await createCluster({ nodes: NODES, seed: 1 });
  const { length } = cluster.history().entries;
  const begun = performance.now();
  await cluster.apply(deployment(PODS));
  const isThere = (d: { readonly status: { readonly availableReplicas?: number | undefined } }) => {
    const { availableReplicas } = d.status;
    if (performance.now() - begun > PATIENCE_MS) throw new Error(`only ${availableReplicas} pods are there`);
    return availableReplicas === PODS;
  };
  await cluster.until('deployment/web', isThere, { within: '10m' });
  const seconds = (performance.now() - begun) / 1000;
  const writes = cluster
    .history()
    .entries.slice(length)
    .filter(({ type }) => type !== 'request').length;
  report({ name: '1,000 nodes, 10,000 pods of one Deployment Running', value: seconds, unit: 's', atMost: 20 });
  report({ name: 'writes of the store for them', value: writes, unit: 'writes' });
}

/** Each runs once a day. Without nodes the jobs' pods wait; with one they run for a minute, and the node has its lease. */
async function month(report: Report, nodes: 0 | 1): Promise<void> {
  await using cluster = await createCluster({ nodes, seed: 1, images: { 'shop/job:1': { exitAfterMs: 60_000 } } });
  const jobs = Array.from({ length: CRON_JOBS }, (_, i) => ({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name: `job-${i}` },
    spec: {
      schedule: `${i} ${i % 24} * * *`,
      jobTemplate: {
        spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'job', image: 'shop/job:1' }] } } },
      },
    },
  }));
  await cluster.apply(jobs);
  const begun = performance.now();
  let days = 0;
  for (; days < DAYS && performance.now() - begun < PATIENCE_MS; days++) await cluster.advance('24h');
  const value = (performance.now() - begun) / 1000;
  const where = nodes === 0 ? '' : ', with a node';
  report({ name: `${days} virtual days of ${CRON_JOBS} daily CronJobs${where}`, value, unit: 's', atMost: 5 });
}

async function weight(report: Report): Promise<void> {
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const clusters: Cluster[] = [];
  for (let seed = 0; seed < MANY; seed++) clusters.push(await createCluster({ seed }));
  globalThis.gc?.();
  const each = (process.memoryUsage().rss - before) / MANY / 1e6;
  for (const cluster of clusters) await cluster[Symbol.asyncDispose]();
  report({ name: `each of ${MANY} clusters in one process`, value: each, unit: 'MB', atMost: 15 });
}

export async function bench(report: Report): Promise<void> {
  await bundleLibrary(root, 'esm');
  coldMs(); // fills the compile cache
  const cold = median(Array.from({ length: 5 }, coldMs));
  report({ name: 'import and createCluster, cold process', value: cold, unit: 'ms', atMost: 250 });
  await timed(2, (seed) => createCluster({ seed }));
  const warm = await timed(ROUNDS, (seed) => createCluster({ seed }));
  report({ name: 'createCluster, warm', value: warm, unit: 'ms', atMost: 120 });
  const nodes = await timed(ROUNDS, (seed) => createCluster({ seed, nodes: 3 }));
  report({ name: 'createCluster with three nodes, warm', value: nodes, unit: 'ms' });

  await using prepared = await createCluster({ nodes: 3, seed: 1 });
  await prepared.apply(deployment(3));
  await prepared.until('deployment/web', (d) => d.status.availableReplicas === 3);
  const from = await prepared.snapshot();
  const restored = await timed(ROUNDS, (seed) => createCluster({ seed, from }));
  report({ name: 'createCluster from a snapshot with three nodes', value: restored, unit: 'ms', atMost: 5 });

  await weight(report);
  await month(report, 0);
  await month(report, 1);
  await large(report);
}
