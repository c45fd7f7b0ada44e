import { serviceAccounts } from '../../../api/resources.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { Client } from '../../../libs/kind/client.ts';
import type { ApiObject } from '../../../libs/kind/object.ts';
import { type NodePod, nameOf, namespaceOf, uidOf } from '../pod/objects.ts';

interface TokenRequest extends ApiObject {
  spec: {
    audiences: string[];
    expirationSeconds: number;
    boundObjectRef: { kind: string; apiVersion: string; name: string; uid: string };
  };
  status?: { token: string; expirationTimestamp: string };
}

interface Held {
  readonly token: string;
  readonly issuedMs: number;
  readonly expiresMs: number;
}

/** A token is renewed when four fifths of its life are over, or after a day. */
const RENEW_SHARE = 0.8;
const RENEW_MS_MAX = 24 * 3_600_000;

/** Tokens of pods' service accounts, asked of the API server and kept until they are to be renewed. */
export class ServiceAccountTokens {
  readonly #client: Client;
  readonly #clock: Clock;
  /** By pod, then by what was asked for. */
  readonly #held = new Map<string, Map<string, Held>>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Rejects with `ApiError` where the server gives none. */
  async token(pod: NodePod, audience: string, expirationSeconds: number): Promise<string> {
    const key = `${audience}\n${expirationSeconds}`;
    const nowMs = this.#clock.now();
    const held = this.#held.get(uidOf(pod))?.get(key);
    if (held && nowMs < dueMs(held)) return held.token;
    const request: TokenRequest = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience === '' ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: nameOf(pod), uid: uidOf(pod) },
      },
    };
    try {
      const answer = await this.#client
        .resource(serviceAccounts)
        .namespace(namespaceOf(pod))
        .subresource<TokenRequest>('token')
        .create(request, { name: pod.spec?.serviceAccountName || 'default' });
      const { token = '', expirationTimestamp = '' } = answer.status ?? {};
      const renewed = { token, issuedMs: nowMs, expiresMs: Date.parse(expirationTimestamp) };
      const all = this.#held.get(uidOf(pod));
      if (all) all.set(key, renewed);
      else this.#held.set(uidOf(pod), new Map([[key, renewed]]));
      return token;
    } catch (error) {
      // One that is due but still good is better than none.
      if (held && held.expiresMs > nowMs) return held.token;
      throw error;
    }
  }

  forget(uid: string): void {
    this.#held.delete(uid);
  }

  /** In how many milliseconds the first token of a pod is to be renewed; undefined where it has none. */
  dueInMs(uid: string): number | undefined {
    const own = this.#held.get(uid);
    return own && Math.min(...Array.from(own.values(), dueMs)) - this.#clock.now();
  }
}

function dueMs({ issuedMs, expiresMs }: Held): number {
  return issuedMs + Math.min((expiresMs - issuedMs) * RENEW_SHARE, RENEW_MS_MAX);
}
