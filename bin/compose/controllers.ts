// Puts the controller manager beside the API server of the same process.

import { inProcessTransport } from '../../control-plane/apiserver/in-process.ts';
import type { ApiServer } from '../../control-plane/apiserver/server.ts';
import { controllersOf } from '../../control-plane/controller-manager/catalog.ts';
import {
  type RunningControllerManager,
  startControllerManager,
} from '../../control-plane/controller-manager/controller-manager.ts';
import type { Clock } from '../../libs/base/clock.ts';
import type { Issuer, Keys } from '../../libs/base/keys.ts';
import type { Logger } from '../../libs/base/log.ts';
import type { Random } from '../../libs/base/random.ts';
import { decodePem } from '../../libs/base/x509/pem.ts';
import { createClient } from '../../libs/client/client.ts';
import { createInformers } from '../../libs/client/informers.ts';
import type { Client } from '../../libs/kind/client.ts';

export interface ControllersOptions {
  readonly server: ApiServer;
  /** Signs the controllers' client certificates, and what the signing controller issues. */
  readonly authority: Issuer;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
  readonly only?: readonly string[];
}

const HOUR_MS = 3_600_000;
const ACCOUNT_GROUPS = ['system:serviceaccounts', 'system:serviceaccounts:kube-system'];

/**
 * Starts the controllers, each as its own service account, by certificates that never leave the process. Resolves when
 * they run; disposing lets them come to their end.
 */
export async function startControllers(
  options: ControllersOptions,
): Promise<{ readonly manager: RunningControllerManager } & AsyncDisposable> {
  const { server, authority, clock, random, keys, log } = options;
  const key = await keys.generateKey('controllers');
  const as = async (commonName: string, organizations: readonly string[]): Promise<Client> => {
    const nowMs = clock.now();
    const certificatePem = await keys.issueCertificate(
      {
        subject: { commonName, organizations },
        publicKey: key,
        usages: ['digital signature', 'client auth'],
        notBeforeMs: nowMs - HOUR_MS,
        notAfterMs: nowMs + 10 * 365 * 24 * HOUR_MS,
      },
      authority,
    );
    const transport = inProcessTransport({
      handle: (request) => server.handle(request),
      credentials: { certificateDer: decodePem(certificatePem)[0]?.der },
    });
    return createClient(transport, { userAgent: 'kube-controller-manager', clock });
  };
  const client = await as('system:kube-controller-manager', []);
  const clients = new Map<string, Client>();
  const settings = { rootAuthorityPem: authority.certificatePem };
  for (const account of new Set(controllersOf(settings).map((entry) => entry.account))) {
    clients.set(account, await as(`system:serviceaccount:kube-system:${account}`, ACCOUNT_GROUPS));
  }
  const informers = createInformers({ client, clock, random: random.fork('informers'), log });
  const manager = startControllerManager({
    client,
    informers,
    clock,
    random,
    keys,
    log,
    featureGates: { enabled: () => true },
    clientOf: (account) => clients.get(account) ?? client,
    settings,
    ...(options.only ? { only: options.only } : {}),
  });
  return {
    manager,
    async [Symbol.asyncDispose]() {
      await manager.stop();
      await informers.stop();
    },
  };
}
