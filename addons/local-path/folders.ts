import { namespaces, nodes, persistentVolumes } from '../../api/resources.ts';
import type { Host } from '../../libs/base/host.ts';
import { Controller } from '../../libs/client/controller.ts';
import { createEventRecorder } from '../../libs/client/events.ts';
import { createInformers } from '../../libs/client/informers.ts';
import type { Client, Informers } from '../../libs/kind/client.ts';
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
  /** Shared ones, of this client; they belong to the caller. */
  readonly informers?: Informers;
}

export interface LocalPathFolders {
  /** Resolves when the Node says where its volumes lie; rejects when it was stopped before. */
  readonly started: Promise<void>;
  stop(): Promise<void>;
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
 * those that went while the node was down. Begins when there is a Node and the server answers.
 */
export function startLocalPathFolders(options: LocalPathFoldersOptions): LocalPathFolders {
  const stopped = new AbortController();
  const running = run(options, stopped.signal);
  // Whoever waits for it hears of a failure; it is logged for who does not.
  const started = running.then(() => {});
  started.catch(() => {});
  return {
    started,
    async stop() {
      stopped.abort(new Error('the folders of volumes are no longer kept'));
      const stop = await running.catch(() => undefined);
      await stop?.();
    },
  };
}

/** Gives what ends it. */
async function run(options: LocalPathFoldersOptions, signal: AbortSignal): Promise<() => Promise<void>> {
  const { client, clock, random, keys, log, host } = options;
  const directory = await directoryOf(options, signal);
  // Looked at before the volumes are: a folder is made after its volume, so what has none by then is left over.
  const there = await host.files.list(directory);
  const own = options.informers ? undefined : createInformers({ client, clock, random, log });
  const informers = options.informers ?? (own as Informers);
  const events = createEventRecorder({ client, clock, log, component: PROVISIONER });
  const featureGates = { enabled: () => true };
  const env = { client, informers, clock, random, keys, log, events, featureGates };
  const controller = new Controller(folderKeeper(host.files, directory), env);
  for (const name of there) controller.add(name);
  controller.start();
  return async () => {
    await controller.stop();
    await events.stop();
    await own?.stop();
  };
}

/** The folder of this cluster's volumes, made and told at the Node. */
async function directoryOf(options: LocalPathFoldersOptions, signal: AbortSignal): Promise<string> {
  const { client, clock, log, host, nodeName } = options;
  for (;;) {
    try {
      const { uid } = (await client.resource(namespaces).get('kube-system', { signal })).metadata;
      const directory = `${options.directory}/${uid}`;
      await host.files.makeDirectory(directory, { mode: 0o711 });
      const patch = { metadata: { annotations: { [DIRECTORY_ANNOTATION]: directory } } };
      await client.resource(nodes).patch(nodeName, patch, { type: 'merge', signal });
      return directory;
    } catch (error) {
      signal.throwIfAborted();
      if (!isNotFound(error)) log.warn('the folder of local volumes could not be told', { node: nodeName, error });
      await clock.sleep(RETRY_MS, signal);
    }
  }
}
