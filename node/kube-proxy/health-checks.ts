import type { Clock } from '../../libs/base/clock.ts';
import type { Host, Listener } from '../../libs/base/host.ts';
import type { Logger } from '../../libs/base/log.ts';
import { type HttpAnswer, listenHttp } from './http.ts';

export interface HealthChecksOptions {
  readonly host: Host;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether the kernel follows the API; where it does not, the node is not to be relied on. */
  readonly healthy: () => boolean;
}

interface Check {
  readonly port: number;
  localEndpoints: number;
  listener: Promise<Listener | undefined>;
}

/**
 * Answers load balancers that ask whether a node has endpoints of a Service whose external traffic stays on the node:
 * 200 where it has, 503 where not or where the proxy itself is not well, on the Service's `healthCheckNodePort`.
 */
export class HealthChecks implements AsyncDisposable {
  readonly #options: HealthChecksOptions;
  /** By Service. */
  readonly #checks = new Map<string, Check>();

  constructor(options: HealthChecksOptions) {
    this.#options = options;
  }

  /** `undefined`: nobody asks for this Service any more. Returns at once; a port that is taken is told in the log. */
  set(service: string, wanted: { readonly port: number; readonly localEndpoints: number } | undefined): void {
    const known = this.#checks.get(service);
    if (known && known.port === wanted?.port) {
      known.localEndpoints = wanted.localEndpoints;
      return;
    }
    if (known) {
      this.#checks.delete(service);
      void this.#close(known);
    }
    if (!wanted) return;
    // The port may be one that is being given up this moment.
    const before = known ? this.#close(known) : Promise.resolve();
    const check: Check = { ...wanted, listener: before.then(() => this.#listen(service, wanted.port)) };
    this.#checks.set(service, check);
  }

  /** Resolves when all that were asked for so far listen, or cannot. */
  async idle(): Promise<void> {
    await Promise.all(Array.from(this.#checks.values(), ({ listener }) => listener));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#checks.values()];
    this.#checks.clear();
    await Promise.all(all.map((check) => this.#close(check)));
  }

  async #close(check: Check): Promise<void> {
    await (await check.listener)?.[Symbol.asyncDispose]();
  }

  async #listen(service: string, port: number): Promise<Listener | undefined> {
    const { log } = this.#options;
    try {
      return await listenHttp(this.#options, { host: '0.0.0.0', port }, () => this.#answer(service));
    } catch (error) {
      log.warn('load balancers cannot ask whether this node serves', { service, port, error });
      return undefined;
    }
  }

  #answer(service: string): HttpAnswer {
    const [namespace, name] = service.split('/');
    const localEndpoints = this.#checks.get(service)?.localEndpoints ?? 0;
    const serviceProxyHealthy = this.#options.healthy();
    return {
      status: localEndpoints > 0 && serviceProxyHealthy ? 200 : 503,
      type: 'application/json',
      headers: { 'X-Load-Balancing-Endpoint-Weight': String(localEndpoints) },
      body: JSON.stringify({ service: { namespace, name }, localEndpoints, serviceProxyHealthy }),
    };
  }
}
