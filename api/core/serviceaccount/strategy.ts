import type { Strategy } from '../../../libs/kind/strategy.ts';
import type { ServiceAccount } from '../../types/core/v1.generated.ts';

const ENFORCE_SECRETS = 'kubernetes.io/enforce-mountable-secrets';

export const strategy: Strategy<ServiceAccount> = {
  deleteReturnsObject: true,
  warnings(account, old) {
    const has = (one: typeof account | undefined) => Object.hasOwn(one?.metadata?.annotations ?? {}, ENFORCE_SECRETS);
    if (!has(account) || has(old)) return [];
    const why = 'deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets';
    return [`metadata.annotations[${ENFORCE_SECRETS}]: ${why}`];
  },
};
