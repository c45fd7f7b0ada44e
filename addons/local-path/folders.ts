import { namespaces, nodes, persistentVolumes } from '../../api/resources.ts';
import type { Host } from '../../libs/base/host.ts';
import { Controller } from '../../libs/client/controller.ts';
import { createEventRecorder } from '../../libs/client/events.ts';
import { createInformers } from '../../libs/client/informers.ts';
import type { Client } from '../../libs/kind/client.ts';
import { type ControllerEnvironment, type Reconciler, watching } from '../../libs/kind/reconciler.ts';
import { isNotFound } from '../../libs/machinery/errors.ts';
import { DIRECTORY_ANNOTATION, PROVISIONED_BY, PROVISIONER } from './names.ts';

export interface LocalPathFoldersOptions extends Pick<ControllerEnvironment, 'clock' | 'random' | 'keys' | 'log'> {
  /** As the node. */
  readonly client: Client;
  readonly host: Pick<Host, 'files'>;
  readonly nodeName: string;
  /** Below it each cluster has a folder of its own, so that a new cluster never takes an old one's for its leftovers. */
  readonly directory: string;
}

const RETRY_MS = 1_000;

interface Action {
  readonly type: 'remove';
  readonly reason: string;
}

/** Removes the folders of volumes that are gone. Keys are volumes' names. */
function folderKeeper(files: Host['files'], directory: string): Reconciler<string, Action> {
  return {
    name: 'local-path-folders',
    watches: [
      watching(persistentVolumes, ({ metadata }) =>
        metadata.annotations?.[PROVISIONED_BY] === PROVISIONER ? [metadata.name] : [],
      ),
    ],
    async observe({ informers }, name) {
      if (informers.informer(persistentVolumes).get(name)) return undefined;
      const path = `${directory}/${name}`;
      return (await files.statIfExists(path)) ? path : undefined;
    },
    plan: () => ({ actions: [{ type: 'remove', reason: 'its volume is gone' }] }),
    apply: (_env, _action, path) => files.remove(path),
  };
}

/**
 * A node's part: says at its Node where volumes are to lie, and removes their folders once the volumes are gone, also
 * those that went while the node was down. Resolves when the Node says it; waits until there is one.
 */
export async function startLocalPathFolders(options: LocalPathFoldersOptions): Promise<{ stop(): Promise<void> }> {
  const { client, clock, random, keys, log, host, nodeName } = options;
  const { uid } = (await client.resource(namespaces).get('kube-system')).metadata;
  const directory = `${options.directory}/${uid}`;
  await host.files.makeDirectory(directory, { mode: 0o711 });
  // Looked at before the volumes are: a folder is made after its volume, so what has none by then is left over.
  const there = await host.files.list(directory);
  const patch = { metadata: { annotations: { [DIRECTORY_ANNOTATION]: directory } } };
  for (;;) {
    try {
      await client.resource(nodes).patch(nodeName, patch, { type: 'merge' });
      break;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await clock.sleep(RETRY_MS);
    }
  }
  const informers = createInformers({ client, clock, random, log });
  const events = createEventRecorder({ client, clock, log, component: PROVISIONER });
  const featureGates = { enabled: () => true };
  const env = { client, informers, clock, random, keys, log, events, featureGates };
  const controller = new Controller(folderKeeper(host.files, directory), env);
  for (const name of there) controller.add(name);
  controller.start();
  return {
    async stop() {
      await controller.stop();
      await events.stop();
      await informers.stop();
    },
  };
}
