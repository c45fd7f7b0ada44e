/** Who is called a second time because another one changed the object after it (`reinvocationPolicy: IfNeeded`). */
import type { AdmissionRequest } from '../../../../libs/kind/admission.ts';
import { sameValue } from '../../../../libs/machinery/same-value.ts';

/** What one plugin (policies, webhooks) remembers between the two rounds of a request. */
export class ReinvocationNotes {
  /** Called before, and willing to be called again. */
  readonly #called = new Set<string>();
  /** To be called again in the second round. */
  readonly #wanted = new Set<string>();
  #lastOutput: unknown;

  static of(request: AdmissionRequest, plugin: string): ReinvocationNotes {
    const { again } = request;
    const known = again?.notes.get(plugin);
    if (known instanceof ReinvocationNotes) {
      // What other plugins have changed since the first round counts as well.
      if (again?.isSecond && !sameValue(known.#lastOutput, request.object)) known.requireEarlierOnes();
      return known;
    }
    const notes = new ReinvocationNotes();
    again?.notes.set(plugin, notes);
    return notes;
  }

  shallCall(request: AdmissionRequest, key: string): boolean {
    return !request.again?.isSecond || this.#wanted.has(key);
  }

  called(key: string): void {
    this.#called.add(key);
  }

  requireEarlierOnes(): void {
    for (const key of this.#called) this.#wanted.add(key);
    this.#called.clear();
  }

  /** Everything of this plugin has been called. */
  finish(request: AdmissionRequest): void {
    this.#lastOutput = structuredClone(request.object);
  }
}
