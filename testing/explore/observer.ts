import type { Entry, StoreEvent } from '../../control-plane/store/store.ts';
import type { Cluster } from '../cluster.ts';
import type { FaultCounts } from '../faults/cluster-faults.ts';
import {
  type AnswerEvent,
  type ClusterView,
  type Invariant,
  InvariantError,
  type InvariantSource,
  type StoredObject,
  type Verdict,
  type WatchTold,
  type WriteEvent,
} from './invariant.ts';

const decoder = new TextDecoder();

/**
 * An object as the store has it: the one that its writer left with it, else parsed when somebody looks. The store lets go
 * of its writers' objects with the next write, so they are taken at once.
 */
class Held {
  readonly revision: number;
  readonly #value: Uint8Array;
  #object: StoredObject | undefined;

  constructor({ value, revision, companion }: Pick<Entry, 'value' | 'revision' | 'companion'>) {
    this.#value = value;
    this.#object = companion as StoredObject | undefined;
    this.revision = revision;
  }

  get object(): StoredObject {
    this.#object ??= JSON.parse(decoder.decode(this.#value)) as StoredObject;
    return this.#object;
  }
}

type Objects = Map<string, Held>;

/** `/registry/apps/deployments/default/web` → `deployments.apps`, `default`, `web`. */
export interface StoredName {
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

export function nameOfKey(key: string): StoredName {
  // Every write passes here: its key is read in place.
  const ofGroup = key.indexOf('/', 1) + 1;
  const ofPlural = key.indexOf('/', ofGroup) + 1;
  const ofFirst = key.indexOf('/', ofPlural) + 1;
  const ofSecond = key.indexOf('/', ofFirst) + 1;
  const group = key.slice(ofGroup, ofPlural - 1);
  const plural = key.slice(ofPlural, ofFirst - 1);
  return {
    resource: group === 'core' ? plural : `${plural}.${group}`,
    namespace: ofSecond === 0 ? '' : key.slice(ofFirst, ofSecond - 1),
    name: key.slice(ofSecond === 0 ? ofFirst : ofSecond),
  };
}

/** An invariant that wants to know of something. */
type Asked<Part extends 'check' | 'answered' | 'told'> = Invariant & Required<Pick<Invariant, Part>>;

const hasPart = <Part extends 'check' | 'answered' | 'told'>(one: Invariant, part: Part): one is Asked<Part> =>
  typeof one[part] === 'function';

const keyIn = (namespace: string, name: string): string => `${namespace}/${name}`;

/** What a store held when all runs of an exploration began. */
export class BaseState {
  readonly revision: number;
  readonly objects: ReadonlyMap<string, Objects>;

  constructor(entries: Iterable<Pick<Entry, 'key' | 'value' | 'revision' | 'companion'>>, revision: number) {
    const objects = new Map<string, Objects>();
    for (const entry of entries) {
      const { resource, namespace, name } = nameOfKey(entry.key);
      const of = objects.get(resource) ?? new Map<string, Held>();
      objects.set(resource, of);
      of.set(keyIn(namespace, name), new Held(entry));
    }
    this.objects = objects;
    this.revision = revision;
  }
}

export interface ObserverOptions {
  readonly base: BaseState;
  /** When the run begins, in milliseconds since 1970. */
  readonly startMs: number;
  readonly invariants: readonly InvariantSource[];
  readonly counts: () => FaultCounts;
  /** Whether a controller runs. */
  readonly runs: (controller: string) => boolean;
}

/** One write; its objects are parsed when somebody looks. */
class Write implements WriteEvent {
  readonly type: WriteEvent['type'];
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly #before: Held | undefined;
  readonly #now: Held | undefined;

  constructor({ resource, namespace, name }: StoredName, revision: number, before: Held | undefined, now?: Held) {
    this.type = now ? (before ? 'modified' : 'added') : 'deleted';
    this.resource = resource;
    this.namespace = namespace;
    this.name = name;
    this.revision = revision;
    this.#before = before;
    this.#now = now;
  }

  get object(): StoredObject {
    return (this.#now ?? (this.#before as Held)).object;
  }

  get previous(): StoredObject | undefined {
    return this.#before?.object;
  }
}

/** The cluster of a run as its invariants see it. */
class View implements ClusterView {
  readonly firstRevision: number;
  readonly #objects: ReadonlyMap<string, Objects>;
  readonly #startMs: number;
  readonly #counts: () => FaultCounts;
  readonly #runs: (controller: string) => boolean;
  #cluster: Cluster | undefined;
  #nowMs: number;
  #revision: number;

  constructor(objects: ReadonlyMap<string, Objects>, { base, startMs, counts, runs }: ObserverOptions) {
    this.#objects = objects;
    this.firstRevision = this.#revision = base.revision;
    this.#startMs = this.#nowMs = startMs;
    this.#counts = counts;
    this.#runs = runs;
  }

  begin(cluster: Cluster): void {
    this.#cluster = cluster;
  }

  wrote(revision: number, nowMs: number): void {
    this.#revision = revision;
    this.#nowMs = nowMs;
  }

  get nowMs(): number {
    return this.#cluster?.clock.now() ?? this.#nowMs;
  }

  get elapsedMs(): number {
    return this.nowMs - this.#startMs;
  }

  get revision(): number {
    return this.#revision;
  }

  get resources(): readonly string[] {
    return [...this.#objects].filter(([, of]) => of.size > 0).map(([resource]) => resource);
  }

  runs(controller: string): boolean {
    return this.#runs(controller);
  }

  get nodes(): ClusterView['nodes'] {
    return this.#cluster?.nodes ?? [];
  }

  get faults(): FaultCounts {
    return this.#counts();
  }

  get client(): ClusterView['client'] {
    return (this.#cluster as Cluster).client;
  }

  list<T>(resource: string, namespace?: string): readonly T[] {
    const all: T[] = [];
    const prefix = namespace === undefined ? '' : `${namespace}/`;
    this.#objects.get(resource)?.forEach((held, key) => {
      if (key.startsWith(prefix)) all.push(held.object as T);
    });
    return all;
  }

  get<T>(resource: string, namespace: string, name: string): T | undefined {
    return this.#objects.get(resource)?.get(keyIn(namespace, name))?.object as T | undefined;
  }
}

/** Follows one run, and holds it to its invariants. */
export class Observer {
  readonly #objects: Map<string, Objects>;
  /** Resources whose objects are this run's own: the others are the base's. */
  readonly #own = new Set<string>();
  readonly #view: View;
  readonly #invariants: readonly Invariant[];
  /** Those that want to know of each write, each answer, each word of a watch: there are thousands of them in a run. */
  readonly #checking: readonly Asked<'check'>[];
  readonly #answering: readonly Asked<'answered'>[];
  readonly #hearing: readonly Asked<'told'>[];
  #failure: InvariantError | undefined;
  /** Of the last write. */
  lastResource = '';
  /** The write that was under way when an invariant spoke. */
  failedAt: WriteEvent | undefined;

  constructor(options: ObserverOptions) {
    this.#objects = new Map(options.base.objects);
    this.#view = new View(this.#objects, options);
    this.#invariants = options.invariants.map((one) => (typeof one === 'function' ? one() : one));
    this.#checking = this.#invariants.filter((one) => hasPart(one, 'check'));
    this.#answering = this.#invariants.filter((one) => hasPart(one, 'answered'));
    this.#hearing = this.#invariants.filter((one) => hasPart(one, 'told'));
  }

  get failure(): InvariantError | undefined {
    return this.#failure;
  }

  begin(cluster: Cluster): void {
    this.#view.begin(cluster);
  }

  wrote(event: StoreEvent, nowMs: number): void {
    const { resource, namespace, name } = nameOfKey(event.key);
    this.lastResource = resource;
    const of = this.#ownObjects(resource);
    const key = keyIn(namespace, name);
    const before = of.get(key);
    const now = event.entry && new Held(event.entry);
    if (now) of.set(key, now);
    else of.delete(key);
    this.#view.wrote(event.revision, nowMs);
    if (this.#failure) return;
    const told = new Write({ resource, namespace, name }, event.revision, before, now);
    this.#ask(this.#checking, (invariant) => invariant.check(this.#view, told), told);
  }

  answered(answer: AnswerEvent): void {
    this.#ask(this.#answering, (invariant) => invariant.answered(this.#view, answer));
  }

  told(told: WatchTold): void {
    this.#ask(this.#hearing, (invariant) => invariant.told(this.#view, told));
  }

  /** What is wrong at the end, or nothing. */
  async settled(): Promise<InvariantError | undefined> {
    for (const invariant of this.#invariants) {
      const verdict = await invariant.settled?.(this.#view);
      if (typeof verdict === 'string') return new InvariantError(invariant.name, verdict);
    }
    return this.#failure;
  }

  /** Until one has something to say. */
  #ask<T extends Invariant>(asked: readonly T[], question: (invariant: T) => Verdict, during?: WriteEvent): void {
    if (this.#failure) return;
    for (let at = 0; at < asked.length; at++) {
      const invariant = asked[at] as T;
      let verdict: Verdict;
      try {
        verdict = question(invariant);
      } catch (error) {
        verdict = error instanceof Error ? error.message : String(error);
      }
      if (typeof verdict !== 'string') continue;
      this.#failure = new InvariantError(invariant.name, verdict);
      this.failedAt = during;
      return;
    }
  }

  #ownObjects(resource: string): Objects {
    let of = this.#objects.get(resource);
    if (!of || !this.#own.has(resource)) {
      of = new Map(of);
      this.#own.add(resource);
      this.#objects.set(resource, of);
    }
    return of;
  }
}
