import { controllersOf, type ManagerSettings } from '../control-plane/controller-manager/catalog.ts';
import { startControllerManager } from '../control-plane/controller-manager/controller-manager.ts';
import type { Clock } from '../libs/base/clock.ts';
import type { Issuer, Keys } from '../libs/base/keys.ts';
import type { Logger } from '../libs/base/log.ts';
import type { Random } from '../libs/base/random.ts';
import { createInformers } from '../libs/client/informers.ts';
import type { Client } from '../libs/kind/client.ts';
import type { FeatureGates } from '../libs/kind/reconciler.ts';
import type { ClusterUser } from './cluster.ts';
import { WATCH_SECONDS } from './duration.ts';
import { ClusterUsageError } from './errors.ts';

const ACCOUNT_GROUPS = ['system:serviceaccounts', 'system:serviceaccounts:kube-system'];

export interface ControllersOptions {
  clientAs(user: ClusterUser): Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly keys: Keys;
  readonly log: Logger;
  readonly settings: ManagerSettings;
  readonly featureGates: FeatureGates;
  /** Names of the controllers to run; default all. */
  readonly only?: readonly string[] | undefined;
}

/** What the controllers of a simulated cluster are told. `clusterCidrs`: where nodes' networks come from, if from anywhere. */
export async function controllerSettings(
  authority: Issuer,
  keys: Keys,
  clusterCidrs: readonly string[] | undefined,
): Promise<ManagerSettings> {
  return {
    rootAuthorityPem: authority.certificatePem,
    signing: { authority },
    serviceAccountTokens: {
      signingKey: await keys.generateKey('service accounts'),
      rootAuthorityPem: authority.certificatePem,
    },
    servingApproval: { reservedCidrs: ['10.96.0.0/12', ...(clusterCidrs ?? [])] },
    ...(clusterCidrs ? { nodeIpam: { clusterCidrs } } : {}),
  };
}

/** The controllers of a simulated cluster, each as its own service account. */
export async function runControllers(options: ControllersOptions): Promise<{ stop(): Promise<void> }> {
  const { clientAs, clock, random, keys, log, settings, only, featureGates } = options;
  const client = clientAs({ name: 'system:kube-controller-manager' });
  if (only) mustBeControllers(only, settings);
  const clients = new Map<string, Client>();
  const clientOf = (account: string): Client => {
    let own = clients.get(account);
    if (!own) {
      const name = `system:serviceaccount:kube-system:${account}`;
      clients.set(account, (own = clientAs({ name, groups: ACCOUNT_GROUPS })));
    }
    return own;
  };
  const informers = createInformers({ client, clock, random, log, watchSeconds: WATCH_SECONDS });
  const manager = startControllerManager({
    client,
    informers,
    clock,
    random,
    keys,
    log,
    featureGates,
    clientOf,
    settings,
    ...(only ? { only } : {}),
  });
  return {
    async stop() {
      await manager.stop();
      await informers.stop();
    },
  };
}

function mustBeControllers(names: readonly string[], settings: ManagerSettings): void {
  const all = controllersOf(settings).map(({ name }) => name);
  const unknown = names.find((name) => !all.includes(name));
  if (unknown === undefined) return;
  throw new ClusterUsageError(`there is no controller "${unknown}"; there are ${all.join(', ')}`);
}
