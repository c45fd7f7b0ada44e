import { onAbort } from '../../../libs/base/abort.ts';
import { type CallOptions, GrpcError } from '../../../libs/grpc/channel.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import { duplexPair, pump, readAll } from '../../../libs/streaming/channel.ts';
import type { PortForwarder } from '../../../libs/streaming/portforward.ts';
import { exitCodeOf, remoteCommandPair } from '../../../libs/streaming/remotecommand.ts';
import { type CriClient, CriError, toCriError } from '../cri.ts';
import { type Container, METHODS, type PodSandbox } from '../schema.generated.ts';
import { imageId, normalizeReference } from './image.ts';
import {
  type ContainerRecord,
  matchesLabels,
  owned,
  type SandboxRecord,
  toContainer,
  toContainerStats,
  toContainerStatus,
  toPodSandbox,
  toPodSandboxStats,
  toPodSandboxStatus,
} from './records.ts';
import type { SimulatedRuntime } from './runtime.ts';

/** What stands between a client and the runtime, for faults: it may wait, and throws to refuse a call. */
export type Intercept = (method: keyof CriClient, request: unknown) => Promise<void> | void;

/** A runtime keeps so much of what a command in `execSync` says. */
const EXEC_BYTES_MAX = 16 * 1024 * 1024;
const RUNTIME_VERSIONS = { 1: '1.6.20-simulated', 2: '2.1.9-simulated' } as const;

/** A client of a simulated runtime, as `connectCri` gives one of a real runtime. */
export function simulatedCriClient(runtime: SimulatedRuntime, intercept: Intercept = () => {}): CriClient {
  const closed = new AbortController();
  const methods = simulatedMethods(runtime);
  const guarded: Record<string, unknown> = {
    async close() {
      closed.abort(new CriError('close', 'CANCELLED', 'the client was closed'));
    },
  };
  for (const name of Object.keys(METHODS) as (keyof typeof METHODS)[]) {
    const method = methods[name] as ((request: object) => unknown) | undefined;
    guarded[name] = METHODS[name].streamed
      ? (request: object, options: CallOptions = {}) =>
          events(runtime, name, request, options, closed.signal, intercept)
      : async (request: object, options: CallOptions = {}) => {
          const answer = () => {
            if (method) return method(request);
            throw new CriError(name, 'UNIMPLEMENTED', `unknown method ${name} for service runtime.v1.RuntimeService`);
          };
          try {
            if (closed.signal.aborted) throw closed.signal.reason;
            if (options.signal?.aborted) throw cancelled(options.signal);
            const held = intercept(name, request);
            const work = held ? held.then(answer) : answer();
            // What is known at once is in time.
            return work instanceof Promise ? await inTime(runtime, name, options, closed.signal, work) : work;
          } catch (error) {
            throw toCriError(name, error);
          }
        };
  }
  return guarded as unknown as CriClient;
}

const cancelled = ({ reason }: AbortSignal) => new GrpcError('CANCELLED', 'the call was cancelled', { cause: reason });

/** `work`, until the deadline, the caller or the client ends it. What the runtime does in it goes on. */
function inTime<T>(
  runtime: SimulatedRuntime,
  method: string,
  options: CallOptions,
  closed: AbortSignal,
  work: Promise<T>,
): Promise<T> {
  const { signal, timeoutMs } = options;
  return new Promise((resolve, reject) => {
    const late = () => reject(new CriError(method, 'DEADLINE_EXCEEDED', `no answer within ${timeoutMs} ms`));
    const timer = timeoutMs === undefined ? undefined : runtime.clock.setTimer(late, timeoutMs);
    const ends = [
      onAbort(closed, () => reject(closed.reason)),
      signal && onAbort(signal, () => reject(cancelled(signal))),
    ];
    const over = () => {
      timer?.cancel();
      for (const end of ends) end?.();
    };
    work.then(
      (answer) => {
        over();
        resolve(answer);
      },
      (error: unknown) => {
        over();
        reject(error);
      },
    );
  });
}

async function* events(
  runtime: SimulatedRuntime,
  method: keyof typeof METHODS,
  request: object,
  options: CallOptions,
  closed: AbortSignal,
  intercept: Intercept,
) {
  await intercept(method, request);
  if (method !== 'getContainerEvents' || runtime.generation === 1) {
    throw new CriError(method, 'UNIMPLEMENTED', `unknown method ${method} for service runtime.v1.RuntimeService`);
  }
  const queue = runtime.watch();
  const stop = () => runtime.unwatch(queue);
  closed.addEventListener('abort', stop);
  options.signal?.addEventListener('abort', stop);
  try {
    if (closed.aborted || options.signal?.aborted) stop();
    for (let event = await queue.take(); event; event = await queue.take()) yield event;
    const given = closed.aborted || options.signal?.aborted;
    throw new CriError(
      method,
      given ? 'CANCELLED' : 'UNAVAILABLE',
      given ? 'the call was cancelled' : 'the events broke off',
    );
  } finally {
    stop();
    closed.removeEventListener('abort', stop);
    options.signal?.removeEventListener('abort', stop);
  }
}

/** What takes no time answers at once. */
type Methods = {
  readonly [Name in keyof Omit<CriClient, 'close'>]: CriClient[Name] extends (
    request: infer Request,
    ...options: infer _Options
  ) => Promise<infer Answer>
    ? (request: Request) => Answer | Promise<Answer>
    : CriClient[Name];
};

/** The calls themselves. What is not here the runtime does not have, as containerd has not either. */
function simulatedMethods(runtime: SimulatedRuntime): Partial<Methods> {
  const sandbox = (method: string, id: string | undefined): SandboxRecord => {
    const record = runtime.sandboxes.get(id ?? '');
    if (!record)
      throw new CriError(method, 'NOT_FOUND', `an error occurred when try to find sandbox: sandbox "${id}" not found`);
    return record;
  };
  const container = (method: string, id: string | undefined): ContainerRecord => {
    const record = runtime.containers.get(id ?? '');
    if (!record)
      throw new CriError(method, 'NOT_FOUND', `an error occurred when try to find container "${id}": not found`);
    return record;
  };
  const now = () => [runtime.clock.monotonic(), runtime.nowNanos()] as const;
  const isModern = runtime.generation === 2;

  return {
    version: () => ({
      version: '0.1.0',
      runtimeName: 'containerd',
      runtimeVersion: RUNTIME_VERSIONS[runtime.generation],
      runtimeApiVersion: 'v1',
    }),
    status: () => ({
      status: { conditions: runtime.conditions() },
      info: {},
      runtimeHandlers: isModern
        ? [{ name: '', features: { recursiveReadOnlyMounts: true, userNamespaces: true } }]
        : [],
      ...(isModern && { features: { supplementalGroupsPolicy: true, userNamespacesHostNetwork: false } }),
    }),
    ...(isModern && { runtimeConfig: () => ({ linux: { cgroupDriver: 'CGROUPFS' as const } }) }),
    updateRuntimeConfig: ({ runtimeConfig }) => {
      runtime.setPodCidr(runtimeConfig?.networkConfig?.podCidr ?? '');
      return {};
    },

    runPodSandbox: ({ config = {}, runtimeHandler = '' }) => ({
      podSandboxId: runtime.runSandbox(config, runtimeHandler).id,
    }),
    stopPodSandbox: async ({ podSandboxId }) => {
      const record = runtime.sandboxes.get(podSandboxId ?? '');
      if (record) await runtime.stopSandbox(record);
      return {};
    },
    removePodSandbox: async ({ podSandboxId }) => {
      const record = runtime.sandboxes.get(podSandboxId ?? '');
      if (record) await runtime.removeSandbox(record);
      return {};
    },
    podSandboxStatus: ({ podSandboxId }) => {
      const record = sandbox('podSandboxStatus', podSandboxId);
      return {
        status: toPodSandboxStatus(record),
        info: {},
        containersStatuses: isModern ? record.containers.map(toContainerStatus) : [],
        timestamp: runtime.nowNanos(),
      };
    },
    listPodSandbox: ({ filter }) => {
      const items: PodSandbox[] = [];
      for (const s of runtime.sandboxes.values()) {
        if (filter?.id && !s.id.startsWith(filter.id)) continue;
        if (filter?.state && s.ready !== ((filter.state.state ?? 'SANDBOX_READY') === 'SANDBOX_READY')) continue;
        if (matchesLabels(s.config.labels, filter?.labelSelector)) items.push(toPodSandbox(s));
      }
      return { items };
    },

    createContainer: ({ podSandboxId, config = {} }) => ({
      containerId: runtime.createContainer(sandbox('createContainer', podSandboxId), config).id,
    }),
    startContainer: async ({ containerId }) => {
      await runtime.startContainer(container('startContainer', containerId));
      return {};
    },
    stopContainer: async ({ containerId, timeout = 0 }) => {
      const record = runtime.containers.get(containerId ?? '');
      if (record) await runtime.stopContainer(record, timeout * 1000);
      return {};
    },
    removeContainer: async ({ containerId }) => {
      const record = runtime.containers.get(containerId ?? '');
      if (record) await runtime.removeContainer(record);
      return {};
    },
    containerStatus: ({ containerId }) => ({
      status: toContainerStatus(container('containerStatus', containerId)),
      info: {},
    }),
    listContainers: ({ filter }) => {
      const containers: Container[] = [];
      for (const c of runtime.containers.values()) {
        if (filter?.id && !c.id.startsWith(filter.id)) continue;
        if (filter?.podSandboxId && c.sandbox.id !== filter.podSandboxId) continue;
        if (filter?.state && c.state !== (filter.state.state ?? 'CONTAINER_CREATED')) continue;
        if (matchesLabels(c.config.labels, filter?.labelSelector)) containers.push(toContainer(c));
      }
      return { containers };
    },
    updateContainerResources: ({ containerId, linux }) => {
      const record = container('updateContainerResources', containerId);
      const { config } = record;
      const resources = { ...config.linux?.resources, ...linux };
      record.config = owned({ ...config, linux: { ...config.linux, resources } });
      return {};
    },
    ...(isModern && {
      updatePodSandboxResources: ({ podSandboxId }) => {
        sandbox('updatePodSandboxResources', podSandboxId);
        return {};
      },
    }),
    reopenContainerLog: ({ containerId }) => {
      // Logs are written by their path, so that after a rename the next line makes a new file.
      runtime.processOf(container('reopenContainerLog', containerId), 'reopenContainerLog');
      return {};
    },

    execSync: async ({ containerId, cmd = [], timeout = 0 }) =>
      execSync(runtime, container('execSync', containerId), cmd, timeout * 1000),
    exec: async ({ containerId, cmd = [], tty = false, stdin = false, stdout = false, stderr = false }) => {
      const process = runtime.processOf(container('exec', containerId), 'exec');
      const [streams, session] = remoteCommandPair({ stdin, stdout, stderr, tty });
      void process.exec(session, cmd, tty);
      return streams;
    },
    attach: async ({ containerId, tty = false, stdin = false, stdout = false, stderr = false }) => {
      const process = runtime.processOf(container('attach', containerId), 'attach');
      const [streams, session] = remoteCommandPair({ stdin, stdout, stderr, tty });
      process.attach(session);
      return streams;
    },
    portForward: async ({ podSandboxId }) => forwarder(runtime, sandbox('portForward', podSandboxId)),

    containerStats: ({ containerId }) => ({
      stats: toContainerStats(container('containerStats', containerId), ...now()),
    }),
    listContainerStats: ({ filter }) => ({
      stats: [...runtime.containers.values()]
        .filter(
          (c) => (!filter?.id || c.id === filter.id) && (!filter?.podSandboxId || c.sandbox.id === filter.podSandboxId),
        )
        .filter((c) => matchesLabels(c.config.labels, filter?.labelSelector))
        .map((c) => toContainerStats(c, ...now())),
    }),
    podSandboxStats: ({ podSandboxId }) => {
      const record = sandbox('podSandboxStats', podSandboxId);
      return { stats: toPodSandboxStats(record, record.containers, ...now()) };
    },
    listPodSandboxStats: ({ filter }) => ({
      stats: [...runtime.sandboxes.values()]
        .filter((s) => (!filter?.id || s.id === filter.id) && matchesLabels(s.config.labels, filter?.labelSelector))
        .map((s) => toPodSandboxStats(s, s.containers, ...now())),
    }),

    pullImage: async ({ image }) => ({ imageRef: await runtime.pullImage(image?.image ?? '') }),
    imageStatus: ({ image }) => {
      const found = runtime.findImage(image?.image ?? '');
      return { info: {}, ...(found && { image: copyValue(found) }) };
    },
    listImages: ({ filter }) => {
      const name = filter?.image?.image;
      const all = name ? [runtime.findImage(name)].filter((image) => image !== undefined) : [...runtime.local.values()];
      return { images: copyValue(all) };
    },
    removeImage: ({ image }) => {
      const reference = image?.image ?? '';
      runtime.local.delete(runtime.findImage(reference)?.id ?? imageId(normalizeReference(reference)));
      return {};
    },
    imageFsInfo: () => {
      const used = [...runtime.local.values()].reduce((sum, image) => sum + image.size, 0);
      const usage = (mountpoint: string, usedBytes: number, inodesUsed: number) => ({
        timestamp: runtime.nowNanos(),
        fsId: { mountpoint },
        usedBytes: { value: usedBytes },
        inodesUsed: { value: inodesUsed },
      });
      return { imageFilesystems: [usage('/var/lib/containerd', used, runtime.local.size)], containerFilesystems: [] };
    },
  };
}

async function execSync(
  runtime: SimulatedRuntime,
  record: ContainerRecord,
  command: readonly string[],
  timeoutMs: number,
) {
  const process = runtime.processOf(record, 'execSync');
  const [streams, session] = remoteCommandPair({ stdout: true, stderr: true });
  void process.exec(session, command, false);
  let late = false;
  const timer =
    timeoutMs === 0
      ? undefined
      : runtime.clock.setTimer(() => {
          late = true;
          streams.close();
        }, timeoutMs);
  try {
    const read = (source: typeof streams.stdout) => (source ? readAll(source, EXEC_BYTES_MAX) : new Uint8Array(0));
    const [stdout, stderr, status] = await Promise.all([read(streams.stdout), read(streams.stderr), streams.status]);
    return { stdout, stderr, exitCode: exitCodeOf(status) ?? 1 };
  } catch (error) {
    if (!late) throw error;
    throw new CriError(
      'execSync',
      'DEADLINE_EXCEEDED',
      `failed to exec in container: timeout ${timeoutMs / 1000}s exceeded: context deadline exceeded`,
    );
  } finally {
    timer?.cancel();
  }
}

/** Connections go to what listens on the pod's address. */
function forwarder(runtime: SimulatedRuntime, sandbox: SandboxRecord): PortForwarder {
  const closed = Promise.withResolvers<void>();
  const open = new Set<(reason?: Error) => void>();
  return {
    async connect(port) {
      const [near, far] = duplexPair();
      try {
        if (!sandbox.ready) throw new Error(`sandbox container "${sandbox.id}" is not running`);
        const there = runtime.network.connect(sandbox.ip || runtime.nodeIp, port);
        const done = Promise.all([pump(far.source, there.sink), pump(there.source, far.sink)]);
        open.add(near.destroy);
        const error = done.then(
          () => undefined,
          () => undefined,
        );
        void error.then(() => open.delete(near.destroy));
        return { data: near, error };
      } catch (cause) {
        far.destroy();
        return { data: near, error: Promise.resolve((cause as Error).message) };
      }
    },
    close(reason) {
      for (const destroy of open) destroy(reason);
      closed.resolve();
    },
    closed: closed.promise,
  };
}
