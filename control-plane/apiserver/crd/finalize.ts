import { CLEANUP_FINALIZER } from '../../../api/apiextensions/customresourcedefinition/strategy.ts';
import { customResourceDefinitions } from '../../../api/resources.ts';
import { formatTime } from '../../../libs/base/clock.ts';
import { copyValue } from '../../../libs/machinery/copy.ts';
import { isConflict, isNotFound } from '../../../libs/machinery/errors.ts';
import { deleteObject } from '../registry/delete.ts';
import type { Engine } from '../registry/engine.ts';
import { systemContext } from '../system-context.ts';
import type { CustomResource, Definition } from './custom-kind.ts';
import { setCondition } from './names.ts';

/** Deletions under way at once. */
const DELETIONS_AT_ONCE = 64;

type DraftStatus = Parameters<typeof setCondition>[0];

/**
 * Deletes every instance of a resource whose definition is on its way out. Answers how many are left: those that their
 * finalizers hold.
 */
export async function removeInstances(engine: Engine, resource: CustomResource, name: string): Promise<number> {
  const { kind, schema } = resource;
  const { caches, clock } = engine;
  await caches.fresh();
  const cache = caches.resource(kind);
  const all = cache.all();
  if (all.length === 0) return 0;
  const ctx = systemContext(clock, 'remove instances of a definition');
  await writeTerminating(engine, name, 'True', 'InstanceDeletionInProgress', 'CustomResource deletion is in progress');
  const { version } = kind.storageVersion;
  const served = {
    kind,
    served: kind.storageVersion,
    group: kind.group,
    version,
    schema,
    apiVersion: `${kind.group}/${version}`,
  };
  for (let from = 0; from < all.length; from += DELETIONS_AT_ONCE) {
    await Promise.all(
      all.slice(from, from + DELETIONS_AT_ONCE).map(async (object) => {
        if (object.object().metadata?.deletionTimestamp) return;
        try {
          await deleteObject(
            engine,
            ctx,
            { resource: served, namespace: object.namespace, name: object.name },
            { options: {} },
          );
        } catch (error) {
          // Gone, or somebody else is at it: the next look will show.
          if (!isNotFound(error) && !isConflict(error)) throw error;
        }
      }),
    );
  }
  await caches.fresh();
  return cache.size;
}

/** Says that nothing is left, and lets the definition go. */
export async function finishTerminating(engine: Engine, definition: Definition, wasServed: boolean): Promise<void> {
  const name = definition.metadata?.name ?? '';
  if (!definition.metadata?.finalizers?.includes(CLEANUP_FINALIZER)) return;
  const [reason, message] = wasServed
    ? ['InstanceDeletionCompleted', 'removed all instances']
    : ['NeverEstablished', 'resource was never established'];
  await writeTerminating(engine, name, 'False', reason as string, message as string, true);
}

async function writeTerminating(
  engine: Engine,
  name: string,
  status: 'True' | 'False',
  reason: string,
  message: string,
  done = false,
): Promise<void> {
  const { clock, registry } = engine;
  await registry.update(
    systemContext(clock, 'finalize a definition'),
    customResourceDefinitions,
    '',
    name,
    (draft) => {
      const own = copyValue(draft.status ?? {}) as DraftStatus;
      setCondition(own, { type: 'Terminating', status, reason, message }, formatTime(clock.now()));
      draft.status = own;
      if (done)
        draft.metadata.finalizers = (draft.metadata.finalizers ?? []).filter((one) => one !== CLEANUP_FINALIZER);
    },
    { subresource: 'status' },
  );
}
