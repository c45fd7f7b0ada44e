import type { Clock } from '../../../libs/base/clock.ts';
import type { Host } from '../../../libs/base/host.ts';
import { type CriClient, isNotFound } from '../../cri/cri.ts';
import { readLog } from '../../cri/log-reader.ts';
import type { ContainerStatus } from '../../cri/schema.generated.ts';
import { ANNOTATION, LABEL } from '../containers/labels.ts';
import {
  type ObservedContainer,
  type ObservedPod,
  type ObservedSandbox,
  observeContainer,
  observeSandbox,
  sortObserved,
} from './state.ts';

const MESSAGE_BYTES_MAX = 4096;
const LOG_LINES = 80;
const LOG_BYTES = 2048;

/**
 * Reads what the runtime has of one pod, and asks only for what may have changed: what its worker did itself and what the
 * runtime tells of a container, by name; everything, when nobody can say what it was (`doubt`). What cannot change any more
 * is asked for once.
 */
export class PodObserver {
  readonly #cri: CriClient;
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #uid: string;
  readonly #containers = new Map<string, ObservedContainer>();
  readonly #sandboxes = new Map<string, ObservedSandbox>();
  /** What to ask for next: all there is, and these by their ids, containers with their sandbox. */
  #all: boolean;
  #changed = new Map<string, { readonly sandboxId: string | undefined }>();

  /** `fresh`: the runtime is known to have nothing of the pod. */
  constructor(options: { cri: CriClient; host: Host; clock: Clock; uid: string; fresh: boolean }) {
    this.#cri = options.cri;
    this.#host = options.host;
    this.#clock = options.clock;
    this.#uid = options.uid;
    this.#all = !options.fresh;
  }

  /** Anything may have changed. */
  doubt(): void {
    this.#all = true;
  }

  sandboxChanged(id: string): void {
    this.#changed.set(id, { sandboxId: undefined });
  }

  containerChanged(id: string, sandboxId: string): void {
    this.#changed.set(id, { sandboxId });
  }

  /** Whether the next look will ask for this sandbox or container by its id. */
  asksFor(id: string): boolean {
    return this.#changed.has(id);
  }

  /** Rejects with a `CriError`; the next call asks for everything then. */
  async observe(): Promise<ObservedPod> {
    const [all, changed] = [this.#all, this.#changed];
    this.#all = false;
    this.#changed = new Map();
    try {
      if (all) await this.#list();
      else {
        const asking = Array.from(changed, ([id, { sandboxId }]) =>
          sandboxId === undefined ? this.#askSandbox(id) : this.#askContainer(id, sandboxId),
        );
        await Promise.all(asking);
      }
    } catch (error) {
      this.#all = true;
      throw error;
    }
    return sortObserved([...this.#sandboxes.values()], [...this.#containers.values()]);
  }

  async #list(): Promise<void> {
    const filter = { labelSelector: { [LABEL.podUid]: this.#uid } };
    const [{ items }, { containers }] = await Promise.all([
      this.#cri.listPodSandbox({ filter }),
      this.#cri.listContainers({ filter }),
    ]);
    forgetOthers(this.#sandboxes, items);
    forgetOthers(this.#containers, containers);
    await Promise.all([
      ...items.map(async ({ id, state }) => {
        if (this.#sandboxes.get(id)?.ready !== (state === 'SANDBOX_READY')) await this.#askSandbox(id);
      }),
      ...containers.map(async ({ id, podSandboxId, state }) => {
        const known = this.#containers.get(id)?.state;
        // Of those that run nothing changes while they run, of those that have ended nothing ever.
        const isKnown = known === 'exited' || (known === 'running' && state === 'CONTAINER_RUNNING');
        if (!isKnown) await this.#askContainer(id, podSandboxId);
      }),
    ]);
  }

  async #askSandbox(id: string): Promise<void> {
    const status = await unlessGone(async () => (await this.#cri.podSandboxStatus({ podSandboxId: id })).status);
    if (status) this.#sandboxes.set(id, observeSandbox(status));
    else this.#sandboxes.delete(id);
  }

  async #askContainer(id: string, sandboxId: string): Promise<void> {
    const status = await unlessGone(async () => (await this.#cri.containerStatus({ containerId: id })).status);
    const words = status?.state === 'CONTAINER_EXITED' ? await this.#lastWords(status) : undefined;
    if (status) this.#containers.set(id, observeContainer(status, sandboxId, words));
    else this.#containers.delete(id);
  }

  /** What the container wrote to its termination log, else, where it failed and its spec wants that, the end of its log. */
  async #lastWords(status: ContainerStatus): Promise<string> {
    const { annotations, mounts, logPath, exitCode } = status;
    const path = annotations[ANNOTATION.terminationMessagePath];
    const file = mounts.find(({ containerPath }) => containerPath === path)?.hostPath;
    if (file !== undefined) {
      try {
        const bytes = await this.#host.files.readAt(file, 0, MESSAGE_BYTES_MAX);
        if (bytes.length > 0) return new TextDecoder().decode(bytes);
      } catch {
        // It never was made, or is gone with the pod's folder.
      }
    }
    if (annotations[ANNOTATION.terminationMessagePolicy] !== 'FallbackToLogsOnError' || exitCode === 0) return '';
    const decoder = new TextDecoder();
    let text = '';
    try {
      const chunks = readLog({ files: this.#host.files, clock: this.#clock, path: logPath, tailLines: LOG_LINES });
      for await (const chunk of chunks) text = (text + decoder.decode(chunk, { stream: true })).slice(-LOG_BYTES);
    } catch {
      return text;
    }
    return text;
  }
}

function forgetOthers(known: Map<string, unknown>, listed: readonly { readonly id: string }[]): void {
  const ids = new Set(listed.map(({ id }) => id));
  for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
}

async function unlessGone<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
