import { pods } from '../../api/resources.ts';
import type { Pod } from '../../api/types/core/v1.generated.ts';
import { assert } from '../../libs/base/assert.ts';
import type { Informer, Informers } from '../../libs/kind/client.ts';
import { type ApiObject, keyOf, type Live, type ResourceRef } from '../../libs/kind/object.ts';

const BY_NODE = 'node';

type PodHandler = (pod: Live<Pod> | undefined, previous: Live<Pod> | undefined) => void;

/**
 * What all simulated kubelets follow, followed once: a thousand of them cost one watch. Each sees the pods of its own
 * node and nothing else, as a kubelet's watch gives it.
 */
export class NodeInformers {
  readonly #informers: Informers;
  readonly #pods: Informer<Pod>;
  readonly #nodes = new Map<string, NodePods>();
  readonly #following: Disposable;

  constructor(informers: Informers) {
    this.#informers = informers;
    this.#pods = informers.informer(pods);
    this.#pods.index(BY_NODE, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
    this.#following = this.#pods.on((pod, previous) => {
      const before = previous?.spec?.nodeName;
      const now = pod?.spec?.nodeName;
      if (now) this.#nodes.get(now)?.tell(pod, previous);
      else if (before) this.#nodes.get(before)?.tell(pod, previous);
    });
  }

  /** The informers of one kubelet. */
  of(nodeName: string): NodeView {
    const seen = new NodePods(this.#pods, nodeName);
    this.#nodes.set(nodeName, seen);
    return { informers: new ViewInformers(this.#informers, seen), pods: seen };
  }

  [Symbol.dispose](): void {
    this.#following[Symbol.dispose]();
  }
}

export interface NodeView {
  readonly informers: Informers;
  readonly pods: NodePods;
}

class ViewInformers implements Informers {
  readonly #informers: Informers;
  readonly #pods: NodePods;
  readonly #others = new Map<string, unknown>();

  constructor(informers: Informers, seen: NodePods) {
    this.#informers = informers;
    this.#pods = seen;
  }

  informer<T extends ApiObject>(ref: ResourceRef<T>): Informer<T> {
    if (ref.resource === 'pods' && ref.group === '') return this.#pods as unknown as Informer<T>;
    const known = this.#others.get(ref.resource) ?? new KnownThen(this.#informers.informer(ref), this.#pods);
    this.#others.set(ref.resource, known);
    return known as unknown as Informer<T>;
  }

  /** Others see it too. */
  forget(): void {}

  synced(signal?: AbortSignal): Promise<void> {
    return this.#informers.synced(signal);
  }
}

/**
 * What else a kubelet looks up (Services), as it knows it: while nothing reaches it, as it was. Nothing is kept of it but
 * then, so that a thousand nodes cost no more than one.
 */
class KnownThen<T extends ApiObject> implements Informer<T> {
  readonly ref: ResourceRef<T>;
  readonly #now: Informer<T>;
  #then: readonly Live<T>[] | undefined;

  constructor(now: Informer<T>, pods: NodePods) {
    this.ref = now.ref;
    this.#now = now;
    pods.onDeaf((isDeaf) => {
      this.#then = isDeaf ? [...now.list()] : undefined;
    });
  }

  get synced(): boolean {
    return this.#now.synced;
  }

  get resourceVersion(): string {
    return this.#now.resourceVersion;
  }

  get(key: string): Live<T> | undefined {
    return this.#then ? this.#then.find((one) => keyOf(one) === key) : this.#now.get(key);
  }

  list(namespace?: string): readonly Live<T>[] {
    if (!this.#then) return this.#now.list(namespace);
    return namespace === undefined ? this.#then : this.#then.filter(({ metadata }) => metadata.namespace === namespace);
  }

  by(index: string, value: string): readonly Live<T>[] {
    return this.#now.by(index, value);
  }

  index(name: string, values: (object: Live<T>) => readonly string[]): void {
    this.#now.index(name, values);
  }

  on(): Disposable {
    assert(false, 'a kubelet looks up what is no pod, and is not told of it');
  }

  caughtUp(resourceVersion: string, signal?: AbortSignal): Promise<void> {
    return this.#now.caughtUp(resourceVersion, signal);
  }
}

/** The pods of one node as its kubelet knows them: while nothing reaches it, as they were. */
export class NodePods implements Informer<Pod> {
  readonly ref = pods;
  readonly #all: Informer<Pod>;
  readonly #nodeName: string;
  readonly #seen = new Map<string, Live<Pod>>();
  readonly #handlers = new Set<PodHandler>();
  readonly #onDeaf = new Set<(isDeaf: boolean) => void>();
  #deaf = false;

  constructor(all: Informer<Pod>, nodeName: string) {
    this.#all = all;
    this.#nodeName = nodeName;
    for (const pod of all.by(BY_NODE, nodeName)) this.#seen.set(keyOf(pod), pod);
  }

  get synced(): boolean {
    return this.#all.synced;
  }

  get resourceVersion(): string {
    return this.#all.resourceVersion;
  }

  /** From now on nothing is told; `hear` tells what has changed in between, as a new list does. */
  goDeaf(): void {
    if (this.#deaf) return;
    this.#deaf = true;
    for (const told of this.#onDeaf) told(true);
  }

  /** Calls `told` when that begins, and when it ends. */
  onDeaf(told: (isDeaf: boolean) => void): void {
    this.#onDeaf.add(told);
    if (this.#deaf) told(true);
  }

  hear(): void {
    if (!this.#deaf) return;
    this.#deaf = false;
    for (const told of this.#onDeaf) told(false);
    const now = new Map(this.#all.by(BY_NODE, this.#nodeName).map((pod) => [keyOf(pod), pod]));
    for (const [key, pod] of [...this.#seen]) if (!now.has(key)) this.tell(undefined, pod);
    for (const [key, pod] of now) {
      const known = this.#seen.get(key);
      if (known?.metadata.resourceVersion === pod.metadata.resourceVersion) continue;
      if (known && known.metadata.uid !== pod.metadata.uid) this.tell(undefined, known);
      this.tell(pod, this.#seen.get(key));
    }
  }

  tell(pod: Live<Pod> | undefined, previous: Live<Pod> | undefined): void {
    if (this.#deaf) return;
    if (pod) this.#seen.set(keyOf(pod), pod);
    else if (previous) this.#seen.delete(keyOf(previous));
    for (const handler of this.#handlers) handler(pod, previous);
  }

  get(key: string): Live<Pod> | undefined {
    return this.#seen.get(key);
  }

  list(namespace?: string): readonly Live<Pod>[] {
    const all = [...this.#seen.values()];
    return namespace === undefined ? all : all.filter(({ metadata }) => metadata.namespace === namespace);
  }

  by(): readonly Live<Pod>[] {
    assert(false, 'a kubelet has no index of its pods');
  }

  index(): void {
    assert(false, 'a kubelet has no index of its pods');
  }

  on(handler: PodHandler): Disposable {
    this.#handlers.add(handler);
    for (const pod of [...this.#seen.values()]) handler(pod, undefined);
    return { [Symbol.dispose]: () => void this.#handlers.delete(handler) };
  }

  caughtUp(resourceVersion: string, signal?: AbortSignal): Promise<void> {
    return this.#all.caughtUp(resourceVersion, signal);
  }
}
