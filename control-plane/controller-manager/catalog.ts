import { deploymentController } from '../../api/apps/deployment/controller/controller.ts';
import { replicaSetController } from '../../api/apps/replicaset/controller/controller.ts';
import { replicationControllerController } from '../../api/core/replicationcontroller/controller/controller.ts';
import type { PlannedAction, Reconciler } from '../../libs/kind/reconciler.ts';

/** A controller, and who it is. */
export interface CatalogEntry {
  // biome-ignore lint/suspicious/noExplicitAny: what a reconciler observes and does is its own affair
  readonly reconciler: Reconciler<any, any>;
  /** Its service account in `kube-system`, whose role says what it may do. */
  readonly account: string;
  /** Who its events say they are from; default: the account. */
  readonly source?: string;
}

const entry = <O, A extends PlannedAction>(reconciler: Reconciler<O, A>, account: string, source?: string): CatalogEntry => ({
  reconciler,
  account,
  ...(source ? { source } : {}),
});

/** What a cluster's controllers must be told. */
export interface ManagerSettings {
  /** The authority's certificate, which pods get as `kube-root-ca.crt`. Without it nothing is published. */
  readonly rootAuthorityPem?: string;
}

/** Every controller, under upstream's accounts; those left out whose settings are not there. */
export function controllersOf(_settings: ManagerSettings): readonly CatalogEntry[] {
  return [
    entry(replicaSetController, 'replicaset-controller'),
    entry(replicationControllerController, 'replication-controller'),
    entry(deploymentController, 'deployment-controller'),
  ];
}
