import type { Labels } from '../../../libs/machinery/labels.ts';
import type { Node } from './cluster-objects.ts';
import { Column, TopologyColumn } from './columns.ts';
import { type PodCounter, PodCounters, TERM_KINDS } from './pod-counters.ts';
import type { PodInfo } from './pod-info.ts';
import { amountsOf } from './resources.ts';
import type { Taint } from './tolerations.ts';

const NO_LABELS: Labels = Object.freeze({});
const NO_TAINTS: readonly Taint[] = Object.freeze([]);
const FIRST_CAPACITY = 64;
/** Changes remembered; who is further behind looks at all nodes again. */
const LOG_LENGTH = 4096;

export interface ImageState {
  readonly sizeBytes: number;
  /** How many nodes have it. */
  nodesCount: number;
}

/**
 * The nodes and the pods placed on them, in columns: one typed array for each resource, indexed by the node's slot. A
 * slot belongs to a name for as long as there is a node or a pod of it; a slot without a node is not `present`.
 *
 *     const used = state.requested('cpu').values[slot]
 *
 * `changed` lists the slots that changed since a position, so that results for unchanged nodes can be kept.
 */
export class ClusterState {
  readonly #slots = new Map<string, number>();
  readonly #free: number[] = [];
  #capacity = FIRST_CAPACITY;
  /** Slots ever used: loops run to here. */
  length = 0;
  nodesCount = 0;
  /** Grows whenever something changes that results for all nodes may rest on: a node more or less, images. */
  epoch = 0;

  readonly names: string[] = [];
  readonly nodes: (Node | undefined)[] = [];
  readonly labels: Labels[] = [];
  readonly taints: (readonly Taint[])[] = [];
  readonly pods: Map<string, PodInfo>[] = [];
  /** Host ports in use, as `ip/protocol/port`, with their number of users. */
  readonly hostPorts: (Map<string, number> | undefined)[] = [];
  readonly images = new Map<string, ImageState>();
  readonly imagesOf: (ReadonlyMap<string, number> | undefined)[] = [];
  present = new Uint8Array(FIRST_CAPACITY);
  unschedulable = new Uint8Array(FIRST_CAPACITY);

  readonly #allocatable = new Map<string, Column>();
  readonly #requested = new Map<string, Column>();
  /** Requests with those of silent containers made up: cpu and memory only. */
  readonly #scored = new Map<string, Column>();
  readonly #topologies = new Map<string, TopologyColumn>();
  readonly counters = new PodCounters(FIRST_CAPACITY);
  readonly #placed = new Map<string, number>();

  readonly #log = new Int32Array(LOG_LENGTH);
  #position = 0;

  slotOf(name: string): number | undefined {
    const slot = this.#slots.get(name);
    return slot !== undefined && this.present[slot] === 1 ? slot : undefined;
  }

  allocatable(resource: string): Column {
    return this.#column(this.#allocatable, resource);
  }

  requested(resource: string): Column {
    return this.#column(this.#requested, resource);
  }

  /** For scores: cpu and memory count what silent containers are taken for; other resources count as requested. */
  scoredRequested(resource: string): Column {
    return resource === 'cpu' || resource === 'memory'
      ? this.#column(this.#scored, resource)
      : this.requested(resource);
  }

  topology(key: string): TopologyColumn {
    let column = this.#topologies.get(key);
    if (!column) {
      column = new TopologyColumn(key, this.#capacity);
      for (let slot = 0; slot < this.length; slot++) if (this.present[slot]) column.set(slot, this.labels[slot]);
      this.#topologies.set(key, column);
    }
    return column;
  }

  counter(key: string, matches: (pod: PodInfo) => boolean): PodCounter {
    return this.counters.counter(key, matches, () => this.#placedPods());
  }

  *#placedPods(): Iterable<readonly [number, Iterable<PodInfo>]> {
    for (let slot = 0; slot < this.length; slot++) yield [slot, (this.pods[slot] as Map<string, PodInfo>).values()];
  }

  // ── changes ──────────────────────────────────────────────────────────────────────────────────────────────────────

  get position(): number {
    return this.#position;
  }

  /** The slots changed since `position`, maybe repeated; undefined where that is not remembered any more. */
  changed(position: number): readonly number[] | undefined {
    if (this.#position - position > LOG_LENGTH) return undefined;
    const slots: number[] = [];
    for (let at = position; at < this.#position; at++) slots.push(this.#log[at % LOG_LENGTH] as number);
    return slots;
  }

  #changed(slot: number): void {
    this.#log[this.#position % LOG_LENGTH] = slot;
    this.#position++;
  }

  // ── nodes ────────────────────────────────────────────────────────────────────────────────────────────────────────

  setNode(node: Node): void {
    const name = node.metadata?.name ?? '';
    const slot = this.#slot(name);
    if (!this.present[slot]) {
      this.present[slot] = 1;
      this.nodesCount++;
      this.epoch++;
    }
    this.nodes[slot] = node;
    this.labels[slot] = node.metadata?.labels ?? NO_LABELS;
    this.taints[slot] = node.spec?.taints ?? NO_TAINTS;
    this.unschedulable[slot] = node.spec?.unschedulable ? 1 : 0;
    const amounts = amountsOf(node.status?.allocatable as Record<string, unknown> | undefined);
    for (const [resource, column] of this.#allocatable) {
      if (!amounts.has(resource)) column.values[slot] = 0;
    }
    for (const [resource, amount] of amounts) this.allocatable(resource).values[slot] = amount;
    for (const column of this.#topologies.values()) column.set(slot, this.labels[slot]);
    this.#setImages(slot, imagesOf(node));
    this.#changed(slot);
  }

  deleteNode(name: string): void {
    const slot = this.slotOf(name);
    if (slot === undefined) return;
    this.present[slot] = 0;
    this.nodes[slot] = undefined;
    this.nodesCount--;
    this.epoch++;
    this.#setImages(slot, new Map());
    for (const column of this.#allocatable.values()) column.values[slot] = 0;
    for (const column of this.#topologies.values()) column.set(slot, undefined);
    this.#changed(slot);
    this.#release(slot);
  }

  #setImages(slot: number, images: ReadonlyMap<string, number>): void {
    const before = this.imagesOf[slot] ?? new Map<string, number>();
    if (before.size === images.size && [...images].every(([name, size]) => before.get(name) === size)) return;
    for (const name of before.keys()) {
      const image = this.images.get(name);
      if (image && --image.nodesCount === 0) this.images.delete(name);
    }
    for (const [name, sizeBytes] of images) {
      const image = this.images.get(name);
      this.images.set(name, { sizeBytes, nodesCount: (image?.nodesCount ?? 0) + 1 });
    }
    this.imagesOf[slot] = images;
    this.epoch++;
  }

  // ── pods ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Places a pod on a node, known or not yet known; a pod of the same uid that is placed already is replaced. */
  addPod(pod: PodInfo, nodeName: string): void {
    const placed = this.#placed.get(pod.uid);
    if (placed !== undefined && this.names[placed] === nodeName) {
      const pods = this.pods[placed] as Map<string, PodInfo>;
      if (countsAlike(pod, pods.get(pod.uid) as PodInfo)) return void pods.set(pod.uid, pod);
    }
    this.removePod(pod.uid);
    const slot = this.#slot(nodeName);
    (this.pods[slot] as Map<string, PodInfo>).set(pod.uid, pod);
    this.#placed.set(pod.uid, slot);
    this.#count(slot, pod, 1);
  }

  removePod(uid: string): PodInfo | undefined {
    const slot = this.#placed.get(uid);
    if (slot === undefined) return undefined;
    const pods = this.pods[slot] as Map<string, PodInfo>;
    const pod = pods.get(uid) as PodInfo;
    pods.delete(uid);
    this.#placed.delete(uid);
    this.#count(slot, pod, -1);
    this.#release(slot);
    return pod;
  }

  /** What is known of a pod that is placed. */
  placed(uid: string): PodInfo | undefined {
    const slot = this.#placed.get(uid);
    return slot === undefined ? undefined : (this.pods[slot] as Map<string, PodInfo>).get(uid);
  }

  /** The slot on which the pod is placed. */
  placeOf(uid: string): number | undefined {
    return this.#placed.get(uid);
  }

  #count(slot: number, pod: PodInfo, by: 1 | -1): void {
    const { requests, placedRequests, hostPorts } = pod.template;
    for (const [resource, amount] of requests) this.requested(resource).values[slot]! += by * amount;
    this.scoredRequested('cpu').values[slot]! += by * (placedRequests.get('cpu') ?? 0);
    this.scoredRequested('memory').values[slot]! += by * (placedRequests.get('memory') ?? 0);
    if (hostPorts.length > 0) {
      const used = (this.hostPorts[slot] ??= new Map());
      for (const { ip, protocol, port } of hostPorts) {
        const key = `${ip}/${protocol}/${port}`;
        const users = (used.get(key) ?? 0) + by;
        if (users > 0) used.set(key, users);
        else used.delete(key);
      }
    }
    this.counters.change(slot, pod, by);
    this.#changed(slot);
  }

  // ── slots ────────────────────────────────────────────────────────────────────────────────────────────────────────

  #slot(name: string): number {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    const slot = this.#free.pop() ?? this.length++;
    if (slot >= this.#capacity) this.#grow();
    this.#slots.set(name, slot);
    this.names[slot] = name;
    this.nodes[slot] = undefined;
    this.labels[slot] = NO_LABELS;
    this.taints[slot] = NO_TAINTS;
    this.pods[slot] = new Map();
    this.hostPorts[slot] = undefined;
    this.imagesOf[slot] = undefined;
    return slot;
  }

  #release(slot: number): void {
    const name = this.names[slot] as string;
    if (this.present[slot] || (this.pods[slot] as Map<string, PodInfo>).size > 0 || !this.#slots.has(name)) return;
    this.#slots.delete(name);
    this.#free.push(slot);
  }

  #column(columns: Map<string, Column>, resource: string): Column {
    let column = columns.get(resource);
    if (!column) columns.set(resource, (column = new Column(this.#capacity)));
    return column;
  }

  #grow(): void {
    this.#capacity *= 2;
    for (const columns of [this.#allocatable, this.#requested, this.#scored]) {
      for (const column of columns.values()) column.grow(this.#capacity);
    }
    for (const column of this.#topologies.values()) column.grow(this.#capacity);
    this.counters.grow(this.#capacity);
    const grown = (flags: Uint8Array<ArrayBuffer>) => {
      const larger = new Uint8Array(this.#capacity);
      larger.set(flags);
      return larger;
    };
    this.present = grown(this.present);
    this.unschedulable = grown(this.unschedulable);
  }
}

function imagesOf(node: Node): ReadonlyMap<string, number> {
  const images = new Map<string, number>();
  for (const { names, sizeBytes } of node.status?.images ?? []) {
    for (const name of names ?? []) images.set(name, Number(sizeBytes ?? 0));
  }
  return images;
}

/** Whether two states of a pod count the same on its node; parts that did not change are the same parts. */
function countsAlike(now: PodInfo, before: PodInfo): boolean {
  return (
    now.template === before.template &&
    now.labels === before.labels &&
    now.terminating === before.terminating &&
    TERM_KINDS.every((kind) => now[kind] === before[kind]) &&
    now.pod.spec?.volumes === before.pod.spec?.volumes &&
    now.pod.status?.resourceClaimStatuses === before.pod.status?.resourceClaimStatuses
  );
}
