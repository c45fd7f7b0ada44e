// A month of virtual time in which CronJobs run, without nodes and with one.

import { createCluster } from '../testing/index.ts';
import type { Report } from '../tools/bench/figure.ts';

const CRON_JOBS = 20;
const DAYS = 30;
/** What takes longer than this is not waited for. */
const PATIENCE_MS = 120_000;

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

export async function bench(report: Report): Promise<void> {
  await month(report, 0);
  await month(report, 1);
}
