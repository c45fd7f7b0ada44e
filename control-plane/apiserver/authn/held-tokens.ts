import { encodeBase64Url } from '../../../libs/base/base64.ts';
import type { Keys } from '../../../libs/base/keys.ts';
import type { UserInfo } from '../../../libs/kind/request.ts';
import type { Authenticator } from './authenticator.ts';
import { bearerToken } from './service-account-tokens.ts';

const TOKEN_BYTES = 32;

/**
 * Tokens for components of this very process, which lie in its memory alone and end with it: so each controller can be
 * its own service account without a token being stored anywhere.
 */
export class HeldTokens {
  readonly #keys: Keys;
  /** By the header that the bearer sends: it is the same text in each request. */
  readonly #users = new Map<string, UserInfo>();

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  /** A token that makes its bearer `user`. */
  issue(user: UserInfo): string {
    const token = `held-${encodeBase64Url(this.#keys.secret(TOKEN_BYTES))}`;
    this.#users.set(headerOf(token), user);
    return token;
  }

  authenticator(): Authenticator {
    return {
      name: 'held token',
      authenticate: ({ headers }) => {
        const { authorization } = headers;
        const known = typeof authorization === 'string' ? this.#users.get(authorization) : undefined;
        if (known) return known;
        const token = bearerToken(authorization);
        return token === undefined ? undefined : this.#users.get(headerOf(token));
      },
    };
  }
}

const headerOf = (token: string): string => `Bearer ${token}`;

/** The user that a service account is. */
export function serviceAccountUser(namespace: string, name: string): UserInfo {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    extra: {},
  };
}
