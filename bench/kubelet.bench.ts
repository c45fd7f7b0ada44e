// Pods through the API and the kubelet, against the same pods by bare calls of the CRI, in one run.
// Needs what tests/harness needs; without it there are no figures.

import process from 'node:process';
import { pods } from '../api/resources.ts';
import type { Pod } from '../api/types/core/v1.generated.ts';
import { startControlPlane } from '../tests/fixtures/control-plane.ts';
import { startKubeletOn } from '../tests/fixtures/kubelet.ts';
import { type BarePod, criClientOf, runBarePod } from '../tests/harness/bare-pod.ts';
import { startContainerd, writeCniConfiguration } from '../tests/harness/containerd.ts';
import { hostOf } from '../tests/harness/host.ts';
import { buildImages } from '../tests/harness/images.ts';
import { createNetwork } from '../tests/harness/namespace.ts';
import { startRegistry } from '../tests/harness/registry.ts';
import { missingRequirements } from '../tests/harness/requirements.ts';
import type { Report } from '../tools/bench/figure.ts';

const ONE_BY_ONE = 10;
const AT_ONCE = 50;
const IMAGE = 'docker.io/library/behave:latest';
const NODE = 'node-1';

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;

async function timed<T>(run: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now();
  const result = await run();
  return [result, performance.now() - started];
}

const isReady = (pod: { readonly status?: { readonly conditions?: readonly { type: string; status: string }[] } }) =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;

export async function bench(report: Report): Promise<void> {
  const missing = missingRequirements('root', 'containerd', 'images');
  if (missing.length > 0) {
    process.stdout.write(`${missing.join('\n')}\n`);
    return;
  }
  const store = await buildImages(['pause', 'busybox', 'behave']);
  await using network = await createNetwork({ hosts: 1 });
  await using registry = await startRegistry(store, network.hub);
  const [host] = network.hosts;
  writeCniConfiguration(host!, '10.244.1.0/24');
  const containerd = await startContainerd(host!, { registry });
  const client = criClientOf(containerd);
  await client.pullImage({ image: { image: IMAGE } });
  const bare = (name: string): Promise<BarePod> =>
    runBarePod(client, containerd, { name, image: IMAGE, args: ['stay'] });
  await (await bare('first')).remove();

  await using cluster = await startControlPlane({ sockets: hostOf(host!).sockets });
  await using fixture = await startKubeletOn(containerd, cluster, { nodeName: NODE });
  const inDefault = cluster.client.resource(pods).namespace('default');
  const create = (name: string) =>
    inDefault.create({
      metadata: { name },
      spec: {
        nodeName: NODE,
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image: IMAGE, imagePullPolicy: 'IfNotPresent', args: ['stay'] }],
      },
    } as Pod);

  // Readiness as a client of the API sees it: by a watch.
  const ready = new Map<string, () => void>();
  const stop = new AbortController();
  const watching = (async () => {
    for await (const event of inDefault.watch({ signal: stop.signal })) {
      if (event.type === 'MODIFIED' && isReady(event.object)) ready.get(event.object.metadata.name)?.();
    }
  })().catch(() => {});
  const run = (name: string) =>
    new Promise<void>((resolve, reject) => {
      ready.set(name, resolve);
      create(name).catch(reject);
    });
  /** Gone from the node: nothing of it is left in the runtime, its cgroup and its folders. */
  const remove = async (name: string) => {
    await inDefault.delete(name, { gracePeriodSeconds: 0 });
    // Not too often: fifty of these must not cost what they measure.
    while (fixture.kubelet.workerOf('default', name)) await new Promise((resolve) => setTimeout(resolve, 3));
  };
  await run('warm');
  await remove('warm');

  const figures = {
    bareStart: [] as number[],
    bareRemove: [] as number[],
    start: [] as number[],
    remove: [] as number[],
  };
  for (let n = 0; n < ONE_BY_ONE; n++) {
    const [pod, bareStartMs] = await timed(() => bare(`bare-${n}`));
    figures.bareStart.push(bareStartMs);
    figures.bareRemove.push((await timed(() => pod.remove()))[1]);
    figures.start.push((await timed(() => run(`one-${n}`)))[1]);
    figures.remove.push((await timed(() => remove(`one-${n}`)))[1]);
  }
  const [bareStart, start] = [median(figures.bareStart), median(figures.start)];
  const [bareRemove, removed] = [median(figures.bareRemove), median(figures.remove)];
  report({ name: 'kubelet: bare CRI, one pod, median of 10', value: bareStart, unit: 'ms' });
  report({ name: 'kubelet: one pod, create to Ready, median of 10', value: start, unit: 'ms', atMost: 300 });
  report({ name: 'kubelet: one pod, against bare CRI', value: start / bareStart, unit: '×', atMost: 1.3 });
  report({ name: 'kubelet: bare CRI, one pod removed', value: bareRemove, unit: 'ms' });
  report({ name: 'kubelet: deleted with grace 0, gone from the node', value: removed, unit: 'ms' });
  report({ name: 'kubelet: deleted, against bare CRI', value: removed / bareRemove, unit: '×', atMost: 1.3 });

  const all = Array.from({ length: AT_ONCE }, (_, n) => `many-${n}`);
  const [barePods, bareAllMs] = await timed(() => Promise.all(all.map(bare)));
  const [, bareGoneMs] = await timed(() => Promise.all(barePods.map((pod) => pod.remove())));
  const [, allMs] = await timed(() => Promise.all(all.map(run)));
  const [, goneMs] = await timed(() => Promise.all(all.map(remove)));
  report({ name: 'kubelet: bare CRI, 50 pods at once', value: bareAllMs, unit: 'ms' });
  report({ name: 'kubelet: 50 pods at once, all Ready', value: allMs, unit: 'ms' });
  report({ name: 'kubelet: 50 pods, against bare CRI', value: allMs / bareAllMs, unit: '×', atMost: 1.3 });
  report({ name: 'kubelet: bare CRI, 50 pods removed at once', value: bareGoneMs, unit: 'ms' });
  report({ name: 'kubelet: 50 pods deleted at once', value: goneMs, unit: 'ms' });
  report({ name: 'kubelet: 50 deleted, against bare CRI', value: goneMs / bareGoneMs, unit: '×', atMost: 1.3 });
  stop.abort();
  await watching;
  await client.close();
}
