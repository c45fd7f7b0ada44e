import { decodeBase64, encodeBase64 } from '../../../libs/base/base64.ts';
import { SeededRandom } from '../../../libs/base/random.ts';
import { ProtobufSchema } from '../../../libs/grpc/protobuf.ts';
import {
  type ContainerConfig,
  type ContainerState,
  type Image,
  type PodSandboxConfig,
  SOURCE,
} from '../schema.generated.ts';
import type { ResourceUsage } from './image.ts';
import { MemoryLogFiles } from './log-files.ts';
import { type ContainerRecord, cpuNanosAt, owned, type SandboxRecord } from './records.ts';
import { SimulatedRuntime, type SimulatedRuntimeOptions } from './runtime.ts';

/**
 * A simulated runtime as JSON: what it holds, not what its functions are doing. When a runtime is made from it, the
 * functions of containers that ran are called anew, by the names of their images, with `restored` true. Calls that are
 * under way (pulls, starts) are not part of it: take a snapshot when nothing is.
 */
export interface RuntimeSnapshot {
  readonly format: 1;
  readonly podCidr: string;
  /** The state of the runtime's `SeededRandom`; absent for another source. */
  readonly random?: { readonly seed: string; readonly state: readonly [number, number, number, number] };
  readonly images: readonly Image[];
  readonly sandboxes: readonly {
    readonly id: string;
    /** `PodSandboxConfig` in protobuf, base64. */
    readonly config: string;
    readonly runtimeHandler: string;
    readonly createdNanos: string;
    readonly ip: string;
    readonly ready: boolean;
  }[];
  readonly containers: readonly {
    readonly id: string;
    readonly sandboxId: string;
    /** `ContainerConfig` in protobuf, base64. */
    readonly config: string;
    readonly imageId: string;
    readonly createdNanos: string;
    readonly state: ContainerState;
    readonly startedNanos: string;
    readonly finishedNanos: string;
    readonly exitCode: number;
    readonly reason: string;
    readonly usage: ResourceUsage;
    readonly cpuNanos: number;
    /** Until the container ends by itself. */
    readonly exitInMs?: number;
  }[];
  /** Path → content in base64, where the logs are the runtime's own. */
  readonly logs: Readonly<Record<string, string>>;
}

const SCHEMA = new ProtobufSchema(SOURCE);

export function takeSnapshot(runtime: SimulatedRuntime): RuntimeSnapshot {
  const now = runtime.clock.monotonic();
  const { random, logs } = runtime;
  return {
    format: 1,
    podCidr: runtime.podCidr,
    ...(random instanceof SeededRandom && { random: { seed: random.seed, state: random.state() } }),
    images: structuredClone([...runtime.local.values()]),
    sandboxes: [...runtime.sandboxes.values()].map((sandbox) => ({
      id: sandbox.id,
      config: encodeBase64(SCHEMA.encode('PodSandboxConfig', sandbox.config)),
      runtimeHandler: sandbox.runtimeHandler,
      createdNanos: String(sandbox.createdNanos),
      ip: sandbox.ip,
      ready: sandbox.ready,
    })),
    containers: [...runtime.containers.values()].map((record) => ({
      id: record.id,
      sandboxId: record.sandbox.id,
      config: encodeBase64(SCHEMA.encode('ContainerConfig', record.config)),
      imageId: record.imageId,
      createdNanos: String(record.createdNanos),
      state: record.state,
      startedNanos: String(record.startedNanos),
      finishedNanos: String(record.finishedNanos),
      exitCode: record.exitCode,
      reason: record.reason,
      usage: record.usage,
      cpuNanos: cpuNanosAt(record, now),
      ...(record.exitAtMs !== undefined && { exitInMs: Math.max(0, record.exitAtMs - now) }),
    })),
    logs:
      logs instanceof MemoryLogFiles
        ? Object.fromEntries(logs.entries().map(([path, bytes]) => [path, encodeBase64(bytes)]))
        : {},
  };
}

/**
 * A runtime that goes on where the snapshot was taken. `options` are those of the first one; its random source is put
 * into the state it had. Throws for a snapshot of another format.
 */
export function restoreSnapshot(snapshot: RuntimeSnapshot, options: SimulatedRuntimeOptions): SimulatedRuntime {
  if (snapshot.format !== 1)
    throw new Error(`a runtime snapshot of format ${String(snapshot.format)}; this version reads 1`);
  const random = snapshot.random ? new SeededRandom(snapshot.random.seed, snapshot.random.state) : options.random;
  const runtime = new SimulatedRuntime({ ...options, random, podCidr: snapshot.podCidr });
  for (const image of snapshot.images) runtime.local.set(image.id, structuredClone(image));
  if (runtime.logs instanceof MemoryLogFiles && !options.logs) {
    for (const [path, content] of Object.entries(snapshot.logs)) runtime.logs.append(path, bytesOf(content));
  }
  const sandboxes = new Map<string, SandboxRecord>();
  for (const { config, createdNanos, ...rest } of snapshot.sandboxes) {
    sandboxes.set(rest.id, {
      ...rest,
      config: owned(SCHEMA.decode('PodSandboxConfig', bytesOf(config)) as PodSandboxConfig),
      createdNanos: BigInt(createdNanos),
      containers: [],
    });
  }
  const now = options.clock.monotonic();
  const containers = snapshot.containers.map(({ sandboxId, exitInMs, ...rest }): ContainerRecord => {
    const sandbox = sandboxes.get(sandboxId);
    if (!sandbox) throw new Error(`the snapshot has a container in a sandbox that it does not have: ${sandboxId}`);
    return {
      ...rest,
      sandbox,
      config: owned(SCHEMA.decode('ContainerConfig', bytesOf(rest.config)) as ContainerConfig),
      createdNanos: BigInt(rest.createdNanos),
      startedNanos: BigInt(rest.startedNanos),
      finishedNanos: BigInt(rest.finishedNanos),
      usageSinceMs: now,
      exitAtMs: exitInMs === undefined ? undefined : now + exitInMs,
    };
  });
  runtime.restore([...sandboxes.values()], containers);
  return runtime;
}

function bytesOf(text: string): Uint8Array {
  const bytes = decodeBase64(text);
  if (!bytes) throw new Error('the snapshot is damaged: a part of it is not base64');
  return bytes;
}
