// Clusters inside a process: how soon one is there, what it weighs, how fast it goes on from a snapshot.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { type Cluster, createCluster } from '../testing/index.ts';
import { deployment } from '../tests/fixtures/deployment.ts';
import type { Report } from '../tools/bench/figure.ts';
import { bundleLibrary } from '../tools/build/bundle.ts';

const root = join(import.meta.dirname, '..');
const ROUNDS = 9;
const MANY = 50;

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
}
