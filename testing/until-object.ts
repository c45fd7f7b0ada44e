import { objectKey } from '../control-plane/apiserver/cache/keys.ts';
import type { Client } from '../libs/kind/client.ts';
import type { ApiObject } from '../libs/kind/object.ts';
import type { ClusterTime, UntilOptions } from './cluster-time.ts';
import { ClusterUsageError } from './errors.ts';
import { ResourceFinder } from './resource-finder.ts';

/** What was read is read again after so long of the cluster's time though nothing was written: a read may have been stale. */
const READ_AGAIN_MS = 1_000;

/** What has been written lately, for who looks again and again. */
export interface Writes {
  /** Of the store's last write. */
  readonly revision: number;
  /** Calls `wrote` with every write of one key of the store. */
  follow(key: string, wrote: () => void): Disposable;
}

/**
 * Waits until an object, named as `deployment/web`, is as the predicate wants it, and gives it. It is not read again at each
 * look, but when it was written; where it was not yet (it may be made of others), when anything was.
 */
export async function untilObject(
  time: ClusterTime,
  client: Client,
  writes: Writes,
  named: string,
  predicate: (object: ApiObject) => unknown,
  { namespace = 'default', ...options }: UntilOptions & { readonly namespace?: string },
): Promise<ApiObject> {
  const [resource = '', name = '', ...more] = named.split('/');
  if (resource === '' || name === '' || more.length > 0)
    throw new ClusterUsageError(`"${named}" names no object; write it as "deployment/web"`);
  const ref = await new ResourceFinder(client).byName(resource);
  const of = ref.namespaced ? client.resource(ref).namespace(namespace) : client.resource(ref);
  let last: ApiObject | undefined;
  let known: { readonly object: ApiObject; readonly at: string; readonly readMs: number } | undefined;
  let written = 0;
  const key = objectKey(ref, ref.namespaced ? namespace : '', name);
  using _ = writes.follow(key, () => {
    written++;
  });
  const read = async () => {
    const readMs = time.clock.monotonic();
    const at = written > 0 ? `write ${written}` : `revision ${writes.revision}`;
    if (known && known.at === at && readMs - known.readMs < READ_AGAIN_MS) return known.object;
    known = undefined;
    const object = (await of.get(name)) as ApiObject;
    known = { object, at, readMs };
    return object;
  };
  const holds = async () => {
    const object = await read();
    last = object;
    try {
      return (await predicate(object)) && object;
    } catch (error) {
      // `d.status.availableReplicas` before there is a status.
      if (error instanceof TypeError) return undefined;
      throw error;
    }
  };
  const told = () => {
    if (!last) return 'it never was there';
    return `status ${JSON.stringify((last as { status?: unknown }).status ?? null)}`;
  };
  return (await time.until(holds, {
    what: `${named} in namespace ${namespace} as wanted`,
    ...options,
    told,
  })) as ApiObject;
}
