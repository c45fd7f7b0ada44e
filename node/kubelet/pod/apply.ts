import type { Input } from '../../../libs/grpc/protobuf.ts';
import type { ApiObject, Live } from '../../../libs/kind/object.ts';
import { hostPortsOf } from '../../cni/host-ports.ts';
import { isCode } from '../../cri/cri.ts';
import { legacyLogLink } from '../../cri/logs.ts';
import type { Mount, UserNamespace } from '../../cri/schema.generated.ts';
import { containerConfig } from '../containers/container-config.ts';
import { parseResolvConf, podResolver } from '../containers/dns.ts';
import { buildEnv, envReferences } from '../containers/env.ts';
import { parseEnvFile } from '../containers/env-file.ts';
import { ConfigError, StartError } from '../containers/errors.ts';
import type { FieldSource } from '../containers/fields.ts';
import { hostsFile } from '../containers/hostname.ts';
import { sandboxConfig } from '../containers/sandbox-config.ts';
import type { KubeletEnvironment } from '../environment.ts';
import type { PullEvent } from '../images/puller.ts';
import { type HookContext, runHook } from '../lifecycle/hooks.ts';
import { readInVolume, volumeMounts } from '../volumes/mounts.ts';
import type { PreparedVolume } from '../volumes/volumes.ts';
import {
  containerFieldPath,
  describePod,
  findContainer,
  type NodePod,
  nameOf,
  namespaceOf,
  type PodContainer,
  uidOf,
} from './objects.ts';
import type { PodAction } from './plan.ts';
import type { ObservedContainer, ObservedSandbox } from './state.ts';

/** One pod's hands: what its worker decides is done here, call by call. */
export class PodApplier {
  readonly #env: KubeletEnvironment;
  #volumes: Map<string, PreparedVolume> | undefined;
  #userNamespace: Input<UserNamespace> | undefined;

  constructor(env: KubeletEnvironment) {
    this.#env = env;
  }

  fieldSource(pod: NodePod, ips: readonly string[]): FieldSource {
    const hostIps = this.#env.hostIps();
    const podIps = pod.spec?.hostNetwork ? hostIps : ips;
    return { pod, podIps, hostIps, allocatable: this.#env.allocatable() };
  }

  /** Makes the volumes, or brings them up to date. */
  async prepareVolumes(pod: NodePod, ips: readonly string[]): Promise<Map<string, PreparedVolume>> {
    this.#volumes = await this.#env.volumes.prepare(pod, this.fieldSource(pod, ips));
    return this.#volumes;
  }

  /** Cgroup, folders, volumes, sandbox; gives its id. Rejects with a `VolumeError`, a `CriError` or the system's error. */
  async createSandbox(pod: NodePod, attempt: number): Promise<string> {
    const { config, cgroups, cri, host } = this.#env;
    const resolver = podResolver(
      pod,
      { servers: config.clusterDNS, domain: config.clusterDomain },
      parseResolvConf((await host.files.readTextIfExists(config.resolvConf)) ?? ''),
    );
    const runtimeHandler = await this.#runtimeHandler(pod);
    this.#userNamespace = await this.#env.userNamespaces.of(pod, runtimeHandler);
    const sandbox = sandboxConfig(pod, {
      userNamespace: this.#userNamespace,
      attempt,
      podLogsDirectory: config.podLogsDirectory,
      resolver,
      clusterDomain: config.clusterDomain,
      cgroupParent: cgroups.parentOf(pod),
      seccompRoot: `${config.rootDirectory}/seccomp`,
    });
    await Promise.all([
      cgroups.create(pod),
      host.files.makeDirectory(sandbox.logDirectory as string, { mode: 0o755 }),
      host.files.makeDirectory(this.#env.volumes.podDirectory(uidOf(pod)), { mode: 0o750 }),
      this.prepareVolumes(pod, []),
    ]);
    const handler = runtimeHandler !== '' && { runtimeHandler };
    return (await cri.runPodSandbox({ config: sandbox, ...handler })).podSandboxId;
  }

  /** Leads the node's ports into the sandbox, as CNI's plugins do for a network that is not ours. Rejects where nft does. */
  async openHostPorts(pod: NodePod, sandbox: ObservedSandbox | undefined): Promise<void> {
    const { hostPorts } = this.#env;
    if (!hostPorts || pod.spec?.hostNetwork) return;
    const ports = (pod.spec?.containers ?? []).flatMap((one) => one.ports ?? []);
    await hostPorts.set(uidOf(pod), sandbox?.ready ? hostPortsOf(ports, sandbox.ips) : []);
  }

  /** Image, configuration, container, post-start hook. Rejects with `StartError`; gives up when `signal` fires. */
  async startContainer(
    pod: NodePod,
    sandbox: ObservedSandbox,
    action: Extract<PodAction, { type: 'startContainer' }>,
    options: {
      readonly signal: AbortSignal;
      readonly observed: readonly ObservedContainer[];
      /** The container runs; its hook may not have ended. */
      readonly running: (id: string) => void;
    },
  ): Promise<void> {
    const { cri, puller, keys, nodeMemoryBytes, config } = this.#env;
    const container = findContainer(pod, action.name)?.container;
    if (!container) return;
    const tell = (type: 'Normal' | 'Warning', reason: string, message: string) =>
      this.#tell(pod, container.name, type, reason, message);
    const { imageRef, image } = await puller.ensure(container, await this.#pullSecrets(pod), tell, options.signal);
    options.signal.throwIfAborted();

    const target = container.targetContainerName;
    const targetId = target
      ? options.observed.find(({ name, state }) => name === target && state === 'running')?.id
      : undefined;
    const images = await this.#volumeImages(pod, container, tell, options.signal);
    const { imageVolumes } = this.#env.metrics;
    // After a restart of the kubelet the sandbox was made by another.
    this.#userNamespace ??= await this.#env.userNamespaces.of(pod, pod.spec?.runtimeClassName ?? '');
    const made = await this.#configuring(pod, container, async () => {
      const prepared = Promise.resolve(this.#volumes ?? this.prepareVolumes(pod, sandbox.ips));
      const [env, volumes, own] = await Promise.all([
        this.#environmentOf(pod, container, sandbox.ips, prepared),
        prepared,
        this.#ownMounts(pod, container, sandbox, action.restartCount),
      ]);
      const mounts = await volumeMounts(this.#env.host.files, container, volumes, env, images);
      mounts.push(...own);
      return containerConfig(pod, container, {
        keys,
        restartCount: action.restartCount,
        imageRef,
        image,
        env,
        mounts,
        nodeMemoryBytes,
        seccompRoot: `${config.rootDirectory}/seccomp`,
        userNamespace: this.#userNamespace,
        ...(targetId && { targetId }),
      });
    });
    const sandboxOfContainer = this.#sandboxReference(pod, sandbox);
    let containerId: string;
    try {
      const created = await cri.createContainer({
        podSandboxId: sandbox.id,
        config: made,
        sandboxConfig: sandboxOfContainer,
      });
      containerId = created.containerId;
      imageVolumes.mounted.add(images.size);
    } catch (error) {
      imageVolumes.failed.add(images.size);
      const message = (error as Error).message;
      tell('Warning', 'Failed', `Error: ${message}`);
      throw new StartError('CreateContainerError', message, { cause: error });
    }
    tell('Normal', 'Created', `Container created`);
    const linked = this.#linkLog(pod, container, containerId, action.restartCount);
    try {
      await cri.startContainer({ containerId });
      await linked;
    } catch (error) {
      const message = (error as Error).message;
      tell('Warning', 'Failed', `Error: ${message}`);
      throw new StartError('RunContainerError', message, { cause: error });
    }
    tell('Normal', 'Started', `Container started`);
    options.running(containerId);
    const { postStart } = container.lifecycle ?? {};
    if (!postStart) return;
    try {
      await runHook(
        postStart,
        this.#hookContext(container, containerId, sandbox.ips[0] ?? '', HOOK_MS_MAX, options.signal),
      );
    } catch (error) {
      if (options.signal.aborted) throw error;
      tell('Warning', 'FailedPostStartHook', `PostStartHook failed`);
      throw new StartError('PostStartHookError', `PostStartHook failed: ${(error as Error).message}`, { cause: error });
    }
  }

  /**
   * Ends a container: its pre-stop hook and then SIGTERM within `graceMs`, SIGKILL after it. Resolves when it has ended.
   * When `signal` fires nothing more is begun here.
   */
  async killContainer(
    pod: NodePod,
    container: ObservedContainer,
    options: { readonly graceMs: number; readonly podIp: string; readonly signal: AbortSignal },
  ): Promise<void> {
    const { clock, cri } = this.#env;
    let { graceMs } = options;
    const spec = findContainer(pod, container.name)?.container;
    const preStop = spec?.lifecycle?.preStop;
    if (spec && preStop && graceMs > 0) {
      const begunMs = clock.monotonic();
      try {
        const context = this.#hookContext(spec, container.id, options.podIp, graceMs, options.signal);
        await Promise.race([runHook(preStop, context), clock.sleep(graceMs, options.signal)]);
      } catch (error) {
        if (options.signal.aborted) return;
        this.#tell(pod, container.name, 'Warning', 'FailedPreStopHook', `PreStopHook failed`);
        this.#env.log.debug('a pre-stop hook failed', { pod: describePod(pod), container: container.name, error });
      }
      // Who spent it all on the hook still has a moment to end by itself.
      graceMs = Math.max(MINIMUM_GRACE_MS, graceMs - (clock.monotonic() - begunMs));
    }
    if (options.signal.aborted) return;
    await cri.stopContainer(
      { containerId: container.id, timeout: Math.ceil(graceMs / 1000) },
      { signal: options.signal },
    );
  }

  async removeContainer(pod: NodePod, container: ObservedContainer): Promise<void> {
    const { cri, host, config } = this.#env;
    await cri.removeContainer({ containerId: container.id });
    if (container.logPath !== '') await removeLogs(host.files, container.logPath);
    if (config.containerLogsDirectory !== '') {
      const link = legacyLogLink(namespaceOf(pod), nameOf(pod), container.name, container.id);
      await host.files.remove(`${config.containerLogsDirectory}/${link}`);
    }
  }

  // ── Within ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What the runtime calls the pod's RuntimeClass; '' for its usual one. */
  async #runtimeHandler({ spec }: NodePod): Promise<string> {
    const name = spec?.runtimeClassName;
    if (!name) return '';
    const found = await this.#env.objects.runtimeClass(name);
    if (!found) throw new Error(`failed to get RuntimeClass: runtimeclass.node.k8s.io "${name}" not found`);
    return found.handler;
  }

  #tell(pod: NodePod, container: string, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const fieldPath = containerFieldPath(pod, container);
    this.#env.events.event(pod as Live<ApiObject>, type, reason, message, undefined, fieldPath);
  }

  #hookContext(
    container: PodContainer,
    containerId: string,
    podIp: string,
    timeoutMs: number,
    signal: AbortSignal,
  ): HookContext {
    const { cri, clock, connections } = this.#env;
    // A call's deadline is a timer, which has its own bounds.
    const boundedMs = Math.min(timeoutMs, HOOK_MS_MAX);
    return { cri, clock, connections, container, containerId, podIp, timeoutMs: boundedMs, signal };
  }

  async #pullSecrets(pod: NodePod) {
    const names = (pod.spec?.imagePullSecrets ?? []).map(({ name }) => name ?? '').filter((name) => name !== '');
    const found = await Promise.all(
      names.map((name) => this.#env.objects.secret(namespaceOf(pod), name).catch(() => undefined)),
    );
    return found.filter((one) => one !== undefined);
  }

  /** The images that the container mounts, by volume, as the runtime calls them. Pulls those that are not there. */
  async #volumeImages(pod: NodePod, container: PodContainer, tell: PullEvent, signal: AbortSignal) {
    const mounted = new Set((container.volumeMounts ?? []).map(({ name }) => name));
    const images = new Map<string, string>();
    for (const { name, image } of pod.spec?.volumes ?? []) {
      if (!image || !mounted.has(name)) continue;
      const { reference = '', pullPolicy } = image;
      const wanted = { name, image: reference, ...(pullPolicy && { imagePullPolicy: pullPolicy }) };
      const { imageVolumes } = this.#env.metrics;
      imageVolumes.requested.add(1);
      try {
        const { imageRef } = await this.#env.puller.ensure(wanted, await this.#pullSecrets(pod), tell, signal);
        images.set(name, imageRef);
      } catch (error) {
        imageVolumes.failed.add(1);
        throw error;
      }
    }
    return images;
  }

  async #environmentOf(
    pod: NodePod,
    container: PodContainer,
    ips: readonly string[],
    prepared: Promise<ReadonlyMap<string, PreparedVolume>>,
  ) {
    const { objects, services, host } = this.#env;
    const names = envReferences(container);
    const namespace = namespaceOf(pod);
    const [configMaps, secrets] = await Promise.all([
      Promise.all(names.configMaps.map(async (name) => [name, await objects.configMap(namespace, name)] as const)),
      Promise.all(names.secrets.map(async (name) => [name, await objects.secret(namespace, name)] as const)),
    ]);
    const files = new Map<string, ReadonlyMap<string, string>>();
    for (const { volumeName, path } of names.files) {
      const volume = (await prepared).get(volumeName);
      if (!volume) throw new ConfigError(`cannot find volume "${volumeName}" of an environment file`);
      const text = await readInVolume(host.files, volume.hostPath, path, volumeName);
      if (text !== undefined) files.set(`${volumeName} ${path}`, parseEnvFile(text));
    }
    const [configMapOf, secretOf] = [new Map(configMaps), new Map(secrets)];
    return buildEnv(
      {
        ...this.fieldSource(pod, ips),
        configMap: (name) => configMapOf.get(name),
        secret: (name) => secretOf.get(name),
        file: (volumeName, path) => files.get(`${volumeName} ${path}`),
        services: services(),
      },
      container,
    );
  }

  /** `/etc/hosts` and the termination log. */
  async #ownMounts(
    pod: NodePod,
    container: PodContainer,
    sandbox: ObservedSandbox,
    restartCount: number,
  ): Promise<Input<Mount>[]> {
    const { host, config, volumes } = this.#env;
    const { files } = host;
    const folder = volumes.podDirectory(uidOf(pod));
    const mounts: Input<Mount>[] = [];
    const taken = new Set((container.volumeMounts ?? []).map(({ mountPath }) => mountPath));
    if (!taken.has('/etc/hosts')) {
      const hostFile = pod.spec?.hostNetwork ? ((await files.readTextIfExists('/etc/hosts')) ?? '') : '';
      const text = hostsFile(pod, { podIps: sandbox.ips, clusterDomain: config.clusterDomain, hostFile });
      await files.write(`${folder}/etc-hosts`, text, { mode: 0o644, atomic: false });
      mounts.push({ hostPath: `${folder}/etc-hosts`, containerPath: '/etc/hosts', readonly: false });
    }
    const messages = container.terminationMessagePath ?? '/dev/termination-log';
    if (messages !== '') {
      const path = `${folder}/containers/${container.name}`;
      await files.makeDirectory(path, { mode: 0o755 });
      // Anybody in the container may leave last words.
      await files.write(`${path}/${restartCount}`, '', { atomic: false });
      await files.changeMode(`${path}/${restartCount}`, 0o666);
      mounts.push({ hostPath: `${path}/${restartCount}`, containerPath: messages, readonly: false });
    }
    return mounts;
  }

  /** The parts of a sandbox's configuration that runtimes look at again when they make a container in it. */
  #sandboxReference(pod: NodePod, sandbox: ObservedSandbox) {
    const { config, cgroups } = this.#env;
    return sandboxConfig(pod, {
      userNamespace: this.#userNamespace,
      attempt: sandbox.attempt,
      podLogsDirectory: config.podLogsDirectory,
      resolver: { servers: [], searches: [], options: [] },
      clusterDomain: config.clusterDomain,
      cgroupParent: cgroups.parentOf(pod),
      seccompRoot: `${config.rootDirectory}/seccomp`,
    });
  }

  async #configuring<T>(pod: NodePod, container: PodContainer, make: () => Promise<T>): Promise<T> {
    try {
      return await make();
    } catch (error) {
      const message = (error as Error).message;
      this.#tell(pod, container.name, 'Warning', 'Failed', `Error: ${message}`);
      if (!(error instanceof ConfigError)) {
        this.#env.log.debug('a container could not be configured', { container: container.name, error });
      }
      throw new StartError('CreateContainerConfigError', message, { cause: error });
    }
  }

  async #linkLog(pod: NodePod, container: PodContainer, id: string, restartCount: number): Promise<void> {
    const { host, config, log } = this.#env;
    if (config.containerLogsDirectory === '') return;
    const folder = `${config.podLogsDirectory}/${namespaceOf(pod)}_${nameOf(pod)}_${uidOf(pod)}`;
    const link = legacyLogLink(namespaceOf(pod), nameOf(pod), container.name, id);
    try {
      await host.files.makeDirectory(config.containerLogsDirectory, { mode: 0o755 });
      await host.files.symlink(
        `${folder}/${container.name}/${restartCount}.log`,
        `${config.containerLogsDirectory}/${link}`,
      );
    } catch (error) {
      if (!isCode(error, 'CANCELLED')) log.debug('the link to a log could not be made', { link, error });
    }
  }
}

const MINIMUM_GRACE_MS = 2_000;
const HOOK_MS_MAX = 24 * 3_600_000;

/** A container's log and what rotation left of it. */
async function removeLogs(files: KubeletEnvironment['host']['files'], logPath: string): Promise<void> {
  const slash = logPath.lastIndexOf('/');
  const [folder, file] = [logPath.slice(0, slash), logPath.slice(slash + 1)];
  if (!(await files.statIfExists(folder))) return;
  for (const name of await files.list(folder)) {
    if (name === file || name.startsWith(`${file}.`)) await files.remove(`${folder}/${name}`);
  }
}
