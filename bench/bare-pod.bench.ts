// What the container runtime alone takes for pods, by the fewest calls the CRI allows: the yardstick for the kubelet.
// Needs what tests/harness needs; without it there are no figures.

import process from 'node:process';
import { type BarePod, criClientOf, runBarePod } from '../tests/harness/bare-pod.ts';
import { startContainerd, writeCniConfiguration } from '../tests/harness/containerd.ts';
import { buildImages } from '../tests/harness/images.ts';
import { createNetwork } from '../tests/harness/namespace.ts';
import { startRegistry } from '../tests/harness/registry.ts';
import { missingRequirements } from '../tests/harness/requirements.ts';
import type { Report } from '../tools/bench/figure.ts';

const ONE_BY_ONE = 10;
const AT_ONCE = 50;
const IMAGE = 'docker.io/library/behave:latest';

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;

async function timed<T>(run: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now();
  const result = await run();
  return [result, performance.now() - started];
}

export async function bench(report: Report): Promise<void> {
  const missing = missingRequirements('root', 'containerd', 'images');
  if (missing.length > 0) {
    process.stdout.write(`${missing.join('\n')}\n`);
    return;
  }
  const store = await buildImages(['pause', 'busybox', 'behave']);
  const started = performance.now();
  await using network = await createNetwork({ hosts: 2 });
  await using registry = await startRegistry(store, network.hub);
  for (const [index, host] of network.hosts.entries()) writeCniConfiguration(host, `10.244.${index + 1}.0/24`);
  const [containerd] = await Promise.all(network.hosts.map((host) => startContainerd(host, { registry })));
  report({
    name: 'harness: two hosts, containerd, registry',
    value: performance.now() - started,
    unit: 'ms',
    atMost: 3_000,
  });
  const client = criClientOf(containerd!);
  await client.pullImage({ image: { image: IMAGE } });
  const start = (name: string): Promise<BarePod> =>
    runBarePod(client, containerd!, { name, image: IMAGE, args: ['stay'] });
  // The sandbox image comes with the first pod.
  await (await start('first')).remove();

  const starts: number[] = [];
  const removals: number[] = [];
  for (let n = 0; n < ONE_BY_ONE; n++) {
    const [pod, startMs] = await timed(() => start(`one-${n}`));
    const [, removeMs] = await timed(() => pod.remove());
    starts.push(startMs);
    removals.push(removeMs);
  }
  report({ name: 'bare CRI: one pod, cold, median of 10', value: median(starts), unit: 'ms' });
  report({ name: 'bare CRI: one pod removed, median of 10', value: median(removals), unit: 'ms' });

  const all = Array.from({ length: AT_ONCE }, (_, n) => `many-${n}`);
  const [pods, startMs] = await timed(() => Promise.all(all.map(start)));
  report({ name: 'bare CRI: 50 pods at once, all running', value: startMs, unit: 'ms' });
  const [, removeMs] = await timed(() => Promise.all(pods.map((pod) => pod.remove())));
  report({ name: 'bare CRI: 50 pods removed at once', value: removeMs, unit: 'ms' });
  await client.close();
}
