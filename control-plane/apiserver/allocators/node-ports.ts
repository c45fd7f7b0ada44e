import type { Service } from '../../../api/types/core/v1.generated.ts';
import type { Random } from '../../../libs/base/random.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import { AllocationError } from './cluster-ips.ts';

const FIRST = 30_000;
const LAST = 32_767;
const COUNT = LAST - FIRST + 1;

/** What the allocator must know of the stored Services. */
export interface StoredServices {
  /** Moves whenever a Service changes. */
  version(): number;
  all(): Iterable<DeepReadonly<Service>>;
}

/**
 * Hands out ports of nodes. Which ones are taken is read from the Services themselves, anew when one of them has changed;
 * those under way in writes are held here. Two API servers of one cluster that ask at the same moment may give out the
 * same port; the later one's Service then never works, as its owner sees from kube-proxy's events.
 */
export class NodePorts {
  readonly #services: StoredServices;
  readonly #random: Random;
  readonly #held = new Set<number>();
  #stored: ReadonlySet<number> = new Set();
  #version = -1;

  constructor(services: StoredServices, random: Random) {
    this.#services = services;
    this.#random = random;
  }

  /** Throws `AllocationError` for a port that is out of the range or taken. */
  take(port: number): void {
    if (port < FIRST || port > LAST) {
      throw new AllocationError(
        `provided port is not in the valid range. The range of valid ports is ${FIRST}-${LAST}`,
      );
    }
    if (this.#isTaken(port)) throw new AllocationError('provided port is already allocated');
    this.#held.add(port);
  }

  /** Throws `AllocationError` when all are taken. */
  takeAny(): number {
    const start = this.#random.int(COUNT);
    for (let i = 0; i < COUNT; i++) {
      const port = FIRST + ((start + i) % COUNT);
      if (this.#isTaken(port)) continue;
      this.#held.add(port);
      return port;
    }
    throw new AllocationError('range is full');
  }

  /** The write is over: what it stored is found among the Services from now on, the rest is free. */
  letGo(port: number): void {
    this.#held.delete(port);
  }

  #isTaken(port: number): boolean {
    const version = this.#services.version();
    if (version !== this.#version) {
      const ports = new Set<number>();
      for (const { spec } of this.#services.all()) {
        for (const { nodePort } of spec?.ports ?? []) if (nodePort) ports.add(nodePort);
        if (spec?.healthCheckNodePort) ports.add(spec.healthCheckNodePort);
      }
      this.#stored = ports;
      this.#version = version;
    }
    return this.#held.has(port) || this.#stored.has(port);
  }
}
