/**
 * Calls webhooks: admission's and those that convert custom resources. Where they are, which authority signs them, how long
 * they may take, and what upstream says when they fail. How bytes get there is the transport's affair.
 */

import type { ServiceReference, WebhookClientConfig } from '../../../api/types/admissionregistration/v1.generated.ts';
import { decodeBase64 } from '../../../libs/base/base64.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import { withTimeout } from '../../../libs/base/clock.ts';
import type { DeepReadonly } from '../../../libs/kind/object.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import { stringify } from '../../../libs/machinery/codec/json.ts';
import type { ServiceResolver } from '../service-resolver.ts';

export interface WebhookCall {
  /** With the query. */
  readonly path: string;
  /** Where to connect. */
  readonly host: string;
  readonly port: number;
  /** Whose certificate is expected; differs from `host` for Services. */
  readonly serverName: string;
  /** PEM; without one the machine's authorities count. */
  readonly authorityPem?: string;
  /** JSON. */
  readonly body: string;
  /** Fires when nobody waits any more. */
  readonly signal: AbortSignal;
}

export interface WebhookAnswer {
  readonly code: number;
  readonly body: string;
}

/**
 * Carries a review to a webhook over HTTPS and brings its answer back, whatever its code. Rejects with an Error whose
 * message is the reason alone (`dial tcp 10.0.0.1:443: connect: connection refused`), and with `signal.reason` when it
 * fires. A simulated cluster's transport may call a function instead.
 */
export interface WebhookTransport {
  post(call: WebhookCall): Promise<WebhookAnswer>;
}

/** Why a webhook's answer cannot be used; the message is for clients. */
export class WebhookError extends Error {
  override readonly name = 'WebhookError';
}

export type WebhookAddress = DeepReadonly<Pick<WebhookClientConfig, 'url' | 'caBundle'>> & {
  readonly service?: DeepReadonly<ServiceReference>;
};

export interface WebhookClientOptions {
  readonly transport: WebhookTransport;
  readonly clock: Clock;
  /** Where Services lead. */
  readonly resolve: ServiceResolver;
}

const HTTPS_PORT = 443;

/** Reaches nothing: for servers that were given no transport. */
export const NO_WEBHOOKS: WebhookTransport = Object.freeze({
  post: () => Promise.reject(new Error('this API server was started without a way to reach webhooks')),
});

export class WebhookClient {
  readonly #options: WebhookClientOptions;

  constructor(options: WebhookClientOptions) {
    this.#options = options;
  }

  /** Sends a review and gives the parsed answer. Throws `WebhookError`. `timeoutSeconds` 0: no limit of its own. */
  async post(
    address: WebhookAddress,
    review: object,
    timeoutSeconds: number,
    registry: Registry,
    signal: AbortSignal,
  ): Promise<unknown> {
    const target = targetOf(address, timeoutSeconds);
    const failed = (why: string) => new WebhookError(`Post "${target.shown}": ${why}`);
    const limit = timeoutSeconds > 0 ? withTimeout(this.#options.clock, timeoutSeconds * 1000, signal) : undefined;
    let answer: WebhookAnswer;
    try {
      const { name = '', namespace = '' } = address.service ?? {};
      const place = address.service
        ? await this.#options.resolve(registry, namespace, name, target.port)
        : { host: target.host, port: target.port };
      answer = await this.#options.transport.post({
        path: target.path,
        ...place,
        serverName: target.host,
        ...(address.caBundle
          ? { authorityPem: new TextDecoder().decode(decodeBase64(address.caBundle) ?? new Uint8Array()) }
          : {}),
        body: stringify(review),
        signal: limit?.signal ?? signal,
      });
    } catch (error) {
      if (limit?.signal.aborted || signal.aborted) throw failed('context deadline exceeded');
      throw failed((error as Error).message);
    } finally {
      limit?.[Symbol.dispose]();
    }
    return parsed(answer);
  }
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** As messages have it. */
  readonly shown: string;
}

function targetOf({ url = '', service }: WebhookAddress, timeoutSeconds: number): Target {
  const query = timeoutSeconds > 0 ? `?timeout=${timeoutSeconds}s` : '';
  if (service) {
    const host = `${service.name}.${service.namespace}.svc`;
    const port = service.port ?? HTTPS_PORT;
    const path = `/${(service.path ?? '').replace(/^\//, '')}${query}`;
    return { host, port, path, shown: `https://${host}:${port}${path}` };
  }
  const parts = new URL(url);
  const host = parts.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = parts.port === '' ? HTTPS_PORT : Number(parts.port);
  const path = `${parts.pathname}${query}`;
  return { host, port, path, shown: `https://${parts.host}${path}` };
}

function parsed({ code, body }: WebhookAnswer): unknown {
  if (code < 200 || code > 299) throw new WebhookError(refusal(code, body));
  try {
    return JSON.parse(body);
  } catch {
    throw new WebhookError(
      body === '' ? 'unexpected end of JSON input' : `couldn't get version/kind; json parse error: invalid JSON`,
    );
  }
}

/** What a client makes of an answer that is no success. */
function refusal(code: number, body: string): string {
  const text = body.trim();
  if (code === 404) return 'the server could not find the requested resource';
  if (code === 401) return 'the server has asked for the client to provide credentials';
  if (code === 403) return text === '' ? 'unknown' : text;
  if (code === 429) return 'the server has received too many requests and has asked us to try again later';
  if (code === 503) return text === '' ? 'the server is currently unable to handle the request' : text;
  if (code >= 500) {
    return `an error on the server (${JSON.stringify(text === '' ? 'unknown' : text)}) has prevented the request from succeeding`;
  }
  return 'the server rejected our request for an unknown reason';
}
