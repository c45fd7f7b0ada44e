import { SeededRandom } from '../../../libs/base/random.ts';
import type { Image } from '../schema.generated.ts';
import { MemoryLogFiles } from './log-files.ts';
import { type ContainerRecord, cpuNanosAt, type SandboxRecord } from './records.ts';
import { SimulatedRuntime, type SimulatedRuntimeOptions } from './runtime.ts';

/**
 * What a simulated runtime holds, not what its functions are doing. When a runtime is made from it, the functions of
 * containers that ran are called anew, by the names of their images, with `restored` true. Calls that are under way (pulls,
 * starts) are not part of it: take a snapshot when nothing is.
 *
 * It is never changed, and as many runtimes may be made from it as are wanted: what is large in it (configurations, images)
 * is frozen, and all of them share it.
 */
export interface RuntimeSnapshot {
  readonly podCidr: string;
  /** The state of the runtime's `SeededRandom`; absent for another source. */
  readonly random?: { readonly seed: string; readonly state: readonly [number, number, number, number] };
  readonly images: readonly Image[];
  readonly sandboxes: readonly SandboxState[];
  readonly containers: readonly ContainerState[];
  /** By path, where the logs are the runtime's own. */
  readonly logs: readonly (readonly [path: string, content: Uint8Array])[];
}

type SandboxState = Readonly<Omit<SandboxRecord, 'containers' | 'told'>>;

type ContainerState = Readonly<Omit<ContainerRecord, 'sandbox' | 'usageSinceMs' | 'exitAtMs' | 'told'>> & {
  readonly sandboxId: string;
  /** Until the container ends by itself. */
  readonly exitInMs: number | undefined;
};

export function takeSnapshot(runtime: SimulatedRuntime): RuntimeSnapshot {
  const nowMs = runtime.clock.monotonic();
  const { random, logs } = runtime;
  return {
    podCidr: runtime.podCidr,
    ...(random instanceof SeededRandom && { random: { seed: random.seed, state: random.state() } }),
    images: [...runtime.local.values()],
    sandboxes: [...runtime.sandboxes.values()].map(({ containers: _, told, ...state }) => state),
    containers: [...runtime.containers.values()].map(({ sandbox, usageSinceMs, exitAtMs, told, ...state }) => ({
      ...state,
      sandboxId: sandbox.id,
      cpuNanos: cpuNanosAt({ ...state, usageSinceMs }, nowMs),
      exitInMs: exitAtMs === undefined ? undefined : Math.max(0, exitAtMs - nowMs),
    })),
    logs: logs instanceof MemoryLogFiles ? logs.entries() : [],
  };
}

/**
 * A runtime that goes on where the snapshot was taken. `options` are those of the first one; its random source is put
 * into the state it had.
 */
export function restoreSnapshot(snapshot: RuntimeSnapshot, options: SimulatedRuntimeOptions): SimulatedRuntime {
  const random = snapshot.random ? new SeededRandom(snapshot.random.seed, snapshot.random.state) : options.random;
  const runtime = new SimulatedRuntime({ ...options, random, podCidr: snapshot.podCidr });
  for (const image of snapshot.images) runtime.local.set(image.id, image);
  if (runtime.logs instanceof MemoryLogFiles && !options.logs) {
    for (const [path, content] of snapshot.logs) runtime.logs.append(path, content);
  }
  const sandboxes = new Map<string, SandboxRecord>();
  for (const state of snapshot.sandboxes) sandboxes.set(state.id, { ...state, containers: [] });
  const nowMs = options.clock.monotonic();
  const containers = snapshot.containers.map(({ sandboxId, exitInMs, ...state }): ContainerRecord => {
    const sandbox = sandboxes.get(sandboxId);
    if (!sandbox) throw new Error(`the snapshot has a container in a sandbox that it does not have: ${sandboxId}`);
    return { ...state, sandbox, usageSinceMs: nowMs, exitAtMs: exitInMs === undefined ? undefined : nowMs + exitInMs };
  });
  runtime.restore([...sandboxes.values()], containers);
  return runtime;
}
