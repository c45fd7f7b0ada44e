import type { Revision } from '../../store.ts';
import type { Snapshot, Table } from './database.ts';
import { NUMBER_BYTES, readNumber, writeNumber } from './format.ts';

/** One commit: what it wrote are the revisions after `after` up to `last`. */
interface Commit {
  readonly after: Revision;
  readonly last: Revision;
  readonly timeMs: number;
}

/**
 * When commits were made: a row for each, from its last revision to the wall time in milliseconds and the revision before
 * it. Times never go back, whatever the machine's clock does, so either order can be searched by the other. Where times
 * were not kept for a while there is a gap, and of what lies in it nothing is told.
 */
export class CommitTimes {
  readonly #table: Table<Revision>;
  /** Whether there is a row: who never kept times pays nothing for them. */
  #some: boolean;
  #lastMs: number;

  constructor(table: Table<Revision>, snapshot: Snapshot) {
    this.#table = table;
    const last = this.last(snapshot);
    this.#some = last !== undefined;
    this.#lastMs = last?.timeMs ?? 0;
  }

  /** Within a commit, which writes the revisions after `after` up to `last`. */
  note(after: Revision, last: Revision, nowMs: number): void {
    this.#lastMs = Math.max(this.#lastMs, Math.floor(nowMs));
    this.#some = true;
    const row = Buffer.allocUnsafeSlow(2 * NUMBER_BYTES);
    writeNumber(row, 0, this.#lastMs);
    writeNumber(row, NUMBER_BYTES, after);
    this.#table.put(last, row);
  }

  /** Commits that ended before a revision, at most `limit`: for `forget`. */
  before(snapshot: Snapshot, revision: Revision, limit: number): Revision[] {
    if (!this.#some) return [];
    return [...this.#table.rows(snapshot, { end: revision, limit })].map(({ key }) => key);
  }

  /** Within a commit. */
  forget(commits: readonly Revision[]): void {
    for (const last of commits) this.#table.remove(last);
  }

  /** The commit that wrote a revision; undefined where its time was not kept. */
  of(snapshot: Snapshot, revision: Revision): Commit | undefined {
    const commit = this.#from(snapshot, revision);
    return commit && commit.after < revision ? commit : undefined;
  }

  /** The first commit of those that wrote revisions from `first` on. */
  first(snapshot: Snapshot, first: Revision): Commit | undefined {
    return this.#from(snapshot, first);
  }

  last(snapshot: Snapshot): Commit | undefined {
    const [row] = this.#table.rows(snapshot, { reverse: true, limit: 1 });
    return row && commitOf(row);
  }

  /** The last revision that was there at a time, of those from `first` to `last`, which is the present one. */
  revisionAt(snapshot: Snapshot, timeMs: number, first: Revision, last: Revision): Revision | undefined {
    let found: Revision | undefined;
    let [low, high] = [first, last];
    while (low <= high) {
      const commit = this.#from(snapshot, Math.floor((low + high) / 2));
      if (commit && commit.last <= high && commit.timeMs <= timeMs) {
        found = commit.last;
        low = commit.last + 1;
      } else high = Math.floor((low + high) / 2) - 1;
    }
    if (found === undefined || found === last) return found;
    // Something may have been written until then of which nobody knows when.
    return this.#from(snapshot, found + 1)?.after === found ? found : undefined;
  }

  #from(snapshot: Snapshot, revision: Revision): Commit | undefined {
    const [row] = this.#table.rows(snapshot, { start: revision, limit: 1 });
    return row && commitOf(row);
  }
}

const commitOf = ({ key, value }: { readonly key: Revision; readonly value: Buffer }): Commit => ({
  after: readNumber(value, NUMBER_BYTES),
  last: key,
  timeMs: readNumber(value, 0),
});
