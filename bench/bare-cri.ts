// The yardstick of the kubelet: what a pod costs when nothing stands between the clock and the container runtime.

import { performance } from 'node:perf_hooks';
import type { CriClient } from '../node/cri/cri.ts';

export interface BarePods {
  readonly client: CriClient;
  /** Pulled before. */
  readonly image: string;
  readonly args: readonly string[];
  /** Below it every pod gets a cgroup of its own. */
  readonly cgroupParent: string;
}

/** A pod of one container, from RunPodSandbox until its container runs. */
export async function startBarePod(pods: BarePods, name: string): Promise<string> {
  const { client, image, args } = pods;
  const config = {
    metadata: { name, namespace: 'bench', uid: `uid-${name}`, attempt: 0 },
    hostname: name,
    logDirectory: `/var/log/pods/bench_${name}_uid-${name}`,
    linux: { cgroupParent: `${pods.cgroupParent}/${name}` },
  };
  const { podSandboxId } = await client.runPodSandbox({ config });
  const { containerId } = await client.createContainer({
    podSandboxId,
    config: { metadata: { name: 'main', attempt: 0 }, image: { image }, args, logPath: 'main/0.log', linux: {} },
    sandboxConfig: config,
  });
  await client.startContainer({ containerId });
  return podSandboxId;
}

/** Ends a pod without grace, until nothing of it is left. */
export async function removeBarePod({ client }: BarePods, podSandboxId: string): Promise<void> {
  await client.stopPodSandbox({ podSandboxId });
  await client.removePodSandbox({ podSandboxId });
}

export interface BareFigures {
  /** Milliseconds of each pod, one after the other. */
  readonly startMs: readonly number[];
  readonly removeMs: readonly number[];
  /** Milliseconds until the last of all pods that were started, and then removed, at once. */
  readonly startAllMs: number;
  readonly removeAllMs: number;
}

export async function measureBarePods(
  pods: BarePods,
  options: { alone: number; atOnce: number },
): Promise<BareFigures> {
  const startMs: number[] = [];
  const removeMs: number[] = [];
  // The first finds caches cold; users meet it once.
  await removeBarePod(pods, await startBarePod(pods, 'warm'));
  for (let i = 0; i < options.alone; i++) {
    const started = performance.now();
    const id = await startBarePod(pods, `alone-${i}`);
    const running = performance.now();
    await removeBarePod(pods, id);
    startMs.push(running - started);
    removeMs.push(performance.now() - running);
  }
  const started = performance.now();
  const ids = await Promise.all(Array.from({ length: options.atOnce }, (_, i) => startBarePod(pods, `many-${i}`)));
  const running = performance.now();
  await Promise.all(ids.map((id) => removeBarePod(pods, id)));
  return { startMs, removeMs, startAllMs: running - started, removeAllMs: performance.now() - running };
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
