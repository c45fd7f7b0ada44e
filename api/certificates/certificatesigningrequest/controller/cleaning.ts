import { KeyError } from '../../../../libs/base/keys.ts';
import { ownKey, type Plan, type Reconciler, watching } from '../../../../libs/kind/reconciler.ts';
import { isNotFound } from '../../../../libs/machinery/errors.ts';
import { certificateSigningRequests } from '../../../resources.ts';
import type { Request } from './request.ts';

export interface Observed {
  readonly request: Request;
  /** The end of the certificate that was issued. */
  readonly expiresMs: number | undefined;
}

export interface Action {
  readonly type: 'delete';
  readonly reason: string;
}

const HOUR_MS = 3_600_000;
/** How long requests stay, from their creation or from their decision. */
const KEPT_MS = Object.freeze({ pending: 24 * HOUR_MS, approved: HOUR_MS, denied: HOUR_MS, failed: HOUR_MS });
/** Far ends are looked at again in between: timers do not reach further. */
const LOOK_MS_MAX = 24 * HOUR_MS;

/** Requests do not stay for ever: those that nobody decided, those that are done with, those whose certificate ended. */
export function plan({ request, expiresMs }: Observed, nowMs: number): Plan<Action> {
  const conditions = request.status?.conditions ?? [];
  const ends: number[] = [];
  if (conditions.length === 0) ends.push(Date.parse(request.metadata.creationTimestamp) + KEPT_MS.pending);
  for (const { type, lastUpdateTime } of conditions) {
    const keptMs = type === 'Approved' ? KEPT_MS.approved : type === 'Denied' ? KEPT_MS.denied : KEPT_MS.failed;
    if (lastUpdateTime) ends.push(Date.parse(lastUpdateTime) + keptMs);
  }
  if (expiresMs !== undefined) ends.push(expiresMs);
  if (ends.length === 0) return { actions: [] };
  const endMs = Math.min(...ends);
  if (endMs > nowMs) return { actions: [], againAfterMs: Math.min(endMs - nowMs, LOOK_MS_MAX) };
  return { actions: [{ type: 'delete', reason: 'it is over' }] };
}

/** Deletes requests whose time is over. */
export const csrCleanerController: Reconciler<Observed, Action> = {
  name: 'certificatesigningrequest-cleaner-controller',
  concurrency: 1,
  watches: [watching(certificateSigningRequests, ownKey)],
  observe({ informers, keys }, name) {
    const request = informers.informer(certificateSigningRequests).get(name);
    if (!request) return undefined;
    try {
      const { certificate } = request.status ?? {};
      return { request, expiresMs: certificate ? keys.parseCertificate(atob(certificate)).notAfterMs : undefined };
    } catch (error) {
      if (!(error instanceof KeyError)) throw error;
      return { request, expiresMs: undefined };
    }
  },
  plan,
  async apply({ client }, _action, { request }) {
    const { name, uid } = request.metadata;
    try {
      await client.resource(certificateSigningRequests).delete(name, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  },
};
