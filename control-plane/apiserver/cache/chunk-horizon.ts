import type { Clock } from '../../../libs/base/clock.ts';
import type { Revision } from '../../store/store.ts';

/** How long a list in chunks shows the state it began with, once that is past. Upstream: from one compaction to the next. */
const KEPT_MS = 5 * 60_000;
const MARK_MS = 10_000;

/**
 * Which states are too old to go on with a list in chunks. Upstream forgets what is older than five to ten minutes, and
 * clients rely on being told to go on with what is there now; a store may well remember for longer. Marks are made only
 * where lists in chunks are asked for, and there are few: one in ten seconds, until it is old enough to decide.
 */
export class ChunkHorizon {
  readonly #clock: Clock;
  /** What was the present at which time, oldest first. */
  #marks: { readonly atMs: number; readonly revision: Revision }[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A list in chunks is asked for while `present` is the newest revision. */
  note(present: Revision): void {
    const nowMs = this.#clock.monotonic();
    const last = this.#marks.at(-1);
    if (!last || nowMs - last.atMs >= MARK_MS) this.#marks.push({ atMs: nowMs, revision: present });
    // Of those that are old enough to decide only the newest says anything.
    const old = this.#marks.findLastIndex(({ atMs }) => nowMs - atMs >= KEPT_MS);
    if (old > 0) this.#marks = this.#marks.slice(old);
  }

  /** Whether that state has been past for five minutes. */
  isOver(revision: Revision): boolean {
    const nowMs = this.#clock.monotonic();
    const mark = this.#marks.findLast(({ atMs }) => nowMs - atMs >= KEPT_MS);
    return mark !== undefined && revision < mark.revision;
  }
}
