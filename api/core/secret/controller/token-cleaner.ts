import type { Live } from '../../../../libs/kind/object.ts';
import { keyOf } from '../../../../libs/kind/object.ts';
import { type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { isConflict, isNotFound } from '../../../../libs/machinery/errors.ts';
import { secrets } from '../../../resources.ts';
import type { Secret } from '../../../types/core/v1.generated.ts';
import { type BootstrapToken, bootstrapTokenOf, isExpired } from '../bootstrap-token.ts';

export interface Observed {
  readonly secret: Live<Secret>;
  readonly token: BootstrapToken;
}

export interface Action {
  readonly type: 'delete';
  readonly reason: string;
}

/** Far ends are looked at again in between: timers do not reach further. */
const LOOK_MS_MAX = 24 * 3_600_000;

/** A bootstrap token whose time is over goes, with everything that it could do. */
export function plan({ token }: Observed, nowMs: number): Plan<Action> {
  if (token.expiresMs === undefined) return { actions: [] };
  if (isExpired(token, nowMs)) return { actions: [{ type: 'delete', reason: 'the token has expired' }] };
  return { actions: [], againAfterMs: Math.min(token.expiresMs - nowMs, LOOK_MS_MAX) };
}

/** Deletes bootstrap tokens that have expired. */
export const tokenCleanerController: Reconciler<Observed, Action> = {
  name: 'token-cleaner-controller',
  concurrency: 1,
  watches: [watching(secrets, (secret) => (bootstrapTokenOf(secret) ? [keyOf(secret)] : []))],
  observe({ informers }, key) {
    const secret = informers.informer(secrets).get(key);
    const token = secret && bootstrapTokenOf(secret);
    return token && { secret, token };
  },
  plan,
  async apply({ client }, _action, { secret }) {
    const { name, namespace = '', uid, resourceVersion } = secret.metadata;
    try {
      // With the revision: a token whose life was just made longer stays.
      await client.resource(secrets).namespace(namespace).delete(name, { preconditions: { uid, resourceVersion } });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  },
};
