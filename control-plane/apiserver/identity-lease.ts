import type { Clock, Timer } from '../../libs/base/clock.ts';
import { formatMicroTime } from '../../libs/base/clock.ts';
import type { Logger } from '../../libs/base/log.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import type { ApiServer } from './server.ts';

export interface IdentityLeaseOptions {
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly log: Logger;
  /** Different for each server of a cluster, the same after a restart: made of the host's name. */
  readonly name: string;
  /** Different for each start. */
  readonly holder: string;
  readonly hostname: string;
}

const RENEW_MS = 10_000;
const DURATION_SECONDS = 3600;
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';

/** Keeps the Lease in `kube-system` that tells which API servers a cluster has. Disposing ends it; the Lease expires. */
export function keepIdentityLease(options: IdentityLeaseOptions): Disposable {
  const { server, clock, log } = options;
  let over = false;
  let timer: Timer | undefined;

  async function renew(): Promise<void> {
    try {
      const spec = { renewTime: formatMicroTime(clock.now()), holderIdentity: options.holder };
      await server.asItself('PATCH', `${LEASES}/${options.name}`, 'application/merge-patch+json', { spec });
    } catch (error) {
      try {
        if (isNotFound(error)) await create();
        else throw error;
      } catch (problem) {
        log.warn('the lease of this API server was not renewed', { error: problem });
      }
    }
    if (!over) timer = clock.setTimer(() => void renew(), RENEW_MS);
  }

  function create(): Promise<unknown> {
    const now = formatMicroTime(clock.now());
    return server.asItself('POST', LEASES, 'application/json', {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: options.name,
        namespace: 'kube-system',
        labels: {
          'apiserver.kubernetes.io/identity': 'kube-apiserver',
          'kubernetes.io/hostname': options.hostname,
        },
      },
      spec: {
        holderIdentity: options.holder,
        leaseDurationSeconds: DURATION_SECONDS,
        acquireTime: now,
        renewTime: now,
      },
    });
  }

  void renew();
  return {
    [Symbol.dispose]() {
      over = true;
      timer?.cancel();
    },
  };
}
