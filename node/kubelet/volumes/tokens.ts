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
  readonly #held = new Map<string, Held>();

  constructor(client: Client, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Rejects with `ApiError` where the server gives none. */
  async token(pod: NodePod, audience: string, expirationSeconds: number): Promise<string> {
    const key = `${uidOf(pod)}\n${audience}\n${expirationSeconds}`;
    const nowMs = this.#clock.now();
    const held = this.#held.get(key);
    if (held && !isDue(held, nowMs)) return held.token;
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
      this.#held.set(key, { token, issuedMs: nowMs, expiresMs: Date.parse(expirationTimestamp) });
      return token;
    } catch (error) {
      // One that is due but still good is better than none.
      if (held && held.expiresMs > nowMs) return held.token;
      throw error;
    }
  }

  forget(uid: string): void {
    for (const key of [...this.#held.keys()]) if (key.startsWith(`${uid}\n`)) this.#held.delete(key);
  }
}

function isDue({ issuedMs, expiresMs }: Held, nowMs: number): boolean {
  const lifeMs = expiresMs - issuedMs;
  return !(nowMs < issuedMs + Math.min(lifeMs * RENEW_SHARE, RENEW_MS_MAX));
}
