import { pods } from '../../../api/resources.ts';
import type { Client } from '../../../libs/kind/client.ts';
import { isConflict, isNotFound } from '../../../libs/machinery/errors.ts';
import { type NodePod, nameOf, namespaceOf, uidOf } from './objects.ts';

/**
 * Whether a request about a pod failed because the API has it no more: it is not there, or another one has its name. A
 * conflict alone does not say so: it may be about what was to be written.
 */
export async function isReplaced(client: Client, pod: NodePod, error: unknown, signal?: AbortSignal): Promise<boolean> {
  if (isNotFound(error)) return true;
  if (!isConflict(error)) return false;
  try {
    const one = client.resource(pods).namespace(namespaceOf(pod));
    return (await one.get(nameOf(pod), { ...(signal && { signal }) })).metadata.uid !== uidOf(pod);
  } catch (other) {
    return isNotFound(other);
  }
}
