import type { Live } from '../../../../libs/kind/object.ts';
import { epochMs } from '../../../../libs/machinery/time.ts';
import { podCondition } from '../../../core/pod/controller/pod-state.ts';
import type { Pod, Service } from '../../../types/core/v1.generated.ts';

interface Seen {
  readonly serviceMs: number;
  readonly podsMs: ReadonlyMap<string, number>;
}

/**
 * When what endpoints show came about, by which one measures how late they are: a Service's being made, a pod's becoming
 * ready or unready. Remembers what it was asked about, so that each change is told once.
 */
export class TriggerTimes {
  readonly #seen = new Map<string, Seen>();

  /** The times (since 1970) that are new since the last call for this Service; none where nothing is. */
  newOf(key: string, service: Live<Service>, chosen: readonly Live<Pod>[]): readonly number[] {
    const before = this.#seen.get(key);
    const serviceMs = epochMs(service.metadata.creationTimestamp) ?? 0;
    const podsMs = new Map<string, number>();
    for (const pod of chosen) {
      const timeMs = epochMs(podCondition(pod, 'Ready')?.lastTransitionTime);
      if (timeMs !== undefined) podsMs.set(pod.metadata.name, timeMs);
    }
    this.#seen.set(key, { serviceMs, podsMs });
    // What is first seen was there before: its Service's time is the best that can be said.
    if (!before) return [serviceMs];
    const news = [...podsMs]
      .filter(([name, timeMs]) => timeMs > (before.podsMs.get(name) ?? 0))
      .map(([, timeMs]) => timeMs);
    return serviceMs > before.serviceMs ? [...news, serviceMs] : news;
  }

  forget(key: string): void {
    this.#seen.delete(key);
  }
}
