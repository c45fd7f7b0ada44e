// What ends with the node: its pods, and what they leave in the kernel.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { CriClient } from '../../node/cri/cri.ts';
import type { PodSandbox } from '../../node/cri/schema.generated.ts';
import { LABEL } from '../../node/kubelet/containers/labels.ts';
import type { Machine } from './apiserver.ts';

/**
 * How long containers may take to end after SIGTERM, in seconds. All of the stop has ten, and many pods need some of them
 * for their networks.
 */
const graceSeconds = (pods: number): number => Math.max(1, 4 - Math.floor(pods / 25));

/** Whether a pod of a kubelet runs; false where the runtime does not say. */
export async function hasPods(cri: CriClient): Promise<boolean> {
  const { items } = await cri.listPodSandbox({}, { timeoutMs: 5_000 }).catch(() => ({ items: [] }));
  return items.some(({ state, labels }) => state === 'SANDBOX_READY' && labels[LABEL.podUid]);
}

/**
 * Ends every pod of a kubelet; containers that others made stay. What the runtime remembers of them stays, too: the next
 * start sees what has ended and how, as after a reboot; with `forget` nothing is remembered. Who aborts `hurry` has them
 * killed at once. Never rejects: what fails is told.
 */
export async function endPods(
  { log }: Machine,
  cri: CriClient,
  { forget = false, hurry }: { readonly forget?: boolean; readonly hurry?: AbortSignal } = {},
): Promise<void> {
  try {
    const [{ items }, { containers }] = await Promise.all([cri.listPodSandbox({}), cri.listContainers({})]);
    const ours = items.filter(({ labels }) => labels[LABEL.podUid] && labels[LABEL.podName]);
    const sandboxes = forget ? ours : ours.filter((one) => !isFollowed(one, ours));
    const calm = graceSeconds(sandboxes.filter(({ state }) => state === 'SANDBOX_READY').length);
    await Promise.all(
      sandboxes.map(async ({ id, labels, state }) => {
        try {
          const mine = containers.filter((one) => one.podSandboxId === id && one.state === 'CONTAINER_RUNNING');
          await Promise.all(mine.map((one) => stopContainer(cri, one.id, calm, hurry)));
          await cri.stopPodSandbox({ podSandboxId: id }, { timeoutMs: 5_000 });
          if (forget) await cri.removePodSandbox({ podSandboxId: id }, { timeoutMs: 5_000 });
        } catch (error) {
          // One that has ended before is asked once more in case its network was not taken down: mostly it was.
          const level = state === 'SANDBOX_READY' ? 'warn' : 'debug';
          log[level]('a pod could not be ended', { pod: labels[LABEL.podName], error });
        }
      }),
    );
  } catch (error) {
    log.warn('pods could not be ended', { error });
  }
}

/** Whether the kubelet has ended it itself: it makes a pod's next sandbox only then. */
const isFollowed = (sandbox: PodSandbox, all: readonly PodSandbox[]): boolean =>
  sandbox.state !== 'SANDBOX_READY' &&
  all.some(({ metadata, labels }) => {
    const isSame = labels[LABEL.podUid] === sandbox.labels[LABEL.podUid];
    return isSame && (metadata?.attempt ?? 0) > (sandbox.metadata?.attempt ?? 0);
  });

/** A runtime takes a second word for the same container, and the shorter grace holds. */
async function stopContainer(
  cri: CriClient,
  containerId: string,
  grace: number,
  hurry = new AbortController().signal,
): Promise<void> {
  const stop = (timeout: number) => cri.stopContainer({ containerId, timeout }, { timeoutMs: (timeout + 3) * 1_000 });
  if (hurry.aborted) {
    await stop(0);
    return;
  }
  const hurried = Promise.withResolvers<void>();
  const kill = () =>
    void stop(0).then(
      () => hurried.resolve(),
      () => undefined,
    );
  hurry.addEventListener('abort', kill, { once: true });
  try {
    await Promise.race([stop(grace), hurried.promise]);
  } finally {
    hurry.removeEventListener('abort', kill);
  }
}

/** Mounts below the data and cgroups of pods, once nothing runs any more. Never rejects: what fails is told. */
export async function removeLeftovers(
  { host, log }: Machine,
  { dataDir, cgroupRoot }: { readonly dataDir: string; readonly cgroupRoot: string },
): Promise<void> {
  for (const mount of mountsBelow(dataDir)) {
    const { code, stderr } = await host.processes.run('umount', [mount]);
    if (code !== 0) log.warn('a mount is left', { mount, error: stderr.trim() });
  }
  const root = '/sys/fs/cgroup';
  const hierarchies = existsSync(`${root}/cgroup.controllers`) ? [''] : readdirSync(root).map((name) => `/${name}`);
  for (const hierarchy of hierarchies) {
    await removeCgroups(host.files, `${root}${hierarchy}${cgroupRoot}/kubepods`);
    if (cgroupRoot === DEFAULT_CGROUP_ROOT) await removeCgroups(host.files, `${root}${hierarchy}${cgroupRoot}`);
  }
}

/** Beside those of other kubelets: nobody takes our pods' cgroups for its own. */
export const DEFAULT_CGROUP_ROOT = '/tutti';

/** Removes a tree of cgroups that hold no process, as far as possible. */
async function removeCgroups(files: Machine['host']['files'], folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await removeCgroups(files, `${folder}/${entry.name}`);
  }
  await files.removeDirectory(folder).catch(() => undefined);
}

/** Mount points below a folder, the deepest first. */
function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replaceAll('\\040', ' '))
    .filter((path) => path.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length);
}
