// A Deployment of ten pods gets another template: how long until ten new pods are ready and the old ones are gone, with
// real containers, against the bare CRI calls for the same, made as eagerly as the rollout's bounds allow.

import process from 'node:process';
import { CLUSTER_NEEDS, type E2eCluster, prepareCluster } from '../tests/e2e/cluster.ts';
import { type BarePod, criClientOf, runBarePod } from '../tests/harness/bare-pod.ts';
import { startContainerd, writeCniConfiguration } from '../tests/harness/containerd.ts';
import { until } from '../tests/harness/process.ts';
import { missingRequirements } from '../tests/harness/requirements.ts';
import type { Report } from '../tools/bench/figure.ts';

const PODS = 10;
/** A quarter, rounded up and down: what a Deployment that says nothing may have too many and too few. */
const SURGE = 3;
const UNAVAILABLE = 2;
const ROLLS = 5;
const IMAGE = 'docker.io/library/behave:latest';
const PROXY_PORT = 18_002;

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;

/** Replaces `old`, never more than `PODS + SURGE` at a time and never fewer than `PODS - UNAVAILABLE` that run. */
async function rollBare(old: BarePod[], start: (index: number) => Promise<BarePod>): Promise<BarePod[]> {
  const made: BarePod[] = [];
  const under = new Set<Promise<void>>();
  let starting = 0;
  let begun = 0;
  const step = (): void => {
    while (begun < PODS && old.length + made.length + starting < PODS + SURGE) {
      starting++;
      const one = start(begun++).then((pod) => {
        starting--;
        made.push(pod);
      });
      track(one);
    }
    while (old.length > 0 && old.length + made.length > PODS - UNAVAILABLE) track(old.pop()!.remove());
  };
  const track = (work: Promise<void>): void => {
    const done: Promise<void> = work.then(() => {
      under.delete(done);
      step();
    });
    under.add(done);
  };
  step();
  while (under.size > 0) await Promise.race(under);
  return made;
}

const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'rolled' },
  spec: {
    replicas: PODS,
    selector: { matchLabels: { app: 'rolled' } },
    template: {
      metadata: { labels: { app: 'rolled', roll: '0' } },
      spec: {
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image: IMAGE, imagePullPolicy: 'IfNotPresent', args: ['stay'] }],
      },
    },
  },
};

/** Rolls the Deployment once; resolves with the milliseconds from the change until its watcher has seen the end. */
async function roll(cluster: E2eCluster, roll: string): Promise<number> {
  const fields = ['type', 'object.metadata.name', 'object.metadata.labels.roll'].map((path) => `{.${path}} `).join('');
  const ready = '{.object.status.conditions[?(@.type=="Ready")].status}{"\\n"}';
  const watch = ['get', 'pods', '-l', 'app=rolled', '--watch', '--output-watch-events', '-o'];
  await using watching = cluster.kubectl.spawn([...watch, `jsonpath=${fields}${ready}`]);
  await until('all old pods are seen', () => watching.output.split('\n').length > PODS);
  const url = `http://127.0.0.1:${PROXY_PORT}/apis/apps/v1/namespaces/default/deployments/rolled`;
  const body = JSON.stringify({ spec: { template: { metadata: { labels: { roll } } } } });
  const headers = { 'content-type': 'application/merge-patch+json' };
  const started = performance.now();
  const { status } = await cluster.host.fetch(url, { method: 'PATCH', headers, body });
  if (status !== 200) throw new Error(`the Deployment could not be changed: ${status}`);
  let readLength = 0;
  const over = (): boolean => {
    // Who watches must not cost what is measured: only news is read.
    if (watching.output.length === readLength) return false;
    readLength = watching.output.length;
    const pods = new Map<string, string>();
    for (const line of watching.output.split('\n')) {
      const [type, name = '', ...state] = line.split(' ');
      if (type === 'DELETED') pods.delete(name);
      else if (name !== '') pods.set(name, state.join(' '));
    }
    return pods.size === PODS && [...pods.values()].every((state) => state === `${roll} True`);
  };
  await until('all new pods are ready, all old ones gone', over, { timeoutMs: 60_000, everyMs: 5 });
  return performance.now() - started;
}

export async function bench(report: Report): Promise<void> {
  const missing = missingRequirements(...CLUSTER_NEEDS);
  if (missing.length > 0) {
    process.stdout.write(`${missing.join('\n')}\n`);
    return;
  }
  await using cluster = await prepareCluster({ images: ['pause', 'busybox', 'behave'], others: 1 });
  const { registry, network } = cluster;
  const bareHost = network.hosts[1]!;
  writeCniConfiguration(bareHost, '10.250.0.0/24');
  const containerd = await startContainerd(bareHost, { registry });
  const client = criClientOf(containerd);
  await client.pullImage({ image: { image: IMAGE } });
  await cluster.start();
  await cluster.kubectl.apply(DEPLOYMENT);
  await cluster.kubectl.run('rollout status deployment/rolled --timeout=60s');
  await using proxy = cluster.kubectl.spawn(`proxy --port=${PROXY_PORT}`);
  await proxy.waitFor('Starting to serve');

  const start = (name: string) => runBarePod(client, containerd, { name, image: IMAGE, args: ['stay'] });
  const first = await start('first');
  let bare = [first, ...(await Promise.all(Array.from({ length: PODS - 1 }, (_, n) => start(`bare-${n}`))))];
  const bareMs: number[] = [];
  const rollMs: number[] = [];
  // The first of both finds caches cold.
  for (let n = 0; n <= ROLLS; n++) {
    const started = performance.now();
    bare = await rollBare(bare, (index) => start(`bare-${n}-${index}`));
    bareMs.push(performance.now() - started);
    rollMs.push(await roll(cluster, String(n + 1)));
  }
  const [bareRoll, rolled] = [median(bareMs.slice(1)), median(rollMs.slice(1))];
  report({ name: 'rollout: bare CRI, ten pods replaced', value: bareRoll, unit: 'ms' });
  report({ name: 'rollout: a Deployment of ten pods', value: rolled, unit: 'ms' });
  report({ name: 'rollout: against bare CRI', value: rolled / bareRoll, unit: '×', atMost: 1.3 });
  await Promise.all(bare.map((pod) => pod.remove()));
  await client.close();
}
