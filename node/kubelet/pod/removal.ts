import { podLogDirectory } from '../../cri/logs.ts';
import type { KubeletEnvironment } from '../environment.ts';
import { type NodePod, nameOf, namespaceOf, uidOf } from './objects.ts';
import type { ObservedPod } from './state.ts';

/** Runtimes that stop a sandbox when they are told to remove it; the CRI asks that only of its containers. */
const STOPPING_REMOVAL: ReadonlySet<string> = new Set(['containerd', 'cri-o']);

/** Takes away what a pod whose containers have ended has on the node: first what runs, then what it used, then traces. */
export class PodRemoval {
  readonly #env: KubeletEnvironment;
  /** What the runtime has of it: sandboxes that have been ended do not change any more. */
  #sandboxes: 'there' | 'stopped' | 'removed' = 'there';
  #isEnding = false;

  constructor(env: KubeletEnvironment) {
    this.#env = env;
  }

  /** The runtime need not be asked about the pod any more: nothing changes. */
  get sandboxesEnded(): boolean {
    return this.#sandboxes !== 'there';
  }

  /** They are being ended, or have been: what the runtime tells of that is no news. */
  get endsSandboxes(): boolean {
    return this.#isEnding || this.sandboxesEnded;
  }

  /**
   * Ends the sandboxes and frees what they have of the node; of a pod that is `deleted` the runtime keeps nothing.
   * `stopping` is called before one that is kept is stopped. False: there was nothing left to end.
   */
  async endSandboxes(pod: NodePod, observed: ObservedPod, deleted: boolean, stopping: () => void): Promise<boolean> {
    const { cri, hostPorts, runtimeName } = this.#env;
    if (this.#sandboxes === 'removed' || (this.#sandboxes === 'stopped' && !deleted)) return false;
    await hostPorts?.set(uidOf(pod), []);
    const ids = observed.sandboxes.map(({ id }) => id);
    const isStopped = this.#sandboxes === 'stopped';
    this.#isEnding = true;
    try {
      // Stopping takes a pod's network down, and so does removing: of runtimes that stop what they remove, once is enough.
      if (!isStopped && !(deleted && STOPPING_REMOVAL.has(runtimeName()))) {
        if (!deleted) stopping();
        await Promise.all(ids.map((podSandboxId) => cri.stopPodSandbox({ podSandboxId })));
      }
      if (deleted) await Promise.all(ids.map((podSandboxId) => cri.removePodSandbox({ podSandboxId })));
      this.#sandboxes = deleted ? 'removed' : 'stopped';
    } finally {
      this.#isEnding = false;
    }
    return true;
  }

  /** Its volumes and cgroups. Rejects where something is still in use. */
  async freeResources(pod: NodePod): Promise<void> {
    const { volumes, cgroups } = this.#env;
    // Of some only what the runtime knew is known.
    const known = (pod.spec?.containers ?? []).length > 0 ? pod : undefined;
    await Promise.all([volumes.remove(uidOf(pod)), cgroups.remove(uidOf(pod), known)]);
  }

  /** Its logs, the links to them, and what was written down of it. */
  async removeTraces(pod: NodePod): Promise<void> {
    const { host, config, allocations } = this.#env;
    const uid = uidOf(pod);
    const logs = podLogDirectory(config.podLogsDirectory, namespaceOf(pod), nameOf(pod), uid);
    await Promise.all([host.files.remove(logs), this.#removeLogLinks(pod, logs), allocations.remove(uid)]);
  }

  async #removeLogLinks(pod: NodePod, logs: string): Promise<void> {
    const { host, config } = this.#env;
    const folder = config.containerLogsDirectory;
    if (folder === '' || !(await host.files.statIfExists(folder))) return;
    // By what they lead to: containers that the runtime has forgotten had links too.
    const prefix = `${nameOf(pod)}_${namespaceOf(pod)}_`;
    for (const name of await host.files.list(folder)) {
      if (!name.startsWith(prefix)) continue;
      const link = `${folder}/${name}`;
      const target = await host.files.readLink(link).catch(() => '');
      if (target.startsWith(`${logs}/`)) await host.files.remove(link);
    }
  }
}
