/** How many answers are remembered for stale reads. */
const ANSWERS_MAX = 200;

/** The last answers to reads, by what was asked: what a stale read gets. */
export class RecentAnswers<T> {
  readonly #answers = new Map<string, T>();

  get(key: string): T | undefined {
    return this.#answers.get(key);
  }

  /** It is the newest now; beyond the most that are remembered the oldest go. */
  remember(key: string, answer: T): void {
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    for (const old of this.#answers.keys()) {
      if (this.#answers.size <= ANSWERS_MAX) break;
      this.#answers.delete(old);
    }
  }
}
