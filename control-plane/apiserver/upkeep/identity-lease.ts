import { leases } from '../../../api/resources.ts';
import type { Clock, Timer } from '../../../libs/base/clock.ts';
import { formatMicroTime } from '../../../libs/base/clock.ts';
import type { Logger } from '../../../libs/base/log.ts';
import type { RequestContext } from '../../../libs/kind/request.ts';
import { isNotFound } from '../../../libs/machinery/errors.ts';
import type { Engine } from '../registry/engine.ts';
import type { ApiServer } from '../server.ts';

/** Who a server is among those of its cluster. */
export interface Identity {
  /** Different for each server of a cluster, the same after a restart: made of the host's name. */
  readonly name: string;
  /** Different for each start. */
  readonly holder: string;
  readonly hostname: string;
}

export interface IdentityLeaseOptions extends Identity {
  readonly server: ApiServer;
  readonly clock: Clock;
  readonly log: Logger;
}

const RENEW_MS = 10_000;
const DURATION_SECONDS = 3600;
const IDENTITY_LABEL = 'apiserver.kubernetes.io/identity';
const COMPONENT = 'kube-apiserver';
const NAMESPACE = 'kube-system';
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
          [IDENTITY_LABEL]: COMPONENT,
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

/** Takes away the leases of servers that are no more. */
export async function collectExpiredIdentities({ registry, clock }: Engine, ctx: RequestContext): Promise<void> {
  for (const { metadata, spec } of await registry.list(leases, NAMESPACE)) {
    if (metadata.labels?.[IDENTITY_LABEL] !== COMPONENT) continue;
    const { renewTime, leaseDurationSeconds } = spec ?? {};
    const lasts = renewTime !== undefined && leaseDurationSeconds !== undefined;
    if (lasts && Date.parse(renewTime) + leaseDurationSeconds * 1000 >= clock.now()) continue;
    // A server that has come back meanwhile has renewed it.
    const same = { uid: metadata.uid, resourceVersion: metadata.resourceVersion };
    await registry.delete(ctx, leases, NAMESPACE, metadata.name, same);
  }
}
