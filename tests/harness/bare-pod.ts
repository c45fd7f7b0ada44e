import { existsSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RealClock } from '../../libs/base/node/real-clock.ts';
import type { CriClient } from '../../node/cri/cri.ts';
import { connectCri } from '../../node/cri/dial/connect.ts';
import { containerSecurity, sandboxSecurity } from '../../node/kubelet/containers/security.ts';
import type { Containerd } from './containerd.ts';
import { hostOf } from './host.ts';
import { cgroupRoots } from './leftovers.ts';

/** A client of a containerd that reaches its streaming server too, which listens on the host's loopback. */
export function criClientOf(containerd: Containerd): CriClient {
  return connectCri(containerd.endpoint, { clock: new RealClock(), sockets: hostOf(containerd.host).sockets });
}

export interface BarePodOptions {
  readonly name: string;
  /** Must have been pulled. */
  readonly image: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
}

export interface BarePod {
  readonly sandboxId: string;
  readonly containerId: string;
  readonly ip: string;
  /** Where the runtime writes what the container prints. */
  readonly logFile: string;
  /** Stops and removes the pod with grace 0, and its cgroup, which the runtime leaves. */
  remove(): Promise<void>;
}

/** What a kubelet mounts into every container. */
const POD_FILES = ['/etc/hosts', '/dev/termination-log'];

/**
 * A pod of one container by the fewest calls the CRI allows: the yardstick for the kubelet's own pods, so it is guarded as
 * they are and has the files that every pod has. The network must have been configured (`writeCniConfiguration`). Resolves
 * when the container's process runs.
 */
export async function runBarePod(
  client: CriClient,
  containerd: Pick<Containerd, 'host'>,
  options: BarePodOptions,
): Promise<BarePod> {
  const { host } = containerd;
  const cgroupParent = `${host.cgroupParent}/${options.name}`;
  const logDirectory = join(host.folder, 'logs', options.name);
  const pod = { metadata: { name: options.name }, spec: { containers: [{ name: 'main' }] } };
  const security = { seccompRoot: '' };
  const config = {
    metadata: { name: options.name, namespace: 'bare', uid: options.name, attempt: 0 },
    hostname: options.name,
    logDirectory,
    labels: {},
    annotations: {},
    linux: { cgroupParent, securityContext: sandboxSecurity(pod, security) },
  };
  const { podSandboxId: sandboxId } = await client.runPodSandbox({ config });
  const { containerId } = await client.createContainer({
    podSandboxId: sandboxId,
    config: {
      metadata: { name: 'main', attempt: 0 },
      image: { image: options.image },
      command: [...(options.command ?? [])],
      args: [...(options.args ?? [])],
      logPath: 'main.log',
      mounts: POD_FILES.map((containerPath) => {
        const hostPath = join(host.folder, containerPath.replaceAll('/', '-'));
        if (!existsSync(hostPath)) writeFileSync(hostPath, '');
        return { containerPath, hostPath };
      }),
      linux: { securityContext: containerSecurity(pod, pod.spec.containers[0]!, undefined, security) },
    },
    sandboxConfig: config,
  });
  await client.startContainer({ containerId });
  const { status } = await client.podSandboxStatus({ podSandboxId: sandboxId });
  return {
    sandboxId,
    containerId,
    ip: status?.network?.ip ?? '',
    logFile: join(logDirectory, 'main.log'),
    async remove() {
      await client.stopContainer({ containerId, timeout: 0 });
      await client.stopPodSandbox({ podSandboxId: sandboxId });
      await client.removePodSandbox({ podSandboxId: sandboxId });
      for (const root of cgroupRoots()) {
        const folder = join(root.path, cgroupParent);
        if (existsSync(folder)) rmdirSync(folder);
      }
    },
  };
}
