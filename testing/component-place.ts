import type { Clock } from '../libs/base/clock.ts';
import type { Random } from '../libs/base/random.ts';
import { ClusterUsageError } from './errors.ts';
import { Link } from './nodes/link.ts';
import { NodeClock } from './nodes/node-clock.ts';

/** A component that runs. */
export interface RunningComponent {
  stop(): Promise<void>;
}

/** The process of one component, with its clock and its way to the API server: what faults of components befall. */
export class ComponentPlace implements RunningComponent {
  readonly name: string;
  readonly clock: NodeClock;
  readonly link: Link;
  readonly #random: Random;
  #start: ((random: Random) => Promise<RunningComponent>) | undefined;
  #running: RunningComponent | undefined;
  #lives = 0;

  constructor(name: string, clock: Clock, random: Random) {
    this.name = name;
    this.clock = new NodeClock(clock);
    this.link = new Link(this.clock, random.fork(`link of ${name}`));
    this.#random = random;
  }

  /** Nothing is wrong with it that a test has made so. */
  get isWhole(): boolean {
    return this.link.isWhole && this.clock.skewMs === 0 && (this.#running !== undefined || this.#lives === 0);
  }

  /** Starts it; `start` is called again by `restart`, with randomness of that life's own. */
  async run(start: (random: Random) => Promise<RunningComponent>): Promise<void> {
    this.#start = start;
    const life = this.#lives++;
    this.#running = await start(this.#random.fork(life === 0 ? this.name : `${this.name} ${life}`));
  }

  /** The process is killed: what it was about to say is never said. */
  async crash(): Promise<void> {
    this.link.endLife();
    this.clock.resume();
    await this.stop();
  }

  /** Begins anew, from what the API server tells it. */
  async restart(): Promise<void> {
    await this.crash();
    if (this.#start) await this.run(this.#start);
  }

  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop();
  }
}

/** The components of one cluster, by their names. */
export class ComponentPlaces {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #places = new Map<string, ComponentPlace>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Makes it where there is none yet. */
  of(name: string, random: Random = this.#random): ComponentPlace {
    const place = this.#places.get(name) ?? new ComponentPlace(name, this.#clock, random);
    this.#places.set(name, place);
    return place;
  }

  has(name: string): boolean {
    return this.#places.has(name);
  }

  remove(name: string): void {
    this.#places.delete(name);
  }

  /** Throws `ClusterUsageError` for one that there is not. */
  known(name: string): ComponentPlace {
    const place = this.#places.get(name);
    if (place) return place;
    const known = [...this.#places.keys()].join(', ') || 'none';
    throw new ClusterUsageError(`the cluster runs no component "${name}"; it runs ${known}`);
  }

  [Symbol.iterator](): IterableIterator<ComponentPlace> {
    return this.#places.values();
  }
}
