import {
  bootstrapTokenOf,
  isExpired,
  parseBootstrapToken,
  TOKEN_NAME_PREFIX,
  TOKEN_NAMESPACE,
} from '../../../api/core/secret/bootstrap-token.ts';
import { secrets } from '../../../api/resources.ts';
import type { Clock } from '../../../libs/base/clock.ts';
import type { Keys } from '../../../libs/base/keys.ts';
import type { Registry } from '../../../libs/kind/registry.ts';
import type { UserInfo } from '../../../libs/kind/request.ts';
import { unauthorized } from '../../../libs/machinery/errors.ts';
import type { Authenticator } from './authenticator.ts';
import { bearerToken } from './service-account-tokens.ts';

export interface BootstrapTokenOptions {
  readonly keys: Keys;
  readonly clock: Clock;
}

/**
 * Tokens with which nodes join (API concept "Bootstrap Tokens"): believed as long as their Secret is there, lets them
 * authenticate and has not expired. What looks like one and is not good is refused, and asked of nobody else.
 */
export function bootstrapTokenAuthenticator(options: BootstrapTokenOptions, registry: () => Registry): Authenticator {
  return {
    name: 'bootstrap token',
    async authenticate({ headers }) {
      const token = bearerToken(headers.authorization);
      if (token === undefined || !parseBootstrapToken(token)) return undefined;
      const user = await bootstrapUser(options, token, registry());
      if (!user) throw unauthorized();
      return user;
    },
  };
}

/** Whom a bootstrap token stands for; undefined: nobody. */
export async function bootstrapUser(
  { keys, clock }: BootstrapTokenOptions,
  text: string,
  registry: Registry,
): Promise<UserInfo | undefined> {
  const shown = parseBootstrapToken(text);
  if (!shown) return undefined;
  const stored = await registry.get(secrets, TOKEN_NAMESPACE, TOKEN_NAME_PREFIX + shown.id);
  const token = stored && bootstrapTokenOf(stored);
  if (!token?.authenticates || isExpired(token, clock.now()) || !token.groups) return undefined;
  const bytes = (secret: string) => new TextEncoder().encode(secret);
  if (!keys.equal(bytes(shown.secret), bytes(token.secret))) return undefined;
  return { name: `system:bootstrap:${token.id}`, groups: [...token.groups], extra: {} };
}
