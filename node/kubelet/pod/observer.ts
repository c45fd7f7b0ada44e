import type { Clock } from '../../../libs/base/clock.ts';
import type { Host } from '../../../libs/base/host.ts';
import { type CriClient, isNotFound } from '../../cri/cri.ts';
import { readLog } from '../../cri/log-reader.ts';
import type { Container, ContainerStatus } from '../../cri/schema.generated.ts';
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

/** Reads what the runtime has of one pod. What cannot change any more is asked for once. */
export class PodObserver {
  readonly #cri: CriClient;
  readonly #host: Host;
  readonly #clock: Clock;
  readonly #uid: string;
  /** Running and ended ones: of the first nothing changes while they run, of the others nothing ever. */
  readonly #containers = new Map<string, ObservedContainer>();
  readonly #sandboxes = new Map<string, ObservedSandbox>();

  constructor(options: { cri: CriClient; host: Host; clock: Clock; uid: string }) {
    this.#cri = options.cri;
    this.#host = options.host;
    this.#clock = options.clock;
    this.#uid = options.uid;
  }

  async observe(): Promise<ObservedPod> {
    const filter = { labelSelector: { [LABEL.podUid]: this.#uid } };
    const [{ items }, { containers }] = await Promise.all([
      this.#cri.listPodSandbox({ filter }),
      this.#cri.listContainers({ filter }),
    ]);
    const sandboxes = await Promise.all(items.map(({ id, state }) => this.#sandbox(id, state === 'SANDBOX_READY')));
    const all = await Promise.all(containers.map((one) => this.#container(one)));
    for (const map of [this.#containers, this.#sandboxes]) {
      const known = new Set([...items.map(({ id }) => id), ...containers.map(({ id }) => id)]);
      for (const id of map.keys()) if (!known.has(id)) map.delete(id);
    }
    return sortObserved(
      sandboxes.filter((one) => one !== undefined),
      all.filter((one) => one !== undefined),
    );
  }

  async #sandbox(id: string, ready: boolean): Promise<ObservedSandbox | undefined> {
    const known = this.#sandboxes.get(id);
    if (known && known.ready === ready) return known;
    return gone(async () => {
      const { status } = await this.#cri.podSandboxStatus({ podSandboxId: id });
      if (!status) return undefined;
      const observed = observeSandbox(status);
      this.#sandboxes.set(id, observed);
      return observed;
    });
  }

  async #container({ id, podSandboxId: sandboxId, state }: Container): Promise<ObservedContainer | undefined> {
    const known = this.#containers.get(id);
    if (known?.state === 'exited' || (known?.state === 'running' && state === 'CONTAINER_RUNNING')) return known;
    return gone(async () => {
      const { status } = await this.#cri.containerStatus({ containerId: id });
      if (!status) return undefined;
      const words = status.state === 'CONTAINER_EXITED' ? await this.#lastWords(status) : undefined;
      const observed = observeContainer(status, sandboxId, words);
      if (observed.state === 'exited' || observed.state === 'running') this.#containers.set(id, observed);
      return observed;
    });
  }

  /** What the container wrote to its termination log, else, where it failed and its spec wants that, the end of its log. */
  async #lastWords(status: ContainerStatus): Promise<string> {
    const { annotations, mounts, logPath, exitCode } = status;
    const path = annotations[ANNOTATION.terminationMessagePath];
    const file = mounts.find(({ containerPath }) => containerPath === path)?.hostPath;
    if (file !== undefined) {
      try {
        const text = new TextDecoder().decode(await this.#host.files.readAt(file, 0, MESSAGE_BYTES_MAX));
        if (text !== '') return text;
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

async function gone<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
