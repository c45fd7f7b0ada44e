import type { PodInfo } from '../cache/pod-info.ts';

/** Pods that wait for room on a node which preemption has chosen for them. */
export class Nominator {
  readonly #byNode = new Map<string, Map<string, PodInfo>>();
  readonly #nodeOf = new Map<string, string>();

  get empty(): boolean {
    return this.#nodeOf.size === 0;
  }

  set(pod: PodInfo, node: string): void {
    this.delete(pod.uid);
    let pods = this.#byNode.get(node);
    if (!pods) this.#byNode.set(node, (pods = new Map()));
    pods.set(pod.uid, pod);
    this.#nodeOf.set(pod.uid, node);
  }

  delete(uid: string): void {
    const node = this.#nodeOf.get(uid);
    if (node === undefined) return;
    this.#nodeOf.delete(uid);
    const pods = this.#byNode.get(node);
    pods?.delete(uid);
    if (pods?.size === 0) this.#byNode.delete(node);
  }

  nodeOf(uid: string): string | undefined {
    return this.#nodeOf.get(uid);
  }

  on(node: string): readonly PodInfo[] {
    return [...(this.#byNode.get(node)?.values() ?? [])];
  }

  /** By node, the nominated pods that go before this one: those at least as important. */
  before(pod: PodInfo): ReadonlyMap<string, readonly PodInfo[]> {
    const found = new Map<string, readonly PodInfo[]>();
    for (const [node, pods] of this.#byNode) {
      const first = [...pods.values()].filter(({ uid, priority }) => uid !== pod.uid && priority >= pod.priority);
      if (first.length > 0) found.set(node, first);
    }
    return found;
  }
}
