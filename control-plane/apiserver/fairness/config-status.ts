import type { Clock } from '../../../libs/base/clock.ts';
import type { Logger } from '../../../libs/base/log.ts';
import { statusOf } from '../../../libs/machinery/errors.ts';
import type { ApiResponse } from '../api.ts';
import { CONSUMER, danglingStatus } from './dangling.ts';
import type { FairnessObjects } from './fairness.ts';

export interface ConfigStatusOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly objects: FairnessObjects;
  /** Sends a request as the server itself. */
  ask(method: string, target: string, contentType: string, value: unknown): Promise<ApiResponse>;
}

/** Tells each flow schema whether its priority level is there. One run at a time; what comes meanwhile is one more. */
export class ConfigStatus {
  readonly #options: ConfigStatusOptions;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(options: ConfigStatusOptions) {
    this.#options = options;
  }

  /** Resolves when every schema's status is as it should be; never rejects. */
  run(): Promise<void> {
    if (this.#running) {
      this.#again = true;
      return this.#running;
    }
    this.#running = this.#runAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #runAll(): Promise<void> {
    do {
      this.#again = false;
      const { objects, clock } = this.#options;
      const levels = new Set(objects.levels().map(({ metadata }) => metadata.name ?? ''));
      const wanted = objects.schemas().map((schema) => danglingStatus(schema, levels, clock.now()));
      await Promise.all(wanted.map((status) => status && this.#apply(status)));
    } while (this.#again);
  }

  async #apply(status: NonNullable<ReturnType<typeof danglingStatus>>): Promise<void> {
    const name = encodeURIComponent(status.metadata.name ?? '');
    const target = `/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/${name}/status?fieldManager=${CONSUMER}&force=true`;
    try {
      await this.#options.ask('PATCH', target, 'application/apply-patch+yaml', status);
    } catch (error) {
      // It may have been deleted meanwhile, or made anew.
      const { code = 500, message } = statusOf(error);
      if (code >= 500) this.#options.log.warn('a flow schema was not told of its level', { name, message });
    }
  }
}
