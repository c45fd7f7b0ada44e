import type { ApiObject } from '../../../libs/kind/object.ts';
import type { EventRecorder } from '../../../libs/kind/reconciler.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
}

/** What events call each state of a condition: clients look for these words. */
const STATES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  MemoryPressure: { True: 'NodeHasInsufficientMemory', False: 'NodeHasSufficientMemory' },
  DiskPressure: { True: 'NodeHasDiskPressure', False: 'NodeHasNoDiskPressure' },
  PIDPressure: { True: 'NodeHasInsufficientPID', False: 'NodeHasSufficientPID' },
  Ready: { True: 'NodeReady', False: 'NodeNotReady' },
};

/** The states that have come about: `['NodeReady']` for a Ready that was False, or unknown, and is True. */
export function newStates(before: readonly Condition[], after: readonly Condition[]): string[] {
  const states: string[] = [];
  for (const { type, status } of after) {
    const known = before.find((one) => one.type === type)?.status;
    const state = STATES[type]?.[status];
    if (known === status || state === undefined) continue;
    // A node that has never been ready is nothing to tell of: each begins so.
    if (state !== 'NodeNotReady' || known !== undefined) states.push(state);
  }
  return states;
}

/** Kubelets know their node by name before the API has given it a uid, and events of theirs go by the name. */
export const aboutNode = (name: string): ApiObject => ({ kind: 'Node', metadata: { name, uid: name } });

/** Says of a node what became of it, as `kubectl describe node` lists it. */
export class NodeEvents {
  readonly #recorder: EventRecorder;
  readonly #name: string;
  #unschedulable: boolean | undefined;

  constructor(recorder: EventRecorder, name: string) {
    this.#recorder = recorder;
    this.#name = name;
  }

  starting(): void {
    this.#tell('Starting', 'Starting kubelet.');
  }

  conditions(before: readonly Condition[], after: readonly Condition[]): void {
    for (const state of newStates(before, after)) this.#tellState(state);
  }

  /** Whether pods may be put here; the first time it is only remembered. */
  schedulable(unschedulable: boolean): void {
    if (this.#unschedulable !== undefined && this.#unschedulable !== unschedulable) {
      this.#tellState(unschedulable ? 'NodeNotSchedulable' : 'NodeSchedulable');
    }
    this.#unschedulable = unschedulable;
  }

  #tellState(state: string): void {
    this.#tell(state, `Node ${this.#name} status is now: ${state}`);
  }

  #tell(reason: string, message: string): void {
    this.#recorder.event(aboutNode(this.#name), 'Normal', reason, message);
  }
}
