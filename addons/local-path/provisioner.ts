import { nodes, persistentVolumeClaims, persistentVolumes, storageClasses } from '../../api/resources.ts';
import type { PersistentVolumeClaim } from '../../api/types/core/v1.generated.ts';
import { Controller } from '../../libs/client/controller.ts';
import { createEventRecorder } from '../../libs/client/events.ts';
import { createInformers } from '../../libs/client/informers.ts';
import type { Client, Informers } from '../../libs/kind/client.ts';
import { keyOf } from '../../libs/kind/object.ts';
import { type ControllerEnvironment, type Reconciler, type Written, watching } from '../../libs/kind/reconciler.ts';
import { isAlreadyExists, isNotFound } from '../../libs/machinery/errors.ts';
import { CLASS_NAME, PROVISIONER } from './names.ts';
import { type Action, type Observed, plan, SELECTED_NODE } from './plan.ts';

const CLAIM = 'claim ';
const VOLUME = 'volume ';

export interface LocalPathOptions extends Pick<ControllerEnvironment, 'clock' | 'random' | 'keys' | 'log'> {
  /** As the service account `ACCOUNT`. */
  readonly client: Client;
  /** Where volumes lie on nodes that do not say it themselves: those that are simulated. */
  readonly directory: string;
  /** Shared ones, that may see claims, volumes, classes and nodes; they belong to the caller. */
  readonly informers?: Informers;
}

/** Makes volumes of folders on nodes. Keys are `claim namespace/name` and `volume name`. */
export function localPathProvisioner(directory: string): Reconciler<Observed, Action> {
  return {
    name: 'local-path-provisioner',
    watches: [
      watching(persistentVolumeClaims, (claim) => [CLAIM + keyOf(claim)]),
      watching(persistentVolumes, ({ metadata }) => [VOLUME + metadata.name]),
      watching(storageClasses, () => []),
      watching(nodes, () => []),
    ],
    observe({ informers }, key) {
      if (key.startsWith(VOLUME)) {
        const volume = informers.informer(persistentVolumes).get(key.slice(VOLUME.length));
        return volume && { volume };
      }
      const claim = informers.informer(persistentVolumeClaims).get(key.slice(CLAIM.length));
      const storageClass = informers.informer(storageClasses).get(claim?.spec?.storageClassName ?? '');
      if (!claim || !storageClass) return undefined;
      const selected = claim.metadata.annotations?.[SELECTED_NODE];
      const node = selected === undefined ? undefined : informers.informer(nodes).get(selected);
      return { claim, storageClass, node, directory };
    },
    plan,
    apply,
  };
}

async function apply(env: ControllerEnvironment, action: Action, observed: Observed): Promise<readonly Written[]> {
  const { client, events } = env;
  if (!('claim' in observed)) {
    const { name, uid } = observed.volume.metadata;
    await client
      .resource(persistentVolumes)
      .delete(name, { preconditions: { uid } })
      .catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    return [];
  }
  const { claim } = observed;
  if (action.type === 'refuse') {
    events.event(claim, 'Warning', 'ProvisioningFailed', action.message);
    return [];
  }
  if (action.type === 'reschedule') {
    const { [SELECTED_NODE]: _gone, ...annotations } = claim.metadata.annotations ?? {};
    const changed = { ...claim, metadata: { ...claim.metadata, annotations } } as unknown as PersistentVolumeClaim;
    const claims = client.resource(persistentVolumeClaims).namespace(claim.metadata.namespace ?? '');
    const { metadata } = await claims.update(changed);
    return [{ ref: persistentVolumeClaims, resourceVersion: metadata.resourceVersion }];
  }
  if (action.type !== 'provision') return [];
  const { name } = action.volume.metadata;
  events.event(
    claim,
    'Normal',
    'Provisioning',
    `External provisioner is provisioning volume for claim "${keyOf(claim)}"`,
  );
  try {
    const { metadata } = await client.resource(persistentVolumes).create(action.volume);
    events.event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${name}`);
    return [{ ref: persistentVolumes, resourceVersion: metadata.resourceVersion }];
  } catch (error) {
    // Made in the turn before: the binder has yet to say so at the claim.
    if (isAlreadyExists(error)) return [];
    throw error;
  }
}

/** Makes the class `local-path`, the cluster's default, where there is none of that name, and runs the provisioner. */
export async function startLocalPath(options: LocalPathOptions): Promise<{ stop(): Promise<void> }> {
  const { client, clock, random, keys, log, directory } = options;
  await client
    .resource(storageClasses)
    .create({
      metadata: { name: CLASS_NAME, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: PROVISIONER,
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
    })
    .catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  const own = options.informers ? undefined : createInformers({ client, clock, random, log });
  const informers = options.informers ?? (own as Informers);
  const events = createEventRecorder({ client, clock, log, component: PROVISIONER });
  const featureGates = { enabled: () => true };
  const env = { client, informers, clock, random, keys, log, events, featureGates };
  const controller = new Controller(localPathProvisioner(directory), env);
  controller.start();
  return {
    async stop() {
      await controller.stop();
      await events.stop();
      await own?.stop();
    },
  };
}
