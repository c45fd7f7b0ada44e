import type { Files } from '../../../libs/base/host.ts';
import type { Logger } from '../../../libs/base/log.ts';

/** Lines that wait for the disk; more are lost, which is logged: requests do not wait for their audit. */
const WAITING_MAX = 10_000;

/** A file of audit events, one line each, in their order; many lines are one write. */
export class AuditLog {
  readonly #files: Pick<Files, 'append'>;
  readonly #path: string;
  readonly #log: Logger;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #lost = 0;

  constructor(files: Pick<Files, 'append'>, path: string, log: Logger) {
    this.#files = files;
    this.#path = path;
    this.#log = log;
  }

  write(line: string): void {
    if (this.#waiting.length >= WAITING_MAX) {
      this.#lost++;
      return;
    }
    this.#waiting.push(line);
    this.#writing ??= this.#drain();
  }

  /** Resolves when everything that was written is in the file. */
  async close(): Promise<void> {
    await this.#writing;
  }

  async #drain(): Promise<void> {
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      try {
        await this.#files.append(this.#path, `${lines.join('\n')}\n`);
      } catch (error) {
        this.#lost += lines.length;
        this.#log.error('audit events could not be written', { path: this.#path, error });
      }
      if (this.#lost > 0) this.#log.warn('audit events were lost', { events: this.#lost });
      this.#lost = 0;
    }
    this.#writing = undefined;
  }
}
