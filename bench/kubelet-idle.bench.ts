// What a hundred pods that do nothing cost the process that looks after them: API server and kubelet together, against
// the same process without pods.

import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { pods } from '../api/resources.ts';
import type { Pod } from '../api/types/core/v1.generated.ts';
import { startControlPlane } from '../tests/fixtures/control-plane.ts';
import { startKubeletOn } from '../tests/fixtures/kubelet.ts';
import { startContainerd, writeCniConfiguration } from '../tests/harness/containerd.ts';
import { hostOf } from '../tests/harness/host.ts';
import { buildImages } from '../tests/harness/images.ts';
import { createNetwork } from '../tests/harness/namespace.ts';
import { startRegistry } from '../tests/harness/registry.ts';
import { missingRequirements } from '../tests/harness/requirements.ts';
import type { Report } from '../tools/bench/figure.ts';

const PODS = 100;
const WATCHED_MS = 40_000;
const IMAGE = 'docker.io/library/behave:latest';

const sleep = (delayMs: number) => new Promise((resolve) => setTimeout(resolve, delayMs));

/** Share of a core over a while, and resident bytes once nothing is left to collect. */
async function usage(collect: () => void): Promise<{ cpuPercent: number; bytes: number }> {
  collect();
  await sleep(1_000);
  collect();
  const bytes = process.memoryUsage().rss;
  const [begun, before] = [performance.now(), process.cpuUsage()];
  await sleep(WATCHED_MS);
  const { user, system } = process.cpuUsage(before);
  return { cpuPercent: (user + system) / 10 / (performance.now() - begun), bytes };
}

export async function bench(report: Report): Promise<void> {
  const missing = missingRequirements('root', 'containerd', 'images');
  if (missing.length > 0) {
    process.stdout.write(`${missing.join('\n')}\n`);
    return;
  }
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const store = await buildImages(['pause', 'busybox', 'behave']);
  await using network = await createNetwork({ hosts: 1 });
  await using registry = await startRegistry(store, network.hub);
  const [host] = network.hosts;
  writeCniConfiguration(host!, '10.244.1.0/24');
  const containerd = await startContainerd(host!, { registry });
  await using cluster = await startControlPlane({ sockets: hostOf(host!).sockets });
  await using fixture = await startKubeletOn(containerd, cluster, {
    nodeName: 'node-1',
    config: { maxPods: PODS + 10 },
  });
  const inDefault = cluster.client.resource(pods).namespace('default');
  const run = async (name: string) => {
    await inDefault.create({
      metadata: { name },
      spec: {
        nodeName: 'node-1',
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image: IMAGE, imagePullPolicy: 'IfNotPresent', args: ['stay'] }],
      },
    } as Pod);
    while ((await inDefault.get(name)).status?.phase !== 'Running') await sleep(50);
  };
  // Once, so that what is loaded at first use is not counted.
  await run('warm');
  await inDefault.delete('warm', { gracePeriodSeconds: 0 });
  // What was compiled and collected for a start is not what rest costs.
  await sleep(15_000);
  const before = await usage(collect);
  for (let n = 0; n < PODS; n += 10) await Promise.all(Array.from({ length: 10 }, (_, i) => run(`idle-${n + i}`)));
  await sleep(15_000);
  const after = await usage(collect);
  report({ name: 'kubelet: CPU without pods', value: before.cpuPercent, unit: '% of a core' });
  report({
    name: 'kubelet: CPU for 100 idle pods',
    value: after.cpuPercent - before.cpuPercent,
    unit: '% of a core',
    atMost: 1,
  });
  report({
    name: 'kubelet: memory for 100 idle pods',
    value: (after.bytes - before.bytes) / 1e6,
    unit: 'MB',
    atMost: 40,
  });
  await inDefault.deleteCollection({}, { gracePeriodSeconds: 0 });
  while (fixture.kubelet.pods().length > 0) await sleep(100);
}
