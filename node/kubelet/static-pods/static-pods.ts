import { pods } from '../../../api/resources.ts';
import type { Node, Pod } from '../../../api/types/core/v1.generated.ts';
import { LazyAbort } from '../../../libs/base/abort.ts';
import type { Timer } from '../../../libs/base/clock.ts';
import type { Informer } from '../../../libs/kind/client.ts';
import type { Live } from '../../../libs/kind/object.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../../../libs/machinery/errors.ts';
import { ANNOTATION } from '../containers/labels.ts';
import type { KubeletEnvironment } from '../environment.ts';
import { type NodePod, nameOf, namespaceOf, uidOf } from '../pod/objects.ts';
import { readManifests } from './manifests.ts';

export interface StaticPodsOptions {
  readonly env: KubeletEnvironment;
  readonly informer: Informer<Pod>;
  readonly node: () => Live<Node> | undefined;
  /** A pod is to run; false while another one of its name still ends: `ended` is called then. */
  readonly run: (pod: NodePod) => boolean;
  /** Whether the node has anything of a pod of that uid. */
  readonly isHere: (uid: string) => boolean;
  /** Its manifest has gone: it is to end with its grace. */
  readonly end: (pod: NodePod) => void;
}

/** Nobody tells of changes on some file systems. */
const LOOK_AGAIN_MS = 20_000;
const SETTLE_MS = 100;

export const isMirror = (pod: NodePod): boolean =>
  Object.hasOwn(pod.metadata?.annotations ?? {}, ANNOTATION.configMirror);

export const isStatic = (pod: NodePod): boolean => pod.metadata?.annotations?.[ANNOTATION.configSource] === 'file';

/**
 * Pods from a folder of manifests, and their mirrors: objects in the API that show what such a pod does and that nobody
 * can change it by.
 */
export class StaticPods {
  readonly #options: StaticPodsOptions;
  readonly #known = new Map<string, NodePod>();
  /** Those of them that wait for the end of another one of their name. */
  readonly #held = new Set<NodePod>();
  readonly #stopped = new LazyAbort(() => new Error('the kubelet stops'));
  #watch: Disposable | undefined;
  #timer: Timer | undefined;
  #reading: Promise<void> | undefined;
  #mirroring: Promise<void> | undefined;
  #mirrorAgain = false;

  constructor(options: StaticPodsOptions) {
    this.#options = options;
  }

  /** Resolves when the folder has been read once. Needs no API. */
  async start(): Promise<void> {
    const { files } = this.#options.env.host;
    const folder = this.#options.env.config.staticPodPath;
    if (folder === '') return;
    await this.#read();
    try {
      this.#watch = files.watch(folder, () => this.#soon(SETTLE_MS));
    } catch {
      // It is not there yet, or the machine has no notices left: the timer does alone.
    }
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#watch?.[Symbol.dispose]();
    this.#timer?.cancel();
    await this.#reading;
    await this.#mirroring;
  }

  /** The mirror of a static pod, where there is one for this very manifest. */
  mirrorOf(pod: NodePod): Live<Pod> | undefined {
    const found = this.#options.informer.get(`${namespaceOf(pod)}/${nameOf(pod)}`);
    return found?.metadata.annotations?.[ANNOTATION.configMirror] === uidOf(pod) ? found : undefined;
  }

  /** Begins to see to it that each static pod has its mirror. Pods do not wait for it: the API may be away. */
  mirror(): void {
    if (this.#mirroring) this.#mirrorAgain = true;
    else
      this.#mirroring = this.#makeMirrors().finally(() => {
        this.#mirroring = undefined;
      });
  }

  async #makeMirrors(): Promise<void> {
    do {
      this.#mirrorAgain = false;
      for (const pod of [...this.#known.values()]) {
        if (this.#stopped.aborted) return;
        // What there is of mirrors is not known before.
        if (!this.#options.informer.synced) return;
        if (!this.#held.has(pod) && !this.mirrorOf(pod)) await this.#makeMirror(pod);
      }
    } while (this.#mirrorAgain);
  }

  /** A pod has gone from the node: who waited for its name begins. */
  ended(): void {
    for (const pod of this.#held) if (this.#options.run(pod)) this.#held.delete(pod);
    if (this.#known.size > 0) this.mirror();
  }

  /** Mirrors of pods whose manifests went while no kubelet ran. */
  async removeOrphanedMirrors(): Promise<void> {
    const { env, informer, isHere } = this.#options;
    for (const pod of informer.list()) {
      const uid = pod.metadata.annotations?.[ANNOTATION.configMirror];
      if (uid === undefined || pod.spec?.nodeName !== env.nodeName || this.#known.has(uid) || isHere(uid)) continue;
      await this.#remove(pod);
    }
  }

  async removeMirror(pod: NodePod): Promise<void> {
    const mirror = this.mirrorOf(pod);
    if (mirror) await this.#remove(mirror);
  }

  async #remove(mirror: Live<Pod>): Promise<void> {
    const { signal } = this.#stopped;
    const options = { gracePeriodSeconds: 0, preconditions: { uid: mirror.metadata.uid }, signal };
    await this.#pods(mirror)
      .delete(mirror.metadata.name, options)
      .catch((error: unknown) => {
        // Gone, or another one has its name by now.
        const done = isNotFound(error) || isConflict(error);
        if (!done && !signal.aborted)
          this.#options.env.log.warn('a mirror pod could not be deleted', { pod: nameOf(mirror), error });
      });
  }

  #pods(pod: NodePod) {
    return this.#options.env.client.resource(pods).namespace(namespaceOf(pod));
  }

  #soon(delayMs: number): void {
    if (this.#stopped.aborted) return;
    this.#timer?.cancel();
    this.#timer = this.#options.env.clock.setTimer(() => {
      this.#reading = this.#read().finally(() => {
        this.#reading = undefined;
      });
    }, delayMs);
  }

  async #read(): Promise<void> {
    const { env, run, end } = this.#options;
    const { host, keys, config, nodeName, clock, log } = env;
    const found = await readManifests({
      files: host.files,
      keys,
      folder: config.staticPodPath,
      nodeName,
      nowMs: clock.now(),
      refused: (file, why) => log.warn('a manifest was left out', { file, why }),
    });
    const wanted = new Set(found.map(uidOf));
    for (const [uid, pod] of this.#known) {
      if (wanted.has(uid)) continue;
      this.#known.delete(uid);
      if (!this.#held.delete(pod)) end(pod);
    }
    for (const pod of found) {
      if (this.#known.has(uidOf(pod))) continue;
      this.#known.set(uidOf(pod), pod);
      if (!run(pod)) this.#held.add(pod);
    }
    this.mirror();
    this.#soon(LOOK_AGAIN_MS);
  }

  async #makeMirror(pod: NodePod): Promise<void> {
    const { env, informer, node } = this.#options;
    const owner = node();
    if (!owner) return;
    const old = informer.get(`${namespaceOf(pod)}/${nameOf(pod)}`);
    const mirrors = this.#pods(pod);
    const { signal } = this.#stopped;
    try {
      // One of an earlier manifest stands in the way.
      if (old && isMirror(old)) {
        const { uid } = old.metadata;
        await mirrors.delete(nameOf(pod), { gracePeriodSeconds: 0, preconditions: { uid }, signal });
      }
      const { uid, annotations, ...metadata } = structuredClone(pod.metadata) as Pod['metadata'] & object;
      const mirror: Pod = {
        kind: 'Pod',
        apiVersion: 'v1',
        metadata: {
          ...metadata,
          annotations: { ...annotations, [ANNOTATION.configMirror]: uid ?? '' },
          ownerReferences: [
            { apiVersion: 'v1', kind: 'Node', name: owner.metadata.name, uid: owner.metadata.uid, controller: true },
          ],
        },
        spec: structuredClone(pod.spec) as Pod['spec'],
      };
      await mirrors.create(mirror, { signal });
    } catch (error) {
      if (this.#stopped.aborted || isAlreadyExists(error) || isNotFound(error)) return;
      env.log.warn('a mirror pod could not be made', { pod: nameOf(pod), error });
    }
  }
}
