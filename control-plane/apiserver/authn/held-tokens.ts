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
  readonly #users = new Map<string, UserInfo>();

  constructor(keys: Keys) {
    this.#keys = keys;
  }

  /** A token that makes its bearer `user`. */
  issue(user: UserInfo): string {
    const token = `held-${encodeBase64Url(this.#keys.secret(TOKEN_BYTES))}`;
    this.#users.set(token, user);
    return token;
  }

  authenticator(): Authenticator {
    return {
      name: 'held token',
      authenticate: ({ headers }) => {
        const token = bearerToken(headers.authorization);
        return token === undefined ? undefined : this.#users.get(token);
      },
    };
  }
}

/** The user that a service account is. */
export function serviceAccountUser(namespace: string, name: string): UserInfo {
  return {
    name: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    extra: {},
  };
}
