// A large Deployment on a thousand simulated nodes, events and managed fields included.

import { createCluster } from '../testing/index.ts';
import { deployment } from '../tests/fixtures/deployment.ts';
import type { Report } from '../tools/bench/figure.ts';

const PODS = 10_000;
const NODES = 1_000;
/** What takes longer than this is not waited for. */
const PATIENCE_MS = 120_000;

export async function bench(report: Report): Promise<void> {
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
