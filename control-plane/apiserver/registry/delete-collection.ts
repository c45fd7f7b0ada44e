import { isNotFound } from '../../../libs/machinery/errors.ts';
import type { ApiResponse } from '../api.ts';
import type { CachedObject } from '../cache/cached-object.ts';
import { parseListParameters } from '../options.ts';
import { deleteObject } from './delete.ts';
import { decodeDeleteOptions } from './delete-options.ts';
import { presentList, selectObjects } from './read.ts';
import type { ResourceRequest } from './verbs.ts';

/** How many deletions are under way at once. */
const WORKERS = 16;

/** Deletes what a list with the same parameters shows, and answers with that list. What goes meanwhile is no error. */
export async function deleteCollection(r: ResourceRequest): Promise<ApiResponse> {
  const { parameters, dryRun } = decodeDeleteOptions(r);
  const selection = parseListParameters(r.query, false);
  const selected = await selectObjects(r, selection);
  const items = selected.objects();
  const deleted: CachedObject[] = [];
  let next = 0;
  const work = async () => {
    while (next < items.length) {
      r.ctx.ends.signal.throwIfAborted();
      const at = next++;
      const item = items[at] as CachedObject;
      const target = { ...r.target, namespace: item.namespace, name: item.name };
      try {
        deleted[at] = (
          await deleteObject(r.engine, { ...r.ctx, dryRun }, target, { ...parameters, ofCollection: true })
        ).encoded;
      } catch (error) {
        if (!isNotFound(error)) throw error;
        deleted[at] = item;
      }
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, work));
  return presentList(r, r.engine.caches.resource(r.target.resource.kind).pageOf(deleted));
}
